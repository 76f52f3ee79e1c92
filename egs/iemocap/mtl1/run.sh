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
#   --video WHEN             crops of the speakers' faces: auto (if the corpus has videos), true (it must), false (auto)
#   --video_nj N             parallel jobs that crop (4)
#   --video_sides CHANGES    halves of the frame that differ from local/video_sides.txt, e.g. Ses03=right (none)
#   --skip_broken_video BOOL whether a missing or broken video leaves its utterances without one (false)
# data_dir, dump_dir, exp_dir, feats_data, tasks and allow_... follow from them.
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source=egs/iemocap/mtl1/local/condition.sh
. local/condition.sh

own_options="iemocap_root protocol fold dialogs classes label_rule keep_unlabelled label_seed local_data_opts"
own_options+=" video video_nj video_sides skip_broken_video"
iemocap_root=${IEMOCAP_ROOT:-}
protocol=paper
fold=1
dialogs=improvised
classes=9
label_rule=paper
keep_unlabelled=false
# shellcheck disable=SC2034 # these are read by their names below
label_seed=0 video=auto video_nj=4 video_sides="" skip_broken_video=false
local_data_opts=
# shellcheck source=utils/own_options.sh
. ../../../utils/own_options.sh
if [[ ${iemocap_root} == *[[:space:]]* ]]; then
    echo "run.sh: error: ${iemocap_root}: has white space; link the folder to a path without" >&2
    exit 1
fi
folder=$(condition_name "${protocol}" "${dialogs}" "${classes}" "${label_rule}" "${keep_unlabelled}")
folds=$(fold_count "${protocol}")
if [[ ! ${fold} =~ ^[1-9][0-9]*$ ]] || [ "${fold}" -gt "${folds}" ]; then
    echo "run.sh: error: --fold is 1 to ${folds} for ${protocol}, not '${fold}'" >&2
    exit 1
fi
folder+=/fold${fold}

data_opts="${iemocap_root:+--iemocap_root ${iemocap_root}}"
for name in protocol dialogs classes label_rule keep_unlabelled label_seed video video_nj video_sides skip_broken_video; do
    data_opts+="${!name:+ --${name} ${!name}}"
done
# Of nine classes two are so rare that a fold's training set may be without them.
tasks=conf/tasks.yaml empty=true overlap=false
[ "${classes}" = 9 ] || { tasks=conf/tasks_4class.yaml && empty=false; }
[ "${protocol}" != paper ] || overlap=true

exec ./mtl.sh --data_dir "data/${folder}" --dump_dir "dump/${folder}" --exp_dir "exp/${folder}" --feats_data data/all \
    --tasks "${tasks}" --allow_empty_classes "${empty}" --allow_speaker_overlap "${overlap}" \
    --local_data_opts "${data_opts} ${local_data_opts}" ${arguments[@]+"${arguments[@]}"}
