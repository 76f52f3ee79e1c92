#!/usr/bin/env bash
# Sourced by scripts that search configurations; in the recipe's folder, with log.sh and the variables seeds, jobs, tasks,
# valid_set and out.

# select_row WHAT FOLDER "LABEL=CONFIG ..." OPTIONS...: run the rows as a grid, with OPTIONS for mtl.sh, and sort them by the
# score on valid_set. What selects is the last word: no option brings the test set in.
select_row() {
    # shellcheck disable=SC2154 # the caller's
    ./grid.sh --rows "$3" --seeds "${seeds}" --jobs "${jobs}" --table_set "${valid_set}" \
        --title "$1, selected on ${valid_set}" --table_opts "--select true" --out "${out}" -- \
        "${@:4}" --tasks "${tasks}" --valid_set "${valid_set}" --test_sets "${valid_set}" --blind_sets ""
    log "the configurations are in $2; the best is on top of ${out}, selected on ${valid_set}: test it once"
}
