#!/usr/bin/env bash
# Makes data/all and the folds' data directories from the corpus' folder; run from the recipe's folder.
set -euo pipefail

options="iemocap_root data_dir protocol dialogs classes label_rule keep_unlabelled label_seed"
iemocap_root=${IEMOCAP_ROOT:-} # the corpus' folder, with Session1 to Session5
data_dir=data              # where the data directories go
protocol=paper             # paper (6:2:2), loso5 (sessions) or loso10 (speakers)
dialogs=improvised         # improvised, or all
classes=9                  # emotion classes: 9, or 4 with exc as hap
label_rule=paper           # paper (most votes, ties at random) or release (its own label)
keep_unlabelled=false      # whether utterances without an emotion label stay, for the other tasks
label_seed=0               # seed of ties and of the random split
help_message="Usage: $0 [options]
Makes <data_dir>/all with all utterances, and for each fold <data_dir>/<protocol>/fold<N>/{train,dev,test}; dialogs, classes
and rules that are not the defaults are added to the name of the protocol."

# shellcheck source=egs/TEMPLATE/mtl1/path.sh
. ./path.sh
# shellcheck source=utils/log.sh
. "${MAIN_ROOT}/utils/log.sh"
# shellcheck source=utils/parse_options.sh
. "${MAIN_ROOT}/utils/parse_options.sh"
# shellcheck source=egs/iemocap/mtl1/local/condition.sh
. local/condition.sh
[ $# -eq 0 ] || die "unexpected argument '$1'; --help lists the options"
[ -n "${iemocap_root}" ] || die "where is the corpus? give --iemocap_root DIR, the folder with Session1 to Session5, or set IEMOCAP_ROOT"

name=$(condition_name "${protocol}" "${dialogs}" "${classes}" "${label_rule}" "${keep_unlabelled}")
python3 local/prepare_data.py --root "${iemocap_root}" --data_dir "${data_dir}" --name "${name}" --protocol "${protocol}" \
    --dialogs "${dialogs}" --classes "${classes}" --label_rule "${label_rule}" --keep_unlabelled "${keep_unlabelled}" \
    --label_seed "${label_seed}"
log "made ${data_dir}/all and ${data_dir}/${name} in $(elapsed)"
