#!/usr/bin/env bash
# Table I and figure 2 of Chae et al. (2018): UM-dynamic-A, UM-dynamic-V, MM-static and MM-dynamic over seeds and folds, with the
# paper's numbers beside: exp/TABLE1_<protocol>.md, and figures beside it. What has finished is not run again. Options behind -- go
# to mtl.sh. Where the corpus has no video: --systems "UM-dynamic-A".
set -euo pipefail

options="iemocap_root protocol dialogs classes label_rule keep_unlabelled label_seed systems size seeds jobs"
iemocap_root=${IEMOCAP_ROOT:-} # the corpus' folder, with Session1 to Session5
protocol=paper             # paper (one fold), loso5 or loso10
dialogs=improvised         # improvised, or all
classes=9                  # emotion classes: 9, or 4 with exc as hap
label_rule=paper           # paper (most votes, ties at random) or release (its own label)
keep_unlabelled=false      # whether utterances without an emotion label stay, for the other tasks
label_seed=0               # seed of ties and of the random split
systems="UM-dynamic-A UM-dynamic-V MM-static MM-dynamic" # rows; NAME=CONFIGURATION adds another one
size=full                  # full (the paper's network), or small
seeds="1"                  # seeds
jobs=1                     # trainings at the same time; each on a GPU of its own, where there are GPUs
help_message="Usage: $0 [options] [-- options of mtl.sh]

$(sed -n '2,/^set/s/^# //p' "${BASH_SOURCE[0]}")"

# shellcheck source=egs/TEMPLATE/mtl1/path.sh
. ./path.sh
# shellcheck source=utils/log.sh
. "${MAIN_ROOT}/utils/log.sh"
# shellcheck source=utils/parse_options.sh
. "${MAIN_ROOT}/utils/parse_options.sh"
# shellcheck source=egs/iemocap/mtl1/local/condition.sh
. local/condition.sh
require_arg systems seeds

declare -A configs=([UM-dynamic-A]=um_dynamic_a [UM-dynamic-V]=um_dynamic_v [MM-static]=mm_static [MM-dynamic]=mm_dynamic)
case ${size} in
    full) suffix="" ;;
    small) suffix=_small ;;
    *) die "--size is full or small, not '${size}'" ;;
esac
rows=()
files=()
paper=()
for system in ${systems}; do
    if [[ ${system} == *=* ]]; then
        files+=("${system#*=}")
    elif [ -n "${configs[${system}]:-}" ]; then
        files+=("conf/tuning/train_${configs[${system}]}${suffix}.yaml")
        paper=(--paper conf/paper.yaml)
    else
        die "--systems: ${system} is none of ${!configs[*]}; give others as NAME=CONFIGURATION"
    fi
    rows+=("${system%%=*}=$(basename "${files[-1]}" .yaml)")
done
name=$(condition_name "${protocol}" "${dialogs}" "${classes}" "${label_rule}" "${keep_unlabelled}")

local/folds.sh --iemocap_root "${iemocap_root}" --protocol "${protocol}" --dialogs "${dialogs}" --classes "${classes}" \
    --label_rule "${label_rule}" --keep_unlabelled "${keep_unlabelled}" --label_seed "${label_seed}" --seeds "${seeds}" \
    --jobs "${jobs}" --mtl_config "${files[*]}" -- --feature conf/feature_wave.yaml "$@"

# shellcheck disable=SC2086 # lists
python3 local/system_table.py --exp_dir "exp/${name}" --folds "$(fold_count "${protocol}")" --systems "${rows[@]}" \
    --seeds ${seeds} "${paper[@]}" --title "IEMOCAP, ${name}: systems of Chae et al. (2018)" \
    --out "exp/TABLE1_${name}.md" --figures "exp/figures_${name}"
log "the table is in $(pwd)/exp/TABLE1_${name}.md, figures in exp/figures_${name}; finished after $(elapsed)"
