#!/usr/bin/env bash
# Shows where learnt weights go, on the synthetic bursts of the recipe mini_vb: two tasks of different difficulty, with weights
# softmax(lambda) as in MM-dynamic, UW, and DWA. Writes exp/drift/DRIFT.md and exp/drift/weights.png there. Takes some
# minutes on a laptop, and nothing the second time.
set -euo pipefail

options="tasks epochs seeds nj"
tasks="type country"       # two classifications of mini_vb
epochs=12                  # epochs of each training
seeds="1"                  # seeds
nj=2                       # parallel jobs of feature extraction
help_message="Usage: $0 [options]

$(sed -n '2,/^set/s/^# //p' "${BASH_SOURCE[0]}")"

# shellcheck source=egs/TEMPLATE/mtl1/path.sh
. ./path.sh
# shellcheck source=utils/log.sh
. "${MAIN_ROOT}/utils/log.sh"
# shellcheck source=utils/parse_options.sh
. "${MAIN_ROOT}/utils/parse_options.sh"
require_arg tasks seeds

cd "${MAIN_ROOT}/egs/mini_vb/mtl1"
# Half of mini_vb's channels and of its crops: what moves the weights is to be seen, not how good the network gets.
small="--max_epoch ${epochs} --scheduler_conf T_max=${epochs} --encoder_conf channels=[4,8,16,32,64] --crop_conf frames=128"
systems=()
for weighting in softmax uw dwa; do
    systems+=("${weighting}=${weighting}")
    for seed in ${seeds}; do
        ./mtl.sh --nj "${nj}" --exp_dir exp/drift/fold1 --mtl_config "conf/tuning/train_${weighting}.yaml" --seed "${seed}" \
            --tag "${weighting}_seed${seed}" --mtl_args "--tasks ${tasks} ${small}" --bootstrap 0 --stop_stage 8
    done
done
# shellcheck disable=SC2086 # a list
python3 "${MAIN_ROOT}/egs/iemocap/mtl1/local/system_table.py" --exp_dir exp/drift --folds 1 --systems "${systems[@]}" \
    --seeds ${seeds} --title "Where learnt weights go: ${tasks// / and } of synthetic bursts" \
    --out exp/drift/DRIFT.md --figures exp/drift
log "the table is in $(pwd)/exp/drift/DRIFT.md, the figure in weights.png beside it; finished after $(elapsed)"
