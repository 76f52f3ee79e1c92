#!/usr/bin/env bash
# Tables I and II of Karas et al. (2022). exp/TABLE1.md: three architectures with four weightings and the organisers'
# baselines, every seed, by UAR, CCC and rho, beside the paper's numbers, the best of each column marked. exp/TABLE2.md: the
# best weighting of each architecture, chosen on dev, and `combined`, the average of these models of one seed; the paper's
# numbers beside are of Test. Submissions of each of its rows, averaged over seeds: exp/submissions/<row>. What has
# finished is not run again. Options behind -- go to mtl.sh.
set -euo pipefail

options="avb_root ssl_model local_data_opts archs weightings seeds mtl_args baselines feats_root baseline_args emo18_args
    jobs nj bootstrap team number"
avb_root=${AVB_ROOT:-} # the challenge's folder
ssl_model=           # the pretrained model's folder; default: downloads/wav2vec2-base, fetched if it is not there
local_data_opts=     # further options for local/data.sh
archs="vanilla chain branch" # architectures
weightings="equal dwa rruw druw" # weightings
seeds="1 2 3 4 5"    # seeds
mtl_args=            # further options for training the architectures, e.g. "--max_epoch 3"
baselines="emo18 egemaps compare" # the organisers' baselines; empty: none
feats_root=          # folder with the organisers' ComParE/<id>.csv and eGeMAPS/<id>.csv; default: they are extracted
baseline_args=       # further options for training the perceptrons on functionals
emo18_args=          # further options for training Emo-18
jobs=1               # networks trained at the same time; each on a GPU of its own, where there are GPUs
nj=4                 # parallel jobs of feature extraction
bootstrap=1000       # resamplings of the speakers for confidence intervals
team=team            # in the names of the submissions
number=1             # number of the submissions
help_message="Usage: $0 [options] [-- options of mtl.sh]

$(sed -n '2,/^set/s/^# //p' "${BASH_SOURCE[0]}")"

# shellcheck source=egs/TEMPLATE/mtl1/path.sh
. ./path.sh
# shellcheck source=utils/log.sh
. "${MAIN_ROOT}/utils/log.sh"
# shellcheck source=utils/parse_options.sh
. "${MAIN_ROOT}/utils/parse_options.sh"
# shellcheck source=utils/rows.sh
. "${MAIN_ROOT}/utils/rows.sh"
# shellcheck source=utils/run_stage.sh
. "${MAIN_ROOT}/utils/run_stage.sh"
# shellcheck source=utils/row_submissions.sh
. "${MAIN_ROOT}/utils/row_submissions.sh"
require_arg archs weightings seeds
[[ ${avb_root}${ssl_model} != *[[:space:]]* ]] || die "${avb_root} ${ssl_model}: white space; link the folder to a path without"

if [ -n "${ssl_model}" ]; then
    mtl_args="--encoder_conf model=${ssl_model}${mtl_args:+ ${mtl_args}}"
elif [ ! -d downloads/wav2vec2-base ]; then
    local/fetch_model.sh
fi
data_opts="${avb_root:+--avb_root ${avb_root} }--tasks data/tasks.yaml${local_data_opts:+ ${local_data_opts}}"
common=(--bootstrap "${bootstrap}" --nj "${nj}" "$@")
corpus=(--avb_root "${avb_root}" --local_data_opts "${local_data_opts}" --team "${team}" --number "${number}" "${common[@]}")
./run.sh "${corpus[@]}" --stage 1 --stop_stage 1

# grid ROWS ARGS [options]: train and score networks on waves, with further options ARGS.
grid() {
    ./grid.sh --rows "$1" --seeds "${seeds}" --jobs "${jobs}" "${@:3}" -- --test_sets dev --blind_sets test \
        --tasks data/tasks.yaml --local_data_opts "${data_opts}" --score_opts "--team ${team} --number ${number}" \
        --feature conf/feature_wave.yaml --min_frames 1600 --mtl_args "$2" "${common[@]}"
}

