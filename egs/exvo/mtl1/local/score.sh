#!/usr/bin/env bash
# Writes the submission of a model that has all tasks; stage 8 runs it for each predicted set.
set -euo pipefail

options="exp set team number"
exp=                 # the experiment
set="test"           # only of test is a submission made
team=team            # the team's name, in the name of the file
number=1             # number of the submission
help_message="Usage: $0 [options]

$(sed -n '2,/^set/s/^# //p' "${BASH_SOURCE[0]}")"

# shellcheck source=egs/TEMPLATE/mtl1/path.sh
. ./path.sh
# shellcheck source=utils/log.sh
. "${MAIN_ROOT}/utils/log.sh"
# shellcheck source=utils/parse_options.sh
. "${MAIN_ROOT}/utils/parse_options.sh"
require_arg exp
[ "${set}" = test ] || exit 0

predictions=${exp}/predict_${set}/predictions.jsonl
for task in emotion country age; do
    if ! head -n 1 "${predictions}" | grep -q "\"${task}\":"; then
        log "${exp}: has no ${task}, so there is no submission of it alone; local/make_submission.py joins models"
        exit 0
    fi
done
python3 local/make_submission.py --predictions "${predictions}" --data "data/${set}" --team "${team}" \
    --number "${number}" --out_dir "${exp}/predict_${set}"
