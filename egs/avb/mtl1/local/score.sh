#!/usr/bin/env bash
# Writes the submissions of a model, one for each of its tasks; stage 8 runs it for each predicted set.
set -euo pipefail

options="exp set team number"
exp=                 # the experiment
set="test"           # only of test are submissions made
team=team            # the team's name, in the names of the files
number=1             # number of the submissions
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

python3 local/make_submission.py --predictions "${exp}/predict_${set}/predictions.jsonl" --data "data/${set}" \
    --team "${team}" --number "${number}" --out_dir "${exp}/predict_${set}"
