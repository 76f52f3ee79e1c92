#!/usr/bin/env bash
# The stages of every recipe; a recipe's run.sh sets its variables and calls this from its own directory.
#
# stage  | what                               | writes
# 1      | data preparation, validation       | data/<set>
# 2      | features into arks                 | dump/<feature>/org/<set>
# 3      | filter by length, statistics       | dump/<feature>/<set>
# 4      | tasks.yaml against the data        | exp/stats_<feature>/task_stats.yaml
# 5      | mean and variance of the features  | exp/stats_<feature>/feats_stats.npz
# 6      | training                           | exp/<tag>
# 7      | inference                          | exp/<tag>/predict_<set>/predictions.jsonl
# 8      | scoring                            | exp/<tag>/predict_<set>/score.json
# 9      | report                             | exp/<tag>/report
# 10     | packing                            | exp/<tag>/<tag>.zip
#
# A stage whose options and inputs have not changed since it finished does nothing.
set -euo pipefail

# General
stage=1              # first stage
stop_stage=10        # last stage
nj=4                 # parallel jobs of feature extraction
ngpu=0               # GPUs on each node
nproc=1              # processes for training on CPUs (gloo); the batch stays the global batch
num_nodes=1          # nodes; start the same command on each, with rdzv_endpoint
rdzv_endpoint=       # host:port of one of the nodes
train_threads=0      # threads of each training process; 0: the cores divided by nproc
# Data
train_set=train      # training set
valid_set=dev        # selects models
test_sets="dev test" # sets that are predicted and scored
blind_sets=          # sets without labels: predicted, not scored
local_data_opts=     # options for local/data.sh
allow_speaker_overlap=false # whether a speaker may be in two sets
allow_empty_classes=false   # whether a class may have no label in the training set, as a rare one in a fold
data_dir=data        # folder of the sets' data directories
dump_dir=dump        # folder of the features
exp_dir=exp          # folder of statistics and experiments
feats_data=          # data directory with the utterances of all sets: features are made of it, once for all folds
streams=             # further feature streams that stage 1 makes, data/<set>/<stream>.scp, such as video
tasks=conf/tasks.yaml       # the tasks
# Features
feature=conf/feature.yaml   # type and options of the features
feature_tag=                # name of the features; default: the name in the file
skip_broken=false    # whether wavs that cannot be read are left out
min_frames=10        # shortest utterance, in frames
max_frames=0         # longest utterance, in frames; 0: any
# Training
mtl_config=conf/train.yaml  # training configuration
mtl_args=            # further options for training, e.g. "--max_epoch 3"
seed=1               # seed of weights, order and crops
tag=                 # name of the experiment; default: from configuration, arguments and seed
# Use
inference_model=valid.score.ave.pth # which model is used
bootstrap=1000       # resamplings of the speakers for confidence intervals
score_opts=          # options for local/score.sh, in recipes that have one
pack_opts=           # options for packing, e.g. "--onnx true"

options="stage stop_stage nj ngpu nproc num_nodes rdzv_endpoint train_threads train_set valid_set test_sets blind_sets
    local_data_opts allow_speaker_overlap allow_empty_classes data_dir dump_dir exp_dir feats_data streams tasks feature
    feature_tag skip_broken min_frames max_frames mtl_config mtl_args seed tag inference_model bootstrap score_opts pack_opts"
help_message="Usage: $0 [options]

$(sed -n '4,/^set /s/^# \{0,1\}//p' "${BASH_SOURCE[0]}")"

