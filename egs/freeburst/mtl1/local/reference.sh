#!/usr/bin/env bash
# What a network is compared with, on the same split: RBF support vector machines on the 88 functionals of eGeMAPS v02, and
# on nothing but the duration. Each C is chosen on the development set. Writes exp/ref_egemaps and exp/ref_duration.
set -euo pipefail

options="sets bootstrap nj"
sets="dev test"      # sets that are predicted and scored
bootstrap=1000       # resamplings of the speakers for confidence intervals
nj=4                 # parallel jobs of feature extraction
help_message="Usage: $0 [options]

$(sed -n '2,/^set/s/^# //p' "${BASH_SOURCE[0]}")"

# shellcheck source=egs/TEMPLATE/mtl1/path.sh
. ./path.sh
# shellcheck source=utils/log.sh
. "${MAIN_ROOT}/utils/log.sh"
# shellcheck source=utils/parse_options.sh
. "${MAIN_ROOT}/utils/parse_options.sh"
[ $# -eq 0 ] || die "unexpected argument '$1'; --help lists the options"

python3 -c "import opensmile, sklearn" 2> /dev/null ||
    "${MAIN_ROOT}/tools/install.sh" --venv "${VIRTUAL_ENV}" --extras baseline >&2
./mtl.sh --stage 2 --stop_stage 3 --feature conf/feature_egemaps.yaml --min_frames 1 --nj "${nj}"

read -ra scored <<< "${sets}"
for name in egemaps duration; do
    exp=exp/ref_${name}
    inputs=(local/svm_reference.py conf/tasks.yaml data)
    dump=()
    if [ "${name}" = egemaps ]; then
        inputs+=(dump/opensmile)
        dump=(--dump dump/opensmile)
    fi
    state=(--marker ".stages/reference_${name}" --options "sets=${sets} bootstrap=${bootstrap}" --inputs "${inputs[@]}"
        --outputs "${scored[@]/#/${exp}/predict_}")
    if stage_done.py check "${state[@]}" 2> /dev/null; then
        log "reference: ${exp} is up to date"
        continue
    fi
    log "reference: ${exp}"
    python3 local/svm_reference.py --tasks conf/tasks.yaml --data data "${dump[@]}" --sets "${scored[@]}" --out "${exp}"
    for set in "${scored[@]}"; do
        python3 -m espnet2_ext.bin.mtl_score --predictions "${exp}/predict_${set}/predictions.jsonl" \
            --data "data/${set}" --tasks conf/tasks.yaml --bootstrap "${bootstrap}" \
            --out "${exp}/predict_${set}/score.json" > "${exp}/predict_${set}/score.log"
    done
    stage_done.py write "${state[@]}"
done
