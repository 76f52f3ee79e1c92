#!/usr/bin/env bash
# Makes the corpus and its data directories; run from the recipe's folder, which wav.scp's paths are relative to.
set -euo pipefail

options="data_dir downloads num_speakers clips_per_speaker seed"
data_dir=data
downloads=downloads
num_speakers=48
clips_per_speaker=12
seed=1
# shellcheck disable=SC2034  # read by parse_options.sh
help_message="Usage: $0 [options]
Synthesises <downloads>/mini_vb and writes <data_dir>/{train,dev,test}. A second run changes nothing."

# shellcheck source=egs/TEMPLATE/mtl1/path.sh
. ./path.sh
# shellcheck source=utils/log.sh
. "${MAIN_ROOT}/utils/log.sh"
# shellcheck source=utils/parse_options.sh
. "${MAIN_ROOT}/utils/parse_options.sh"
[ $# -eq 0 ] || die "unexpected argument '$1'; --help lists the options"

corpus=${downloads}/mini_vb
python3 local/make_corpus.py --out "${corpus}" --num_speakers "${num_speakers}" \
    --clips_per_speaker "${clips_per_speaker}" --seed "${seed}"
python3 local/prepare_data.py --corpus "${corpus}" --data_dir "${data_dir}"
for set in train dev test; do
    "${MAIN_ROOT}/utils/validate_data_dir.sh" --no-feats --tasks conf/tasks.yaml "${data_dir}/${set}"
done
log "made ${data_dir}/{train,dev,test} in $(elapsed)"
