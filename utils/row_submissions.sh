#!/usr/bin/env bash
# Sourced by scripts that make tables of challenges: a submission for each row.

# row_submissions "LABEL=EXPERIMENT ..." ARGUMENTS...: one for each label, of the mean of its experiments' predictions of test,
# by the recipe's local/make_submission.py with ARGUMENTS, into exp/submissions/<label>.
row_submissions() {
    local label entry predictions
    for label in $(tr ' ' '\n' <<< "$1" | sed -n 's/=.*//p' | awk '!seen[$0]++'); do
        predictions=()
        for entry in $1; do
            [ "${entry%%=*}" != "${label}" ] || predictions+=("${entry#*=}/predict_test/predictions.jsonl")
        done
        python3 local/make_submission.py --predictions "${predictions[@]}" --out_dir "exp/submissions/${label}" "${@:2}"
    done
}
