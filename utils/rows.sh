#!/usr/bin/env bash
# Sourced by scripts that make tables: rows as grid.sh takes them, "LABEL=CONFIG[,CONFIG...] ...", of the configurations in
# conf/tuning.

# table_rows TASKS [LABEL=NAME...]: the row ST of single tasks, "task task ...", train_single_<task>.yaml each, and a row of
# train_<name>.yaml for each pair.
table_rows() {
    local task row rows=
    for task in $1; do
        rows+=,conf/tuning/train_single_${task}.yaml
    done
    rows=ST=${rows#,}
    for row in "${@:2}"; do
        rows+=" ${row%%=*}=conf/tuning/train_${row#*=}.yaml"
    done
    echo "${rows}"
}

# table_against ROWS LABEL...: the table's option for differences to those of the rows that are there, or nothing.
table_against() {
    local label there=
    for label in "${@:2}"; do
        [[ " $1" != *" ${label}="* ]] || there+=" ${label}"
    done
    echo "${there:+--against${there}}"
}

# of_seeds LABEL TAG "SEEDS": the experiments of a row, " LABEL=exp/TAG_seed<n>" for each seed.
of_seeds() {
    local seed
    for seed in $3; do printf ' %s=exp/%s_seed%s' "$1" "$2" "${seed}"; done
}
