#!/usr/bin/env bash
# Every weighting and the single tasks with three seeds, beside the references: the table of ../RESULTS.md.
# Options behind -- go to mtl.sh.
set -euo pipefail

rows=                # rows, as in grid.sh; default: the single tasks and every weighting
seeds="1 2 3"        # seeds
jobs=2               # cells that run at the same time, each with one thread
title="Voices of free games: all weightings" # heading of the table
out=exp/RESULTS.md   # the table
options="rows seeds jobs title out"
help_message="Usage: $0 [options] [-- options of mtl.sh]

$(sed -n '2,/^set/s/^# //p' "${BASH_SOURCE[0]}")"

# shellcheck source=egs/TEMPLATE/mtl1/path.sh
. ./path.sh
# shellcheck source=utils/log.sh
. "${MAIN_ROOT}/utils/log.sh"
# shellcheck source=utils/parse_options.sh
. "${MAIN_ROOT}/utils/parse_options.sh"
# shellcheck source=utils/rows.sh
. "${MAIN_ROOT}/utils/rows.sh"

[ -n "${rows}" ] || rows=$(table_rows "type verbal sex intensity" EW=equal UW=uw RUW=ruw RRUW=rruw DWA=dwa DRUW=druw softmax=softmax RUWL=ruwl)

./mtl.sh "$@" --stage 1 --stop_stage 1
# As many resamplings as the networks get: only differences on the same resampled sets have intervals.
reference_opts=()
word_before=
for argument in "$@"; do
    [ "${word_before}" != --bootstrap ] || reference_opts=(--bootstrap "${argument}")
    [[ ${argument} != --bootstrap=* ]] || reference_opts=("${argument}")
    word_before=${argument}
done
local/reference.sh ${reference_opts[@]+"${reference_opts[@]}"}
./grid.sh --rows "${rows}" --seeds "${seeds}" --jobs "${jobs}" --table_set "dev test" --title "${title}" --out "${out}" \
    --more_rows "eGeMAPS-SVM=exp/ref_egemaps duration-SVM=exp/ref_duration" --table_opts "$(table_against "${rows}" EW)" -- "$@"