baseline_rows=
for name in ${baselines}; do
    case ${name} in
        emo18)
            grid Emo-18=conf/tuning/train_emo18.yaml "${emo18_args}" --title Emo-18 --out exp/EMO18.md
            baseline_rows+=$(of_seeds Emo-18 train_emo18 "${seeds}")
            ;;
        egemaps | compare)
            local/baselines.sh --sets "${name}" --seeds "${seeds}" --feats_root "${feats_root}" --nj "${nj}" \
                --baseline_args "${baseline_args}" -- "${corpus[@]}"
            system=eGeMAPS
            [ "${name}" = egemaps ] || system=ComParE
            baseline_rows+=$(of_seeds "${system}" "${name}" "${seeds}")
            ;;
        *) die "--baselines: emo18, egemaps and compare, not '${name}'" ;;
    esac
done

# Rows are called ARCHITECTURE:WEIGHTING, as in the paper's table by weightings.
declare -A tags=()
rows=
cells=
for weighting in ${weightings}; do
    for arch in ${archs}; do
        system=${arch^^}:${weighting^^}
        system=${system/%:EQUAL/:EW}
        tags[${system}]=train_ssl_${arch}_${weighting}
        require_file "conf/tuning/${tags[${system}]}.yaml"
        rows+=" ${system}=conf/tuning/${tags[${system}]}.yaml"
        cells+=$(of_seeds "${system}" "${tags[${system}]}" "${seeds}")
    done
done
table_opts="--more_metrics pearson --mark_best true"
against=
[ "${bootstrap}" -eq 0 ] || against=$(table_against "${rows}" VANILLA:EW)
# The paper's numbers are of all four tasks.
paper="--paper conf/paper.yaml"
paper_test="--paper conf/paper_test.yaml"
for task in type two high culture; do [ -e "data/dev/utt2${task}" ] || paper='' paper_test=''; done
grid "${rows}" "${mtl_args}" --more_rows "${baseline_rows}" --title "A-VB" \
    --table_opts "${table_opts} ${paper} ${against}" --out exp/TABLE1.md

# The best weighting of each architecture.
final_rows=${baseline_rows}
best=$(python3 -m espnet2_ext.bin.best_row --rows "${cells}" --set dev --groups true)
for system in ${best}; do
    log "best on dev of its architecture: ${system}"
    final_rows+=$(of_seeds "${system%%:*}" "${tags[${system}]}" "${seeds}")
done

combine_models() {
    python3 -m espnet2_ext.bin.mtl_average --models "${models[@]}" --sets dev test --out "${out}"
    python3 -m espnet2_ext.bin.mtl_score --predictions "${out}/predict_dev/predictions.jsonl" --data dump/raw/dev \
        --tasks "${out}/config.yaml" --bootstrap "${bootstrap}" --out "${out}/predict_dev/score.json"
}

for seed in ${seeds}; do
    models=()
    inputs=
    for system in ${best}; do
        models+=("exp/${tags[${system}]}_seed${seed}")
        for set in dev test; do inputs+=" ${models[-1]}/predict_${set}/predictions.jsonl"; done
    done
    out=exp/combined_seed${seed}
    run_stage 8 "${models[*]} bootstrap=${bootstrap}" "${inputs}" \
        "${out}/predict_dev/score.json ${out}/predict_test/predictions.jsonl" combine_models
done
final_rows+=$(of_seeds combined combined "${seeds}")
# shellcheck disable=SC2086 # options
python3 -m espnet2_ext.bin.mtl_table --rows "${final_rows}" --set dev ${table_opts} ${paper_test} \
    --title "A-VB: the best weighting of each architecture, chosen on dev, and their ensemble" --out exp/TABLE2.md

row_submissions "${final_rows}" --team "${team}" --number "${number}"
log "tables: exp/TABLE1.md and exp/TABLE2.md; submissions: exp/submissions; finished after $(elapsed)"
