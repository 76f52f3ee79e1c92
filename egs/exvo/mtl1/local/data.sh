#!/usr/bin/env bash
# Makes data/{train,dev,test} from the challenge's folder; run from the recipe's folder.
set -euo pipefail

options="exvo_root data_dir tasks countries allow_missing"
exvo_root=${EXVO_ROOT:-}   # the challenge's folder, with data_info.csv and wav/
data_dir=data              # where the sets go
tasks=conf/tasks.yaml      # the tasks
countries="China,United_States,South_Africa,Venezuela" # in the order of their numbers, for a table without Country_string
allow_missing=false        # whether labels may be missing in Train and Val; the released table has them all
help_message="Usage: $0 [options]
Makes <data_dir>/{train,dev,test} from <exvo_root>/data_info.csv and <exvo_root>/wav, with the official sets."

# shellcheck source=egs/TEMPLATE/mtl1/path.sh
. ./path.sh
# shellcheck source=utils/log.sh
. "${MAIN_ROOT}/utils/log.sh"
# shellcheck source=utils/corpus_files.sh
. "${MAIN_ROOT}/utils/corpus_files.sh"
# shellcheck source=utils/parse_options.sh
. "${MAIN_ROOT}/utils/parse_options.sh"
[ $# -eq 0 ] || die "unexpected argument '$1'; --help lists the options"
[ -n "${exvo_root}" ] || die "where is the corpus? give --exvo_root DIR, the folder with data_info.csv and wav/, or set EXVO_ROOT"

note_corpus_files "${data_dir}/corpus_files" "${exvo_root}/data_info.csv" "${exvo_root}/wav"
read -ra names <<< "${countries//,/ }"
python3 local/prepare_data.py --root "${exvo_root}" --data_dir "${data_dir}" --tasks "${tasks}" \
    --countries "${names[@]}" --allow_missing "${allow_missing}"
log "made ${data_dir}/{train,dev,test} in $(elapsed)"
