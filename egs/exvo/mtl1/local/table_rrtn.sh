#!/usr/bin/env bash
# Table 2 of Jing et al. (2022): emotion by three encoders, each alone, with twins, and with twins and RUWL, with every
# seed, beside the paper's numbers (exp/TABLE_RRTN.md). Gains: of twins and of RUWL over the encoder alone (the paper's
# local gain), of RUWL over twins, and of every system over ResNet18 (its global gain). What has finished is not run
# again. Options behind -- go to mtl.sh.
set -euo pipefail

options="exvo_root local_data_opts encoders seeds jobs nj"
exvo_root=${EXVO_ROOT:-} # the challenge's folder
local_data_opts=     # further options for local/data.sh
encoders="resnet18 cnn10 cnn14" # encoders; global gains need resnet18
seeds="1 2 3 4 5"    # seeds
jobs=1               # networks trained at the same time; each on a GPU of its own, where there are GPUs
nj=4                 # parallel jobs of feature extraction
help_message="Usage: $0 [options] [-- options of mtl.sh]

$(sed -n '2,/^set/s/^# //p' "${BASH_SOURCE[0]}")"

# shellcheck source=egs/TEMPLATE/mtl1/path.sh
. ./path.sh
# shellcheck source=utils/log.sh
. "${MAIN_ROOT}/utils/log.sh"
# shellcheck source=utils/parse_options.sh
. "${MAIN_ROOT}/utils/parse_options.sh"
require_arg encoders
[[ ${exvo_root} != *[[:space:]]* ]] || die "${exvo_root}: has white space; link the folder to a path without"

rows=()
local_gains=()
global_gains=()
for encoder in ${encoders}; do
    case ${encoder} in
        resnet18) name=ResNet18 ;;
        cnn10 | cnn14) name=${encoder^^} ;;
        *) die "--encoders: ${encoder}: choose among resnet18, cnn10 and cnn14" ;;
    esac
    config=conf/tuning/train_rrtn_${encoder}
    rows+=("${name}=${config}.yaml" "${name}+twins=${config}_twins.yaml" "${name}+twins+RUWL=${config}_ruwl.yaml")
    local_gains+=("${name}+twins/${name}" "${name}+twins+RUWL/${name}" "${name}+twins+RUWL/${name}+twins")
    # Those of ResNet18 over itself are among the local ones.
    [ "${encoder}" = resnet18 ] ||
        global_gains+=("${name}/ResNet18" "${name}+twins/ResNet18" "${name}+twins+RUWL/ResNet18")
done
[[ " ${encoders} " == *" resnet18 "* ]] || global_gains=()

./grid.sh --rows "${rows[*]}" --seeds "${seeds}" --jobs "${jobs}" --title "Redundancy reduction twins network" \
    --out exp/TABLE_RRTN.md \
    --table_opts "--paper conf/paper_rrtn.yaml --parameters true --pairs ${local_gains[*]} ${global_gains[*]}" -- \
    --nj "${nj}" --test_sets dev --blind_sets test \
    --local_data_opts "${exvo_root:+--exvo_root ${exvo_root}} ${local_data_opts}" "$@"
