#!/usr/bin/env bash
# The challenge A-VB (types, valence and arousal, emotions, emotions by culture): one experiment, all stages.
# Besides the options below:
#   --avb_root DIR   the challenge's folder, with audio/wav/ and labels/ (or the variable AVB_ROOT)
#   --team NAME      team in the names of the submissions (team)
#   --number N       number of the submissions (1)
# Of the tasks (--tasks, conf/tasks.yaml) those are trained that have a label file; data/tasks.yaml holds them.
set -euo pipefail
cd "$(dirname "$0")"

own_options="avb_root team number local_data_opts tasks"
avb_root=${AVB_ROOT:-}
team=team
number=1
local_data_opts=
tasks=
# shellcheck source=utils/own_options.sh
. ../../../utils/own_options.sh
if [[ ${avb_root} == *[[:space:]]* ]]; then
    echo "run.sh: error: ${avb_root}: has white space; link the folder to a path without" >&2
    exit 1
fi
if [ -n "${avb_root}" ]; then
    (
        # shellcheck source=egs/TEMPLATE/mtl1/path.sh
        . ./path.sh
        python3 local/present_tasks.py --root "${avb_root}" --tasks "${tasks:-conf/tasks.yaml}" --out data/tasks.yaml
    )
    tasks=data/tasks.yaml
elif [ -z "${tasks}" ] && [ ! -e data/tasks.yaml ]; then
    echo "run.sh: error: where is the corpus? give --avb_root DIR, the folder with audio/wav/ and labels/, or set AVB_ROOT" >&2
    exit 1
fi

# The organisers keep the labels of Test: it is predicted and not scored.
exec ./mtl.sh --train_set train --valid_set dev --test_sets dev --blind_sets test --tasks "${tasks:-data/tasks.yaml}" \
    --local_data_opts "${avb_root:+--avb_root ${avb_root} }--tasks ${tasks:-data/tasks.yaml}${local_data_opts:+ ${local_data_opts}}" \
    --score_opts "--team ${team} --number ${number}" ${arguments[@]+"${arguments[@]}"}
