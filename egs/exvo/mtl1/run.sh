#!/usr/bin/env bash
# The challenge ExVo-MultiTask: one experiment, all stages; local/table1.sh runs all of the paper's table 1.
# Besides the options below:
#   --exvo_root DIR   the challenge's folder, with data_info.csv and wav/ (or the variable EXVO_ROOT)
#   --team NAME       team in the name of the submission (team)
#   --number N        number of the submission (1)
set -euo pipefail
cd "$(dirname "$0")"

root=${EXVO_ROOT:-}
team=team
number=1
data_opts=
arguments=()
while [ $# -gt 0 ]; do
    case $1 in
        --help | -h)
            sed -n '2,/^set/s/^# //p' "${BASH_SOURCE[0]}"
            exec ./mtl.sh --help
            ;;
        --exvo_root | --exvo-root | --team | --number | --local_data_opts | --local-data-opts)
            [ $# -ge 2 ] || { echo "run.sh: error: $1: the option needs a value" >&2 && exit 1; }
            set -- "$1=$2" "${@:3}"
            continue
            ;;
        --exvo_root=* | --exvo-root=*) root=${1#*=} ;;
        --team=*) team=${1#*=} ;;
        --number=*) number=${1#*=} ;;
        --local_data_opts=* | --local-data-opts=*) data_opts=${1#*=} ;;
        *) arguments+=("$1") ;;
    esac
    shift
done
if [[ ${root} == *[[:space:]]* ]]; then
    echo "run.sh: error: ${root}: has white space; link the folder to a path without" >&2
    exit 1
fi

# The organisers keep the labels of Test: it is predicted and not scored.
exec ./mtl.sh --train_set train --valid_set dev --test_sets dev --blind_sets test \
    --local_data_opts "${root:+--exvo_root ${root}} ${data_opts}" --score_opts "--team ${team} --number ${number}" \
    ${arguments[@]+"${arguments[@]}"}
