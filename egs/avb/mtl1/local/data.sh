#!/usr/bin/env bash
# Makes data/{train,dev,test} from the challenge's folder; run from the recipe's folder.
set -euo pipefail

options="avb_root data_dir tasks speaker_table allow_missing"
avb_root=${AVB_ROOT:-}     # the challenge's folder, with audio/wav/ and labels/
data_dir=data              # where the sets go
tasks=data/tasks.yaml      # the tasks, those with a label file; run.sh writes it
speaker_table=             # a table with File_ID and Subject_ID, where the label files do not tell the speakers
allow_missing=true         # whether labels may be missing in Train and Val
help_message="Usage: $0 [options]
Makes <data_dir>/{train,dev,test} from <avb_root>/labels/*_info.csv and <avb_root>/audio/wav, with the official sets."

# shellcheck source=egs/TEMPLATE/mtl1/path.sh
. ./path.sh
# shellcheck source=utils/log.sh
. "${MAIN_ROOT}/utils/log.sh"
# shellcheck source=utils/corpus_files.sh
. "${MAIN_ROOT}/utils/corpus_files.sh"
# shellcheck source=utils/parse_options.sh
. "${MAIN_ROOT}/utils/parse_options.sh"
[ $# -eq 0 ] || die "unexpected argument '$1'; --help lists the options"
[ -n "${avb_root}" ] || die "where is the corpus? give --avb_root DIR, the folder with audio/wav/ and labels/, or set AVB_ROOT"

note_corpus_files "${data_dir}/corpus_files" "${avb_root}/labels/*_info.csv" "${avb_root}/audio/wav" ${speaker_table:+"${speaker_table}"}
python3 local/prepare_data.py --root "${avb_root}" --data_dir "${data_dir}" --tasks "${tasks}" \
    ${speaker_table:+--speaker_table "${speaker_table}"} --allow_missing "${allow_missing}"
log "made ${data_dir}/{train,dev,test} in $(elapsed)"
