#!/usr/bin/env bash
# utt2spk_to_spk2utt.sh [UTT2SPK]: prints spk2utt, speakers and their utterances in order of appearance.
if [ $# -gt 1 ] || [[ ${1:-} == -* ]]; then
    echo "Usage: utt2spk_to_spk2utt.sh [utt2spk] > spk2utt" >&2
    exit 1
fi
exec awk 'NF != 2 { print "utt2spk_to_spk2utt.sh: error: line " NR ": \"" $0 "\" is not <utterance> <speaker>" > "/dev/stderr"; bad = 1; exit 1 }
    { if (!($2 in utts)) order[++n] = $2; utts[$2] = utts[$2] " " $1 }
    END { if (bad) exit 1; for (i = 1; i <= n; i++) print order[i] utts[order[i]] }' "$@"
