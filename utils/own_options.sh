#!/usr/bin/env bash
# Sourced by a recipe's run.sh that has options beside those of mtl.sh, in the recipe's folder, after it has declared them:
#
#   own_options="team"              # the names
#   team=team                       # their defaults
#   . ../../../utils/own_options.sh
#
# Takes --name value and --name=value, dashes or underscores in names, out of "$@" into the variables; all else is in the
# array `arguments`, for mtl.sh. --help prints the comment at the head of run.sh and the help of mtl.sh.

arguments=()
while [ $# -gt 0 ]; do
    if [ "$1" = --help ] || [ "$1" = -h ]; then
        sed -n '2,/^set/s/^# //p' ./run.sh
        exec ./mtl.sh --help
    fi
    _oo_name=${1#--}
    _oo_name=${_oo_name%%=*}
    _oo_name=${_oo_name//-/_}
    # shellcheck disable=SC2154 # own_options is the caller's
    if [[ $1 != --* || ${_oo_name} != "${_oo_name//[[:space:]]/}" || " ${own_options} " != *" ${_oo_name} "* ]]; then
        arguments+=("$1")
    elif [[ $1 == *=* ]]; then
        printf -v "${_oo_name}" '%s' "${1#*=}"
    elif [ $# -ge 2 ]; then
        printf -v "${_oo_name}" '%s' "$2"
        shift
    else
        echo "run.sh: error: $1: the option needs a value" >&2
        exit 1
    fi
    shift
done
unset _oo_name
