#!/usr/bin/env bash
# Table 1 of Song et al. (2022): the organisers' baselines, single tasks, and every weighting with every seed, beside the
# paper's numbers and with differences to equal weighting and to the single tasks (exp/TABLE1.md). Writes a submission for
# each model and, averaged over seeds, for each row (exp/submissions/<row>). What has finished is not run again. Options
# behind -- go to mtl.sh.
set -euo pipefail

options="exvo_root local_data_opts rows seeds baselines own_features baseline_args jobs nj team number"
exvo_root=${EXVO_ROOT:-} # the challenge's folder
local_data_opts=     # further options for local/data.sh
rows=                # rows of networks, as in grid.sh; default: all of the paper's
seeds="1 2 3 4 5"    # seeds
baselines="compare egemaps" # the organisers' baselines; empty: none
own_features=false   # whether to extract the baselines' features also where the organisers' are there
baseline_args=       # further options for training the baselines, e.g. "--max_epoch 3"
jobs=1               # networks trained at the same time; each on a GPU of its own, where there are GPUs
nj=4                 # parallel jobs of feature extraction
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
# shellcheck source=utils/row_submissions.sh
. "${MAIN_ROOT}/utils/row_submissions.sh"
[[ ${exvo_root} != *[[:space:]]* ]] || die "${exvo_root}: has white space; link the folder to a path without"

[ -n "${rows}" ] || rows=$(table_rows "emotion country age" EW=equal UW=uw RUW=ruw RRUW=rruw DWA=dwa DRUW=druw)

# The experiments of a row, LABEL=exp/A LABEL=exp/B ...; a baseline's row is its name.
experiments=
for row in ${rows}; do
    for config in $(tr , ' ' <<< "${row#*=}"); do
        experiments+=$(of_seeds "${row%%=*}" "$(basename "${config}" .yaml)" "${seeds}")
    done
done
more_rows=
for name in ${baselines}; do
    label=ComParE
    [ "${name}" = compare ] || label=eGeMAPS
    more_rows+=$(of_seeds "${label}" "${name}" "${seeds}")
done

data_opts="${exvo_root:+--exvo_root ${exvo_root}} ${local_data_opts}"
./run.sh --exvo_root "${exvo_root}" --local_data_opts "${local_data_opts}" --nj "${nj}" "$@" --stage 1 --stop_stage 1
feats_root=
[ -z "${exvo_root}" ] || [ "${own_features}" = true ] || feats_root=${exvo_root}/feats
[ -z "${baselines}" ] || local/baselines.sh --sets "${baselines}" --seeds "${seeds}" --feats_root "${feats_root}" \
    --nj "${nj}" --baseline_args "${baseline_args}" -- --exvo_root "${exvo_root}" --team "${team}" --number "${number}" "$@"

./grid.sh --rows "${rows}" --seeds "${seeds}" --more_rows "${more_rows}" --jobs "${jobs}" --title "ExVo-MultiTask" \
    --out exp/TABLE1.md --table_opts "--paper conf/paper.yaml $(table_against "${rows}" EW ST)" -- \
    --nj "${nj}" --test_sets dev --blind_sets test --local_data_opts "${data_opts}" \
    --score_opts "--team ${team} --number ${number}" "$@"

row_submissions "${experiments}${more_rows}" --team "${team}" --number "${number}"
log "submissions of each row, averaged over seeds, are in exp/submissions; finished after $(elapsed)"
