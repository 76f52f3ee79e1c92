#!/usr/bin/env bash
# Sourced: the name of the folders and tables of what is compared, and its folds.

# condition_name PROTOCOL DIALOGS CLASSES LABEL_RULE KEEP_UNLABELLED: the protocol, and what is not the default.
# Utterances and labels that differ never share a folder.
condition_name() {
    local name=$1
    fold_count "$1" > /dev/null
    _one_of --dialogs "$2" improvised all
    _one_of --classes "$3" 9 4
    _one_of --label_rule "$4" paper release
    _one_of --keep_unlabelled "$5" false true
    [ "$2" = improvised ] || name+=_$2
    [ "$3" = 9 ] || name+=_${3}class
    [ "$4" = paper ] || name+=_$4
    [ "$5" = false ] || name+=_unlabelled
    echo "${name}"
}

# fold_count PROTOCOL: its number of folds.
fold_count() {
    _one_of --protocol "$1" paper loso5 loso10
    case $1 in
        paper) echo 1 ;;
        loso5) echo 5 ;;
        loso10) echo 10 ;;
    esac
}

# _one_of OPTION VALUE CHOICE...: ends the shell unless the value is one of the choices.
_one_of() {
    local option=$1 value=$2 choice
    shift 2
    for choice in "$@"; do
        [ "${value}" != "${choice}" ] || return 0
    done
    echo "${0##*/}: error: ${option} is one of $*, not '${value}'" >&2
    exit 1
}
