#!/usr/bin/env bash
# Searches the order of the tasks in a chain of classifiers: trains every order with every seed, scores it on the validation
# set, and writes a table, best first (exp/ORDERS.md). The validation set selects, so its number for the best row is
# optimistic; nothing is predicted or scored on the test set. A cell that has finished is not run again. Recipes link this
# in their local. Options behind -- go to mtl.sh.
set -euo pipefail

mtl_config=conf/train.yaml # training configuration that the orders are put into; its heads become a chain
orders=              # "TASK,TASK,... TASK,TASK,...": these; all orders of the tasks if empty
seeds="1"            # seeds
jobs=1               # cells that run at the same time; each on a GPU of its own, where there are GPUs
tasks=conf/tasks.yaml # the tasks
valid_set=dev        # the set that selects
out=exp/ORDERS.md    # the table
options="mtl_config orders seeds jobs tasks valid_set out"
help_message="Usage: $0 [options] [-- options of mtl.sh]

$(sed -n '2,/^set/s/^# //p' "${BASH_SOURCE[0]}")"

. ./path.sh
. "${MAIN_ROOT}/utils/log.sh"
. "${MAIN_ROOT}/utils/parse_options.sh"
. "${MAIN_ROOT}/utils/selection.sh"
require_file "${mtl_config}" "${tasks}"

rows=$(python3 -m espnet2_ext.bin.order_grid --config "${mtl_config}" --tasks "${tasks}" --orders "${orders}" \
    --out exp/orders | tr '\n' ' ')
select_row "Orders of the chain" exp/orders "${rows}" "$@"
