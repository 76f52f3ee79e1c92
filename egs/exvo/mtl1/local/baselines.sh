#!/usr/bin/env bash
# The organisers' baselines: their perceptron on openSMILE functionals of whole recordings, all tasks at once. Features are
# theirs where the corpus has them (<exvo_root>/feats), else extracted here. Experiments: exp/<tag>_seed<n>.
# Options behind -- go to mtl.sh.
set -euo pipefail

options="sets seeds exvo_root own_features nj baseline_args"
sets="egemaps compare" # which: egemaps (88 functionals), compare (6373)
seeds="1"              # seeds
exvo_root=${EXVO_ROOT:-} # the challenge's folder
own_features=false     # whether to extract features also where the organisers' are there
nj=4                   # parallel jobs of feature extraction
baseline_args=         # further options for training, e.g. "--max_epoch 3"
help_message="Usage: $0 [options] [-- options of mtl.sh]

$(sed -n '2,/^set/s/^# //p' "${BASH_SOURCE[0]}")"

# shellcheck source=egs/TEMPLATE/mtl1/path.sh
. ./path.sh
# shellcheck source=utils/log.sh
. "${MAIN_ROOT}/utils/log.sh"
# shellcheck source=utils/parse_options.sh
. "${MAIN_ROOT}/utils/parse_options.sh"

for name in ${sets}; do
    case ${name} in
        egemaps) folder=eGeMAPS ;;
        compare) folder=ComParE ;;
        *) die "--sets: egemaps and compare, not '${name}'" ;;
    esac
    feature=conf/feature_${name}.yaml
    common=(--exvo_root "${exvo_root}" --nj "${nj}" "$@" --tasks conf/tasks_baseline.yaml --feature "${feature}" --feature_tag "${name}"
        --min_frames 1 --mtl_config conf/tuning/baseline.yaml --mtl_args "${baseline_args}")
    theirs=${exvo_root}/feats/${folder}
    if [ "${own_features}" = false ] && [ -n "${exvo_root}" ] && [ -d "${theirs}" ]; then
        for set in train dev test; do
            dump=dump/${name}/org/${set}
            state=(--marker ".stages/organisers_feats_${name}_${set}" --options "${theirs}"
                --inputs "data/${set}" local/organisers_feats.py "${feature}" --outputs "${dump}/feats.scp")
            if stage_done.py check "${state[@]}" 2> /dev/null; then
                log "baselines: ${dump} is up to date"
                continue
            fi
            log "baselines: ${dump} from ${theirs}"
            python3 local/organisers_feats.py --feats "${theirs}" --feature "${feature}" "data/${set}" "${dump}"
            stage_done.py write "${state[@]}"
        done
    else
        python3 -c "import opensmile" 2> /dev/null ||
            "${MAIN_ROOT}/tools/install.sh" --venv "${VIRTUAL_ENV}" --extras baseline >&2
        ./run.sh "${common[@]}" --stage 2 --stop_stage 2
    fi
    ./run.sh "${common[@]}" --stage 3 --stop_stage 5
    for seed in ${seeds}; do
        ./run.sh "${common[@]}" --seed "${seed}" --tag "${name}_seed${seed}" --stage 6 --stop_stage 8
    done
done
