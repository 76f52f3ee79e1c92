#!/usr/bin/env bash
# The nine networks of table 1 of Song et al. (2022), three single tasks and six weightings, with three seeds: the table of
# ../RESULTS.md. What has finished is not run again. Options behind -- go to mtl.sh.
set -euo pipefail

rows=                # rows, as in grid.sh; default: the single tasks and the paper's weightings
seeds="1 2 3"        # seeds
jobs=2               # cells that run at the same time, each with one thread
out=exp/RESULTS.md   # the table
options="rows seeds jobs out"
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

[ -n "${rows}" ] || rows=$(table_rows "emotion country age" EW=equal UW=uw RUW=ruw RRUW=rruw DWA=dwa DRUW=druw)

./grid.sh --rows "${rows}" --seeds "${seeds}" --jobs "${jobs}" --table_set "dev test" \
    --title "Synthetic vocal bursts: single tasks and weightings" --out "${out}" --table_opts "$(table_against "${rows}" EW)" -- "$@"
