#!/usr/bin/env bash
# Makes data/all and the folds' data directories from the corpus' folder; run from the recipe's folder.
set -euo pipefail

options="iemocap_root data_dir protocol dialogs classes label_rule keep_unlabelled label_seed
    video video_nj video_sides skip_broken_video"
iemocap_root=${IEMOCAP_ROOT:-} # the corpus' folder, with Session1 to Session5
data_dir=data              # where the data directories go
protocol=paper             # paper (6:2:2), loso5 (sessions) or loso10 (speakers)
dialogs=improvised         # improvised, or all
classes=9                  # emotion classes: 9, or 4 with exc as hap
label_rule=paper           # paper (most votes, ties at random) or release (its own label)
keep_unlabelled=false      # whether utterances without an emotion label stay, for the other tasks
label_seed=0               # seed of ties and of the random split
video=auto                 # auto: crops of faces where the corpus has videos; true: it must have; false: none
video_nj=4                 # parallel jobs that crop
video_sides=""             # halves that differ from local/video_sides.txt, such as Ses03=right,Ses05F_impro04=right
skip_broken_video=false    # true: leave out the utterances of videos that are missing or cannot be decoded
help_message="Usage: $0 [options]
Makes <data_dir>/all with all utterances, and for each fold <data_dir>/<protocol>/fold<N>/{train,dev,test}; dialogs, classes
and rules that are not the defaults are added to the name of the protocol."

# shellcheck source=egs/TEMPLATE/mtl1/path.sh
. ./path.sh
# shellcheck source=utils/log.sh
. "${MAIN_ROOT}/utils/log.sh"
# shellcheck source=utils/corpus_files.sh
. "${MAIN_ROOT}/utils/corpus_files.sh"
# shellcheck source=utils/parse_options.sh
. "${MAIN_ROOT}/utils/parse_options.sh"
# shellcheck source=egs/iemocap/mtl1/local/condition.sh
. local/condition.sh
[ $# -eq 0 ] || die "unexpected argument '$1'; --help lists the options"
[ -n "${iemocap_root}" ] || die "where is the corpus? give --iemocap_root DIR, the folder with Session1 to Session5, or set IEMOCAP_ROOT"

name=$(condition_name "${protocol}" "${dialogs}" "${classes}" "${label_rule}" "${keep_unlabelled}")
dialog="${iemocap_root}/Session?/dialog"
for fold in $(seq "$(fold_count "${protocol}")"); do
    note_corpus_files "${data_dir}/${name}/fold${fold}/corpus_files" "${dialog}/EmoEvaluation/*.txt" "${dialog}/avi/DivX/*.avi" \
        "${iemocap_root}/Session?/sentences/wav/*"
done
python3 local/prepare_data.py --root "${iemocap_root}" --data_dir "${data_dir}" --name "${name}" --protocol "${protocol}" \
    --dialogs "${dialogs}" --classes "${classes}" --label_rule "${label_rule}" --keep_unlabelled "${keep_unlabelled}" \
    --label_seed "${label_seed}"
local/video.sh --iemocap_root "${iemocap_root}" --data_dir "${data_dir}" --protocol_name "${name}" --dialogs "${dialogs}" \
    --video "${video}" --video_nj "${video_nj}" --video_sides "${video_sides}" --skip_broken_video "${skip_broken_video}"
log "made ${data_dir}/all and ${data_dir}/${name} in $(elapsed)"
