#!/usr/bin/env bash
# Searches where the tasks leave the encoder: trains every combination of exits with every seed, scores it on the
# validation set, and writes a table, best first (exp/EXITS.md). The validation set selects, so its number for the best
# row is optimistic; nothing is predicted or scored on the test set. A cell that has finished is not run again. Recipes
# link this in their local. Options behind -- go to mtl.sh.
set -euo pipefail

mtl_config=conf/train.yaml # training configuration that the exits are put into
exits=               # "1 3 5": these for every task; or by task: "TASK=1,2 TASK=3,learnt", the others as configured
seeds="1"            # seeds
jobs=1               # cells that run at the same time; each on a GPU of its own, where there are GPUs
tasks=conf/tasks.yaml # the tasks
valid_set=dev        # the set that selects
out=exp/EXITS.md     # the table
options="mtl_config exits seeds jobs tasks valid_set out"
help_message="Usage: $0 --exits EXITS [options] [-- options of mtl.sh]

$(sed -n '2,/^set/s/^# //p' "${BASH_SOURCE[0]}")"

. ./path.sh
. "${MAIN_ROOT}/utils/log.sh"
. "${MAIN_ROOT}/utils/parse_options.sh"
. "${MAIN_ROOT}/utils/selection.sh"
require_arg exits
require_file "${mtl_config}" "${tasks}"

rows=$(python3 -m espnet2_ext.bin.exit_grid --config "${mtl_config}" --tasks "${tasks}" --exits "${exits}" \
    --out exp/exits | tr '\n' ' ')
select_row "Exits of the tasks" exp/exits "${rows}" "$@"
