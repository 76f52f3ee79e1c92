#!/usr/bin/env bash
# The challenge ExVo-MultiTask: one experiment, all stages; local/table1.sh runs all of the paper's table 1.
# Besides the options below:
#   --exvo_root DIR   the challenge's folder, with data_info.csv and wav/ (or the variable EXVO_ROOT)
#   --team NAME       team in the name of the submission (team)
#   --number N        number of the submission (1)
set -euo pipefail
cd "$(dirname "$0")"

own_options="exvo_root team number local_data_opts"
exvo_root=${EXVO_ROOT:-}
team=team
number=1
local_data_opts=
# shellcheck source=utils/own_options.sh
. ../../../utils/own_options.sh
if [[ ${exvo_root} == *[[:space:]]* ]]; then
    echo "run.sh: error: ${exvo_root}: has white space; link the folder to a path without" >&2
    exit 1
fi

# The organisers keep the labels of Test: it is predicted and not scored.
exec ./mtl.sh --train_set train --valid_set dev --test_sets dev --blind_sets test \
    --local_data_opts "${exvo_root:+--exvo_root ${exvo_root}} ${local_data_opts}" \
    --score_opts "--team ${team} --number ${number}" ${arguments[@]+"${arguments[@]}"}
