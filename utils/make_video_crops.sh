#!/usr/bin/env bash
# Crops of the speakers' faces in parallel jobs, as arks of bytes; --help says how.
set -euo pipefail

utils=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
# shellcheck source=utils/log.sh
. "${utils}/log.sh"
# shellcheck source=utils/progress.sh
. "${utils}/progress.sh"

options="nj cmd skip_broken"
nj=4                       # parallel jobs
cmd="${utils}/run.sh"      # runner, with its options
skip_broken=false          # true: leave out the utterances of videos that are missing or cannot be decoded
help_message="Usage: $0 [options] <table> <log_dir> <out_dir>
Example: $0 --nj 8 --cmd run.sh data/video/table exp/make_video_crops data/video

The table has lines '<utterance> <video> <start> <end> <left> <top> <right> <bottom>': seconds, and the part of the frame
that shows the speaker, in fractions of its width and height. Writes arks/<video>.ark, video.scp, video_counts (frames, and
how many repeat another for want of a face) and, where there are any, video_missing (utterances without video, and why)
into <out_dir>. A video that has been done with the same lines is not done again."
# shellcheck source=utils/parse_options.sh
. "${utils}/parse_options.sh"
[ $# -eq 3 ] || die "three arguments are needed: <table> <log_dir> <out_dir>; see --help"
table=$1
log_dir=$2
out_dir=${3%/}
[[ ${nj} =~ ^[1-9][0-9]*$ ]] || die "--nj takes a whole number above 0, not '${nj}'"
require_file "${table}"
total=$(awk '{ print $2 }' "${table}" | sort -u | wc -l)
nj=$(min "${nj}" "${total}")
mkdir -p "${log_dir}" "${out_dir}/arks"

# The number of videos that all jobs have done, from the last line of each log.
count_done() {
    local sum=0 value file
    for file in "${log_dir}"/make_video_crops.*.log; do
        value=$(sed -n 's/^\([0-9]*\) of [0-9]* videos, .*/\1/p' "${file}" 2> /dev/null | tail -n 1)
        sum=$((sum + ${value:-0}))
    done
    echo "${sum}"
}

rm -f "${log_dir}"/make_video_crops.*.log
show_progress "${total}" videos &
watcher=$!
trap 'kill "${watcher}" 2> /dev/null || true' EXIT
# shellcheck disable=SC2086 # a command with its options
${cmd} "JOB=1:${nj}" "${log_dir}/make_video_crops.JOB.log" \
    "${utils}/run_module.sh" espnet2_ext.bin.make_video_crops --table "${table}" --out-dir "${out_dir}" \
    --job JOB --jobs "${nj}" --skip-broken "${skip_broken}"
"${utils}/run_module.sh" espnet2_ext.bin.make_video_crops --combine --table "${table}" --out-dir "${out_dir}"
