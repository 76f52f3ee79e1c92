#!/usr/bin/env bash
# Trains, predicts and scores every configuration with every seed, and prints them as one table.
# A cell that has finished is not run again. Options behind -- go to mtl.sh.
set -euo pipefail

rows=                # rows of the table: "LABEL=CONFIG[,CONFIG...] ..."; several configurations: single tasks of one row
seeds="1"            # seeds
more_rows=           # rows of experiments that are there and scored: "LABEL=EXPERIMENT ..."
jobs=1               # cells that run at the same time; each on a GPU of its own, where there are GPUs
table_set=dev        # sets that the tables are of, e.g. "dev test"
title=Results        # heading of the table
table_opts=          # further options for the table, e.g. "--paper conf/paper.yaml --against EW"
out=exp/RESULTS.md   # the table
options="rows seeds more_rows jobs table_set title table_opts out"
help_message="Usage: $0 [options] [-- options of mtl.sh]

$(sed -n '2,/^set/s/^# //p' "${BASH_SOURCE[0]}")"

. ./path.sh
. "${MAIN_ROOT}/utils/log.sh"
. "${MAIN_ROOT}/utils/parse_options.sh"
. "${MAIN_ROOT}/utils/cells.sh"
. ./cmd.sh
require_arg rows seeds

./mtl.sh "$@" --stage 1 --stop_stage 5

# One line a cell: configuration and seed.
cells=()
table_rows=()
for row in ${rows}; do
    IFS=, read -ra configs <<< "${row#*=}"
    for config in "${configs[@]}"; do
        for seed in ${seeds}; do
            tag=$(basename "${config}" .yaml)_seed${seed}
            cells+=("--mtl_config ${config} --seed ${seed} --tag ${tag} --stage 6 --stop_stage 8")
            table_rows+=("${row%%=*}=exp/${tag}")
        done
    done
done
run_cells exp/grid "${jobs}" ./mtl.sh "$@"

# shellcheck disable=SC2086 # lists and options
python3 -m espnet2_ext.bin.mtl_table --rows "${table_rows[*]} ${more_rows}" --set ${table_set} --title "${title}" ${table_opts} \
    --out "${out}"
log "the table is in $(pwd)/${out}; finished after $(elapsed)"
