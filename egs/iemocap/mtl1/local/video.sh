#!/usr/bin/env bash
# Crops the speakers' faces out of the dialogs' videos, for the data directories that exist; from the recipe's folder.
set -euo pipefail

options="iemocap_root data_dir protocol_name dialogs video video_nj video_sides skip_broken_video"
iemocap_root=              # the corpus' folder, with Session1 to Session5
data_dir=data              # folder of the data directories; crops go to its folder video
protocol_name=paper        # name of the folds' folder below it
dialogs=improvised         # improvised, or all
video=auto                 # auto: crops where the corpus has videos; true: it must have; false: none
video_nj=4                 # parallel jobs
video_sides=""             # halves that differ from local/video_sides.txt, such as Ses03=right,Ses05F_impro04=right
skip_broken_video=false    # true: leave out the utterances of videos that are missing or cannot be decoded
help_message="Usage: $0 [options]
Writes <data_dir>/video/video.scp and the lines of each set into <data_dir>/<protocol_name>/fold*/*/video.scp, the report
<data_dir>/video/video_missing, <data_dir>/video/sides_check (who moves while who speaks), and
<data_dir>/video/montage.png to look at."

# shellcheck source=egs/TEMPLATE/mtl1/path.sh
. ./path.sh
# shellcheck source=utils/log.sh
. "${MAIN_ROOT}/utils/log.sh"
# shellcheck source=utils/parse_options.sh
. "${MAIN_ROOT}/utils/parse_options.sh"
# shellcheck source=egs/TEMPLATE/mtl1/cmd.sh
. ./cmd.sh
[ $# -eq 0 ] || die "unexpected argument '$1'; --help lists the options"
case ${video} in
    auto | true) ;;
    false) exit 0 ;;
    *) die "--video is one of auto true false, not '${video}'" ;;
esac

out=${data_dir}/video
mkdir -p "${out}"
python3 local/video_table.py --root "${iemocap_root}" --dialogs "${dialogs}" --video "${video}" \
    --sides local/video_sides.txt --changes "${video_sides}" --out "${out}/table"
[ -e "${out}/table" ] || exit 0
make_video_crops.sh --nj "${video_nj}" --cmd "${feats_cmd}" --skip_broken "${skip_broken_video}" \
    "${out}/table" "${out}/log" "${out}"
python3 local/share_video.py "${out}" "${data_dir}/${protocol_name}"/fold*/*/
python3 local/video_montage.py --table "${out}/table" --scp "${out}/video.scp" --out "${out}/montage.png"
python3 local/check_sides.py --table "${out}/table" --scp "${out}/video.scp" --out "${out}/sides_check"
[ ! -s "${out}/video_missing" ] || log "$(wc -l < "${out}/video_missing") utterances have no video; ${out}/video_missing says why"
log "made ${out}/video.scp in $(elapsed)"
