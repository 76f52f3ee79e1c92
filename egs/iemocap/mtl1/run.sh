#!/usr/bin/env bash
# Emotion and gender on IEMOCAP: one experiment on one fold, all stages; local/folds.sh runs all folds of a protocol.
# Besides the options below:
#   --iemocap_root DIR       the corpus' folder, with Session1 to Session5 (or the variable IEMOCAP_ROOT)
#   --protocol NAME          paper (6:2:2, speakers are in all sets), loso5 (sessions) or loso10 (speakers) (paper)
#   --fold N                 fold of the protocol (1)
#   --dialogs WHICH          improvised, or all (improvised)
#   --classes N              emotion classes: 9, or 4 with exc as hap (9)
#   --label_rule RULE        paper (most votes, ties at random) or release (its own label) (paper)
#   --keep_unlabelled BOOL   whether utterances without an emotion label stay, for the other tasks (false)
#   --label_seed N           seed of ties and of the random split (0)
# data_dir, dump_dir, exp_dir, feats_data, tasks and allow_... follow from them.
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source=egs/iemocap/mtl1/local/condition.sh
. local/condition.sh

declare -A own=([iemocap_root]="${IEMOCAP_ROOT:-}" [protocol]=paper [fold]=1 [dialogs]=improvised [classes]=9
    [label_rule]=paper [keep_unlabelled]=false [label_seed]=0 [local_data_opts]="")
arguments=()
while [ $# -gt 0 ]; do
    name=${1#--}
    name=${name%%=*}
    name=${name//-/_}
    if [ "$1" = --help ] || [ "$1" = -h ]; then
        sed -n '2,/^set/s/^# //p' "${BASH_SOURCE[0]}"
        exec ./mtl.sh --help
    elif [[ $1 != --* ]] || [ -z "${own[${name}]+set}" ]; then
        arguments+=("$1")
    elif [[ $1 == *=* ]]; then
        own[${name}]=${1#*=}
    else
        [ $# -ge 2 ] || { echo "run.sh: error: $1: the option needs a value" >&2 && exit 1; }
        own[${name}]=$2
        shift
    fi
    shift
done
if [[ ${own[iemocap_root]} == *[[:space:]]* ]]; then
    echo "run.sh: error: ${own[iemocap_root]}: has white space; link the folder to a path without" >&2
    exit 1
fi
folder=$(condition_name "${own[protocol]}" "${own[dialogs]}" "${own[classes]}" "${own[label_rule]}" "${own[keep_unlabelled]}")
folds=$(fold_count "${own[protocol]}")
if [[ ! ${own[fold]} =~ ^[1-9][0-9]*$ ]] || [ "${own[fold]}" -gt "${folds}" ]; then
    echo "run.sh: error: --fold is 1 to ${folds} for ${own[protocol]}, not '${own[fold]}'" >&2
    exit 1
fi
folder+=/fold${own[fold]}

data_opts="${own[iemocap_root]:+--iemocap_root ${own[iemocap_root]}}"
for name in protocol dialogs classes label_rule keep_unlabelled label_seed; do
    data_opts+=" --${name} ${own[${name}]}"
done
# Of nine classes two are so rare that a fold's training set may be without them.
tasks=conf/tasks.yaml empty=true overlap=false
[ "${own[classes]}" = 9 ] || { tasks=conf/tasks_4class.yaml && empty=false; }
[ "${own[protocol]}" != paper ] || overlap=true

exec ./mtl.sh --data_dir "data/${folder}" --dump_dir "dump/${folder}" --exp_dir "exp/${folder}" --feats_data data/all \
    --tasks "${tasks}" --allow_empty_classes "${empty}" --allow_speaker_overlap "${overlap}" \
    --local_data_opts "${data_opts} ${own[local_data_opts]}" ${arguments[@]+"${arguments[@]}"}
