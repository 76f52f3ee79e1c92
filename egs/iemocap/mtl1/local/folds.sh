#!/usr/bin/env bash
# All folds of a protocol, for one or several configurations and seeds, each a process of its own; then their table:
# mean and deviation over folds, and scores of the predictions of all folds together (exp/FOLDS_<protocol>.md). What has
# finished is not run again. Options behind -- go to mtl.sh.
set -euo pipefail

options="iemocap_root protocol dialogs classes label_rule keep_unlabelled label_seed mtl_config seeds jobs table_set"
iemocap_root=${IEMOCAP_ROOT:-} # the corpus' folder, with Session1 to Session5
protocol=loso5             # paper (one fold), loso5 or loso10
dialogs=improvised         # improvised, or all
classes=9                  # emotion classes: 9, or 4 with exc as hap
label_rule=paper           # paper (most votes, ties at random) or release (its own label)
keep_unlabelled=false      # whether utterances without an emotion label stay, for the other tasks
label_seed=0               # seed of ties and of the random split
mtl_config=conf/train.yaml # configurations, separated by blanks
seeds="1"                  # seeds
jobs=1                     # trainings at the same time; each on a GPU of its own, where there are GPUs
table_set="test"           # set that the table is of
help_message="Usage: $0 [options] [-- options of mtl.sh]

$(sed -n '2,/^set/s/^# //p' "${BASH_SOURCE[0]}")"

# shellcheck source=egs/TEMPLATE/mtl1/path.sh
. ./path.sh
# shellcheck source=utils/log.sh
. "${MAIN_ROOT}/utils/log.sh"
# shellcheck source=utils/parse_options.sh
. "${MAIN_ROOT}/utils/parse_options.sh"
# shellcheck source=utils/cells.sh
. "${MAIN_ROOT}/utils/cells.sh"
# shellcheck source=egs/TEMPLATE/mtl1/cmd.sh
. ./cmd.sh
# shellcheck source=egs/iemocap/mtl1/local/condition.sh
. local/condition.sh
require_arg mtl_config seeds
# shellcheck disable=SC2086 # a list
require_file ${mtl_config}

name=$(condition_name "${protocol}" "${dialogs}" "${classes}" "${label_rule}" "${keep_unlabelled}")
folds=$(fold_count "${protocol}")
common=(--iemocap_root "${iemocap_root}" --protocol "${protocol}" --dialogs "${dialogs}" --classes "${classes}"
    --label_rule "${label_rule}" --keep_unlabelled "${keep_unlabelled}" --label_seed "${label_seed}")

# Stage 1 makes all folds' data at once; stage 2 makes the features of all utterances in the first fold.
./run.sh "${common[@]}" "$@" --fold 1 --stage 1 --stop_stage 1
for fold in $(seq "${folds}"); do
    ./run.sh "${common[@]}" "$@" --fold "${fold}" --stage 2 --stop_stage 5
done

cells=()
tags=()
for config in ${mtl_config}; do
    for seed in ${seeds}; do
        tag=$(basename "${config}" .yaml)_seed${seed}
        tags+=("${tag}")
        for fold in $(seq "${folds}"); do
            cells+=("--fold ${fold} --mtl_config ${config} --seed ${seed} --tag ${tag} --stage 6 --stop_stage 8")
        done
    done
done
run_cells "exp/${name}/cells" "${jobs}" ./run.sh "${common[@]}" "$@"

python3 local/fold_table.py --exp_dir "exp/${name}" --folds "${folds}" --tags "${tags[@]}" --set "${table_set}" \
    --title "IEMOCAP, ${name}" --out "exp/FOLDS_${name}.md"
log "the table is in $(pwd)/exp/FOLDS_${name}.md; finished after $(elapsed)"