. ./path.sh
. "${MAIN_ROOT}/utils/log.sh"
. "${MAIN_ROOT}/utils/parse_options.sh"
. "${MAIN_ROOT}/utils/run_stage.sh"
. "${MAIN_ROOT}/utils/launch.sh"
. "${MAIN_ROOT}/utils/corpus_files.sh"
. ./cmd.sh
[ $# -eq 0 ] || die "unknown argument '$1'; see --help"

# nproc goes by OMP_NUM_THREADS, which path.sh sets for parallel jobs.
cores=$(env -u OMP_NUM_THREADS nproc)
read -ra scored_sets <<< "${test_sets}"
read -ra predicted_sets <<< "${test_sets} ${blind_sets}"
mapfile -t all_sets < <(printf '%s\n' "${train_set}" "${valid_set}" "${predicted_sets[@]}" | awk '!seen[$0]++')
[ -f "${tasks}" ] || die "${tasks}: no such file; of a table, local/data.sh --guess true drafts it (docs/add_a_corpus.md)"
require_file "${tasks}" "${feature}"
if [ -z "${feature_tag}" ]; then
    feature_tag=$(sed -n 's/^name: *//p' "${feature}")
    [ -n "${feature_tag}" ] || die "${feature}: has no line 'name: <feature>'"
fi
if [ -z "${tag}" ]; then
    tag=$(basename "${mtl_config}" .yaml)${mtl_args:+_$(tr -cs 'A-Za-z0-9.\n' '_' <<< "${mtl_args#--}")}_seed${seed}
fi
dump=${dump_dir}/${feature_tag}
stats=${exp_dir}/stats_${feature_tag}
exp=${exp_dir}/${tag}
# Of feats_data: one place, whatever the folders of the sets are.
shared_feats=${feats_data:+dump/${feature_tag}/org/$(basename "${feats_data}")}

prepare_data() {
    local set
    # shellcheck disable=SC2086 # options
    local/data.sh ${local_data_opts}
    for set in "${all_sets[@]}"; do
        validate_data_dir.sh --no-feats --streams "${streams}" --tasks "${tasks}" "${data_dir}/${set}"
    done
    [ -z "${feats_data}" ] || validate_data_dir.sh --no-feats "${feats_data}"
}

# extract DATA_DIR LOG_DIR DUMP_DIR
extract() {
    make_ark_feats.sh --nj "${nj}" --cmd "${feats_cmd}" --feature "${feature}" --skip_broken "${skip_broken}" \
        "$1" "$2" "$3"
}

make_features() {
    extract "${data_dir}/${set}" "${exp_dir}/make_${feature_tag}/${set}" "${dump}/org/${set}"
}

make_shared_features() {
    extract "${feats_data}" "exp/make_${feature_tag}/$(basename "${feats_data}")" "${shared_feats}"
}

take_features() {
    python3 -m espnet2_ext.bin.take_feats "${data_dir}/${set}" "${shared_feats}" "${dump}/org/${set}"
}

filter_utterances() {
    python3 -m espnet2_ext.bin.filter_dump --min-frames "${min_frames}" --max-frames "${max_frames}" \
        "${dump}/org/${set}" "${dump}/${set}"
}

check_tasks() {
    local set others=()
    for set in "${all_sets[@]}"; do
        [ "${set}" = "${train_set}" ] || others+=("${dump}/${set}")
    done
    mkdir -p "${stats}"
    python3 -m espnet2_ext.bin.check_tasks --tasks "${tasks}" --train "${dump}/${train_set}" \
        --others "${others[@]}" --allow-speaker-overlap "${allow_speaker_overlap}" \
        --allow-empty-classes "${allow_empty_classes}" --out "${stats}/task_stats.yaml"
}

collect_stats() {
    python3 -m espnet2_ext.bin.collect_stats --scp "${dump}/${train_set}/feats.scp" --out "${stats}/feats_stats.npz"
}

# begin_experiment INPUTS: put the configuration in place; an experiment that was begun with another one, or on other data, is
# kept under another name.
begin_experiment() {
    local backup from begun
    read -ra from <<< "$1"
    begun=(--marker "${exp}/.begun" --options "seed=${seed} ${mtl_args}" --inputs "${from[@]}")
    if [ -e "${exp}/.begun" ] && ! stage_done.py check "${begun[@]}" 2> /dev/null; then
        backup=${exp}.$(date -r "${exp}/.begun" +%Y%m%d-%H%M%S)
        log "stage 6: configuration or data have changed; the earlier experiment is kept as ${backup}"
        mv "${exp}" "${backup}"
        mkdir -p "${exp}"
        mv "${backup}/train.yaml.new" "${exp}/train.yaml.new"
    fi
    [ -e "${exp}/.begun" ] || stage_done.py write "${begun[@]}"
    cmp -s "${exp}/train.yaml.new" "${exp}/train.yaml" || cp "${exp}/train.yaml.new" "${exp}/train.yaml"
}

train() {
    local launch threads=${train_threads} gpus=0 train_log=${exp}/train.log
    launch=$(launcher "${ngpu}" "${nproc}" "${num_nodes}" "${tag}" "${rdzv_endpoint}")
    # Each node writes a log of its own.
    [ "${num_nodes}" -eq 1 ] || train_log=${exp}/train.$(uname -n).$$.log
    [ "${threads}" -gt 0 ] || threads=$(max 1 $((cores / nproc)))
    [ "${ngpu}" -eq 0 ] || gpus=1
    log "training log: ${train_log}"
    follow_log "${train_log}"
    # shellcheck disable=SC2086 # a command and options
    OMP_NUM_THREADS=${threads} ${cuda_cmd} --gpu "${ngpu}" --num-threads $((threads * nproc)) "${train_log}" \
        ${launch} -m espnet2_ext.bin.mtl_train --config "${exp}/train.yaml" --task_config "${tasks}" \
        --train_dir "${dump}/${train_set}" --valid_dir "${dump}/${valid_set}" \
        --task_stats "${stats}/task_stats.yaml" --feature_stats "${stats}/feats_stats.npz" \
        --output_dir "${exp}" --seed "${seed}" --ngpu "${gpus}" ${mtl_args}
    # The log's last lines are still on their way.
    sleep 0.3
    stop_following
    cp "${dump}/${train_set}/feature.yaml" "${exp}/feature.yaml"
}

predict() {
    local gpu=0 device=cpu
    [ "${ngpu}" -eq 0 ] || { gpu=1 && device=cuda; }
    OMP_NUM_THREADS=${cores} ${decode_cmd} --gpu "${gpu}" "${exp}/predict_${set}/predict.log" \
        python3 -m espnet2_ext.bin.mtl_predict --model "${exp}" --weights "${inference_model}" --device "${device}" \
        --dump "${dump}/${set}" --out "${exp}/predict_${set}/predictions.jsonl"
}

score() {
    python3 -m espnet2_ext.bin.mtl_score --predictions "${exp}/predict_${set}/predictions.jsonl" \
        --data "${dump}/${set}" --tasks "${exp}/config.yaml" --bootstrap "${bootstrap}" \
        --out "${exp}/predict_${set}/score.json"
}

score_further() {
    # shellcheck disable=SC2086 # options
    local/score.sh ${score_opts} --exp "${exp}" --set "${set}"
}

report() {
    local wavs
    mapfile -t wavs < <(printf "${data_dir}/%s/wav.scp\n" "${scored_sets[@]}")
    python3 -m espnet2_ext.bin.mtl_report --exp "${exp}" --sets "${test_sets}" --dump "${dump}" \
        --audio-wav-scp "${wavs[@]}" --out "${exp}/report"
}

pack() {
    # shellcheck disable=SC2086 # options
    python3 -m espnet2_ext.bin.mtl_pack pack --model "${exp}" --weights "${inference_model}" ${pack_opts} \
        --out "${exp}/${tag}.zip"
}

if stage_enabled 1; then
    # What local/data.sh notes, such as tables of labels and folders of audio.
    if corpus_files_changed "${data_dir}/corpus_files"; then
        log "stage 1: files of the corpus have changed; ${data_dir}/corpus_files has those that were read"
        rm -f "$(stage_marker prepare_data "${data_dir}/${all_sets[0]}/wav.scp")"
    fi
    run_stage 1 "opts=${local_data_opts}${streams:+ streams=${streams}}" "local ${tasks}" \
        "$(printf "${data_dir}/%s/wav.scp " "${all_sets[@]}") ${feats_data:+${feats_data}/wav.scp}" prepare_data
fi

if stage_enabled 2; then
    if [ -n "${feats_data}" ]; then
        run_stage 2 "skip_broken=${skip_broken}" "${feats_data} ${feature}" "${shared_feats}/feats.scp" \
            make_shared_features
    fi
    for set in "${all_sets[@]}"; do
        if [ -n "${feats_data}" ]; then
            run_stage 2 "" "${data_dir}/${set} ${shared_feats}" "${dump}/org/${set}/feats.scp" take_features
        else
            run_stage 2 "skip_broken=${skip_broken}" "${data_dir}/${set} ${feature}" "${dump}/org/${set}/feats.scp" \
                make_features
        fi
    done
fi

if stage_enabled 3; then
    for set in "${all_sets[@]}"; do
        run_stage 3 "min=${min_frames} max=${max_frames}" "${dump}/org/${set}" "${dump}/${set}/feats.scp" \
            filter_utterances
    done
fi

if stage_enabled 4; then
    run_stage 4 "overlap=${allow_speaker_overlap} empty=${allow_empty_classes}" \
        "${tasks} $(printf "${dump}/%s " "${all_sets[@]}")" "${stats}/task_stats.yaml" check_tasks
fi

if stage_enabled 5; then
    run_stage 5 "" "${dump}/org/${train_set} ${dump}/${train_set}/feats.scp ${shared_feats}" \
        "${stats}/feats_stats.npz" collect_stats
fi

if stage_enabled 6; then
    require_file "${mtl_config}" "${stats}/task_stats.yaml" "${stats}/feats_stats.npz"
    mkdir -p "${exp}"
    python3 -m espnet2_ext.bin.resolve_config "${mtl_config}" > "${exp}/train.yaml.$$"
    replace_if_new "${exp}/train.yaml.$$" "${exp}/train.yaml.new"
    inputs="${exp}/train.yaml.new ${tasks} ${stats}"
    # Tables alone do not tell: new arks under the same names have the same feats.scp.
    inputs+=$(printf " ${dump}/%s ${dump}/org/%s" "${train_set}" "${train_set}" "${valid_set}" "${valid_set}")
    inputs+=" ${shared_feats}"
    begin_experiment "${inputs}"
    run_stage 6 "seed=${seed} ${mtl_args}" "${inputs}" "${exp}/valid.score.ave.pth" train
fi

if stage_enabled 7; then
    for set in "${predicted_sets[@]}"; do
        run_stage 7 "model=${inference_model}" \
            "${exp}/${inference_model} ${exp}/config.yaml ${dump}/${set} ${dump}/org/${set} ${shared_feats}" \
            "${exp}/predict_${set}/predictions.jsonl" predict
    done
fi

if stage_enabled 8; then
    for set in "${scored_sets[@]}"; do
        scores=${exp}/predict_${set}/score.json
        [ "${bootstrap}" = 0 ] || scores+=" ${exp}/predict_${set}/bootstrap.npz"
        run_stage 8 "bootstrap=${bootstrap}" "${exp}/predict_${set}/predictions.jsonl ${exp}/config.yaml ${dump}/${set}" \
            "${scores}" score
    done
    # What a recipe writes at scoring besides, such as a submission.
    if [ -x local/score.sh ]; then
        for set in "${predicted_sets[@]}"; do
            run_stage 8 "opts=${score_opts}" \
                "${exp}/predict_${set}/predictions.jsonl ${exp}/config.yaml ${data_dir}/${set} local" "${exp}/predict_${set}" score_further
        done
    fi
fi

if stage_enabled 9; then
    run_stage 9 "sets=${test_sets}" "${exp}/history.json $(printf "${exp}/predict_%s " "${scored_sets[@]}")" \
        "${exp}/report/report.html ${exp}/report/RESULTS.md" report
fi

if stage_enabled 10; then
    inputs="${exp}/${inference_model} ${exp}/config.yaml ${exp}/feature.yaml"
    # The model card holds what has been scored.
    inputs+=$(find "${exp}" -path "*/predict_*/score.json" | sort | while read -r file; do printf ' %s' "${file}"; done)
    run_stage 10 "model=${inference_model} ${pack_opts}" "${inputs}" "${exp}/${tag}.zip" pack
fi
log "finished after $(elapsed)"
