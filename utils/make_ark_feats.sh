#!/usr/bin/env bash
# Features of a data directory in parallel jobs, as arks; --help says how.
set -euo pipefail

utils=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
# shellcheck source=utils/log.sh
. "${utils}/log.sh"
# shellcheck source=utils/progress.sh
. "${utils}/progress.sh"

options="nj cmd feature compression skip_broken"
nj=4                       # parallel jobs
cmd="${utils}/run.sh"      # runner, with its options
feature=conf/feature.yaml  # name and options of the features
compression=""             # Kaldi's compression method 1 to 7; empty: the feature's, float32 as a rule
skip_broken=false          # true: leave out audio that cannot be read, at most 5 % of it
help_message="Usage: $0 [options] <data_dir> <log_dir> <dump_dir>
Example: $0 --nj 8 --cmd run.sh --feature conf/feature.yaml data/train exp/make_log_mel/train dump/log_mel/org/train

Writes feats.JOB.ark, feats.scp, feature.yaml (all options), utt2num_frames, utt2dur, make_feats.json (counts) and the
tables of <data_dir> into <dump_dir>, which appears when it is complete."
# shellcheck source=utils/parse_options.sh
. "${utils}/parse_options.sh"
[ $# -eq 3 ] || die "three arguments are needed: <data_dir> <log_dir> <dump_dir>; see --help"
data_dir=$1
log_dir=$2
dump_dir=${3%/}
[[ ${nj} =~ ^[1-9][0-9]*$ ]] || die "--nj takes a whole number above 0, not '${nj}'"

# A fixed name, so that what a killed run left is removed here.
building=$(dirname "${dump_dir}")/.$(basename "${dump_dir}").building
watcher=
clean_up() {
    [ -z "${watcher}" ] || kill "${watcher}" 2> /dev/null || true
    rm -rf "${building}" ${splits:+"${splits}"}
}
trap clean_up EXIT
rm -rf "${building}"
mkdir -p "${building}/tables" "${log_dir}"

require_file "${feature}" "${data_dir}/wav.scp"
if [ "${skip_broken}" = false ]; then
    "${utils}/validate_data_dir.sh" --no-feats "${data_dir}"
else
    # All but the audio, which the jobs check.
    find "${data_dir}" -maxdepth 1 -type f ! -name wav.scp -exec cp -t "${building}/tables" {} +
    "${utils}/validate_data_dir.sh" --no-feats --no-wav "${building}/tables"
fi
rm -r "${building}/tables"
total=$(wc -l < "${data_dir}/wav.scp")
nj=$(min "${nj}" "${total}")
splits=$("${utils}/split_data.sh" "${data_dir}" "${nj}")

# The number of utterances that all jobs have done.
count_done() {
    local sum=0 value file
    for file in "${building}"/progress.*; do
        value=0
        [ -f "${file}" ] && read -r value < "${file}" || true
        [[ ${value} =~ ^[0-9]+$ ]] && sum=$((sum + value))
    done
    echo "${sum}"
}

show_progress "${total}" utterances &
watcher=$!
# shellcheck disable=SC2086 # a command with its options
${cmd} "JOB=1:${nj}" "${log_dir}/make_feats.JOB.log" \
    "${utils}/run_module.sh" espnet2_ext.bin.make_feats --wav-scp "${splits}/JOB/wav.scp" --feature "${feature}" \
    --out-ark "${building}/feats.JOB.ark" --out-scp "${building}/JOB/feats.scp" \
    --ark-name "${dump_dir}/feats.JOB.ark" --progress-file "${building}/progress.JOB" \
    --skip-broken "${skip_broken}" ${compression:+--compression "${compression}"}
"${utils}/run_module.sh" espnet2_ext.bin.combine_feats --nj "${nj}" --feature "${feature}" \
    "${data_dir}" "${building}" "${dump_dir}"
