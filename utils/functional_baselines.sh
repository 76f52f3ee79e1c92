#!/usr/bin/env bash
# Baselines of challenges: a perceptron on openSMILE functionals of whole recordings, all tasks at once. Recipes link it as
# local/baselines.sh and have conf/tuning/baseline.yaml, conf/tasks_baseline.yaml and conf/feature_{egemaps,compare}.yaml.
# Features that came with the corpus are taken where there are, else they are extracted. Experiments: exp/<set>_seed<n>.
# The data directories are there (stage 1). Options behind -- go to run.sh.
set -euo pipefail

options="sets seeds feats_root nj baseline_args"
sets="egemaps compare" # which: egemaps (88 functionals), compare (6373)
seeds="1"              # seeds
feats_root=            # folder with ComParE/<id>.csv and eGeMAPS/<id>.csv, where they came with the corpus
nj=4                   # parallel jobs of feature extraction
baseline_args=         # further options for training, e.g. "--max_epoch 3"
help_message="Usage: $0 [options] [-- options of run.sh]

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
    common=(--nj "${nj}" "$@" --tasks conf/tasks_baseline.yaml --feature "${feature}" --feature_tag "${name}"
        --min_frames 1 --mtl_config conf/tuning/baseline.yaml --mtl_args "${baseline_args}")
    theirs=${feats_root}/${folder}
    if [ -n "${feats_root}" ] && [ -d "${theirs}" ]; then
        for set in train dev test; do
            dump=dump/${name}/org/${set}
            state=(--marker ".stages/functionals_from_csv_${name}_${set}" --options "${theirs}"
                --inputs "data/${set}" "${MAIN_ROOT}/utils/functionals_from_csv.py" "${feature}" --outputs "${dump}/feats.scp")
            if stage_done.py check "${state[@]}" 2> /dev/null; then
                log "baselines: ${dump} is up to date"
                continue
            fi
            log "baselines: ${dump} from ${theirs}"
            functionals_from_csv.py --feats "${theirs}" --feature "${feature}" "data/${set}" "${dump}"
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
