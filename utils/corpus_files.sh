#!/usr/bin/env bash
# Sourced by local/data.sh and mtl.sh: what data preparation read of the corpus, so that it is done again when that changes.

# note_corpus_files FILE PATTERN...: write what the patterns name now, by size and time, into a file; before the corpus is
# read, or right after it. A folder stands for its own entries, as its time tells of files that came or went. What a pattern
# names may be missing.
note_corpus_files() {
    local file=$1
    shift
    mkdir -p "$(dirname "${file}")"
    _corpus_files "$@" > "${file}.tmp$$"
    mv "${file}.tmp$$" "${file}"
}

# corpus_files_changed FILE: whether one of them is new or has changed. One that is gone has not: the corpus may be on a disk
# that is not mounted here, and what was made of it is still there.
corpus_files_changed() {
    local patterns
    [ -s "$1" ] || return 1
    mapfile -t patterns < <(sed -n 's/^pattern //p' "$1")
    grep -q -v -x -F -f "$1" <(_corpus_files "${patterns[@]}")
}

_corpus_files() {
    local pattern
    printf 'pattern %s\n' "$@"
    for pattern in "$@"; do
        compgen -G "${pattern}" || true
    done | LC_ALL=C sort -u | { xargs -r -d '\n' stat -L -c '%s %.9Y %n' -- 2> /dev/null || true; }
}
