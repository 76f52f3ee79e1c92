#!/usr/bin/env bash
# Sourced by recipe scripts: messages, errors, stages, elapsed time. All messages go to stderr, results to stdout.

# log MESSAGE...: one line with time, file and line of the caller.
log() {
    printf '%(%Y-%m-%dT%H:%M:%S)T (%s:%s) %s\n' -1 "${BASH_SOURCE[1]##*/}" "${BASH_LINENO[0]}" "$*" >&2
}

# die MESSAGE...: one line, then exit 1.
die() {
    printf '%(%Y-%m-%dT%H:%M:%S)T (%s:%s) error: %s\n' -1 "${BASH_SOURCE[1]##*/}" "${BASH_LINENO[0]}" "$*" >&2
    exit 1
}

# min N...: the smallest of whole numbers.
min() {
    local value smallest=$1
    for value in "$@"; do
        if [ "${value}" -lt "${smallest}" ]; then smallest=${value}; fi
    done
    echo "${smallest}"
}

# max N...: the largest of whole numbers.
max() {
    local value largest=$1
    for value in "$@"; do
        if [ "${value}" -gt "${largest}" ]; then largest=${value}; fi
    done
    echo "${largest}"
}

# require_arg NAME...: each named option has been given a value.
require_arg() {
    local name
    for name in "$@"; do
        [ -n "${!name:-}" ] || die "--${name} is needed"
    done
}

# require_file FILE...: each exists and is not empty; the message says which one and where it should come from.
require_file() {
    local file
    for file in "$@"; do
        [ -f "${file}" ] || die "${file}: no such file; run the stage that makes it, or mend the path"
        [ -s "${file}" ] || die "${file}: the file is empty; run the stage that makes it again"
    done
}

# require_dir DIR...: each exists.
require_dir() {
    local dir
    for dir in "$@"; do
        [ -d "${dir}" ] || die "${dir}: no such directory; run the stage that makes it"
    done
}

# stage_enabled N: whether $stage <= N <= $stop_stage. A stage that is no number is an error: in an `if` it would
# otherwise count as false, and every stage would be skipped with exit status 0.
stage_enabled() {
    local value
    for value in "${stage:-}" "${stop_stage:-}"; do
        [[ ${value} =~ ^-?[0-9]+$ ]] || die "--stage and --stop_stage take whole numbers, not '${value}'"
    done
    [ "${stage}" -le "$1" ] && [ "$1" -le "${stop_stage}" ]
}

# elapsed [SECONDS]: that many seconds, or those since the shell started, as 1h 02m 03s.
elapsed() {
    local seconds=${1:-${SECONDS}}
    if [ "${seconds}" -ge 3600 ]; then
        printf '%dh %02dm %02ds\n' $((seconds / 3600)) $((seconds / 60 % 60)) $((seconds % 60))
    elif [ "${seconds}" -ge 60 ]; then
        printf '%dm %02ds\n' $((seconds / 60)) $((seconds % 60))
    else
        printf '%ds\n' "${seconds}"
    fi
}
