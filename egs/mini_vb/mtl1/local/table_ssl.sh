#!/usr/bin/env bash
# VANILLA, CHAIN and BRANCH of Karas et al. (2022) with four weightings on these tasks, over a model of the wav2vec2 family,
# fine-tuned and frozen: the table of ../SSL.md. The default model is tiny and random: it shows that all cells run, and its
# numbers mean nothing. What has finished is not run again. Options behind -- go to mtl.sh.
set -euo pipefail

ssl_model=           # the pretrained model's folder; default: downloads/tiny_ssl, made if it is not there
archs="vanilla chain branch" # architectures
weightings="equal dwa rruw druw" # weightings
modes="fine-tuned frozen" # what the pretrained model does: learn, or give features only
seeds="1"            # seeds
mtl_args="--max_epoch 1" # further options for training
jobs=2               # cells that run at the same time
out=exp/SSL.md       # the table
options="ssl_model archs weightings modes seeds mtl_args jobs out"
help_message="Usage: $0 [options] [-- options of mtl.sh]

$(sed -n '2,/^set/s/^# //p' "${BASH_SOURCE[0]}")"

# shellcheck source=egs/TEMPLATE/mtl1/path.sh
. ./path.sh
# shellcheck source=utils/log.sh
. "${MAIN_ROOT}/utils/log.sh"
# shellcheck source=utils/parse_options.sh
. "${MAIN_ROOT}/utils/parse_options.sh"
require_arg archs weightings modes seeds

avb=../../avb/mtl1/conf
title="Three architectures, four weightings, ${ssl_model:-a tiny random model: the numbers mean nothing}"
if [ -z "${ssl_model}" ]; then
    ssl_model=downloads/tiny_ssl
    python3 local/make_tiny_ssl.py --out "${ssl_model}"
fi

# shellcheck disable=SC2086 # lists
rows=$(python3 local/ssl_rows.py --model "${ssl_model}" --configs "${avb}/tuning" --tasks conf/tasks.yaml --archs ${archs} \
    --weightings ${weightings} --modes ${modes} --out exp/ssl | tr '\n' ' ')
./grid.sh --rows "${rows}" --seeds "${seeds}" --jobs "${jobs}" --table_set dev --title "${title}" --out "${out}" -- \
    --feature "${avb}/feature_wave.yaml" --min_frames 1600 --test_sets dev --mtl_args "${mtl_args}" "$@"
