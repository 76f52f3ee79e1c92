#!/usr/bin/env bash
# The challenge A-VB (types, valence and arousal, emotions, emotions by culture): one experiment, all stages;
# local/table1.sh runs the paper's tables. Besides the options below:
#   --avb_root DIR    the challenge's folder, with audio/wav/ and labels/ (or the variable AVB_ROOT)
#   --ssl_model DIR   the pretrained model's folder, for configurations with it (downloads/wav2vec2-base)
#   --team NAME       team in the names of the submissions (team)
#   --number N        number of the submissions (1)
# Of the tasks (--tasks, conf/tasks.yaml) those are trained that have a label file; a file of that name in data holds them.
set -euo pipefail
cd "$(dirname "$0")"

own_options="avb_root ssl_model team number local_data_opts tasks mtl_args"
avb_root=${AVB_ROOT:-}
ssl_model=
team=team
number=1
local_data_opts=
tasks=
mtl_args=
# shellcheck source=utils/own_options.sh
. ../../../utils/own_options.sh
for folder in "${avb_root}" "${ssl_model}"; do
    if [[ ${folder} == *[[:space:]]* ]]; then
        echo "run.sh: error: ${folder}: has white space; link the folder to a path without" >&2
        exit 1
    fi
done
if [ -n "${ssl_model}" ] && [ ! -d "${ssl_model}" ]; then
    echo "run.sh: error: ${ssl_model}: no such folder; local/fetch_model.sh makes one of a model of the hub" >&2
    exit 1
fi
if [ -n "${avb_root}" ]; then
    all=${tasks:-conf/tasks.yaml}
    tasks=data/$(basename "${all}")
    (
        # shellcheck source=egs/TEMPLATE/mtl1/path.sh
        . ./path.sh
        python3 local/present_tasks.py --root "${avb_root}" --tasks "${all}" --out "${tasks}"
    )
elif [ -z "${tasks}" ] && [ ! -e data/tasks.yaml ]; then
    echo "run.sh: error: where is the corpus? give --avb_root DIR, the folder with audio/wav/ and labels/, or set AVB_ROOT" >&2
    exit 1
fi

if [ -n "${ssl_model}" ]; then
    mtl_args="--encoder_conf model=${ssl_model}${mtl_args:+ ${mtl_args}}"
fi

# The organisers keep the labels of Test: it is predicted and not scored.
exec ./mtl.sh --train_set train --valid_set dev --test_sets dev --blind_sets test --tasks "${tasks:-data/tasks.yaml}" \
    --local_data_opts "${avb_root:+--avb_root ${avb_root} }--tasks ${tasks:-data/tasks.yaml}${local_data_opts:+ ${local_data_opts}}" \
    --mtl_args "${mtl_args}" --score_opts "--team ${team} --number ${number}" ${arguments[@]+"${arguments[@]}"}
