#!/usr/bin/env bash
# Sourced after a script has declared its options:
#
#   options="stage"                        # the names; nothing else is an option
#   stage=1                                # first stage: the default, and the line that --help prints about it
#   help_message="Usage: $0 [options]"     # printed by --help, above the options with their defaults
#   . utils/parse_options.sh
#
# --name value and --name=value, dashes or underscores in names; where the default is true or false, so is the value.
# --config FILE holds lines `name=value`, read as data and never run; the command line wins over it, a later file over
# an earlier one. What is no option stays in "$@", in order; -- ends the options. An error is one line and exit 1.
# A value may start with -- unless it is itself the name of an option (then write --name=VALUE).

_po_error() {
    printf '%s: error: %s\n' "${0##*/}" "$1" >&2
    exit 1
}

# Levenshtein distance of two names.
_po_distance() {
    local a=$1 b=$2 i j cost best
    local -a previous row
    for ((j = 0; j <= ${#b}; j++)); do previous[j]=${j}; done
    for ((i = 1; i <= ${#a}; i++)); do
        row=("${i}")
        for ((j = 1; j <= ${#b}; j++)); do
            cost=1
            if [ "${a:i-1:1}" = "${b:j-1:1}" ]; then cost=0; fi
            best=$((previous[j - 1] + cost))
            if ((previous[j] + 1 < best)); then best=$((previous[j] + 1)); fi
            if ((row[j - 1] + 1 < best)); then best=$((row[j - 1] + 1)); fi
            row[j]=${best}
        done
        previous=("${row[@]}")
    done
    echo "${previous[${#b}]}"
}

# The declared names nearest to $1, for the message about an unknown option.
_po_closest() {
    local name distance best=99 found=""
    for name in ${options} config help; do
        distance=$(_po_distance "$1" "${name}")
        if [[ ${name} == *"$1"* || $1 == *"${name}"* ]]; then distance=1; fi
        if ((distance < best)); then
            best=${distance}
            found="--${name}"
        elif ((distance == best)); then
            found+=", --${name}"
        fi
    done
    if ((best <= 1 + ${#1} / 3)); then
        echo "did you mean ${found}?"
    else
        echo "--help lists the options"
    fi
}

_po_declared() {
    [[ " ${options} " == *" $1 "* ]]
}

# _po_set WHERE NAME VALUE: check and assign.
_po_set() {
    local where=$1 name=$2 value=$3
    if ! _po_declared "${name}"; then
        _po_error "${where}: unknown option; $(_po_closest "${name}")"
    fi
    if [[ ${_po_booleans} == *" ${name} "* && ${value} != true && ${value} != false ]]; then
        _po_error "${where}: the value is true or false, not '${value}'"
    fi
    # Global: an option may be called as a local variable here is.
    declare -g "${name}=${value}"
}

_po_read_config() {
    local file=$1 line name value number=0
    if [ ! -f "${file}" ]; then _po_error "--config ${file}: no such file"; fi
    while IFS= read -r line || [ -n "${line}" ]; do
        number=$((number + 1))
        line=${line%$'\r'}
        line=${line#"${line%%[![:space:]]*}"}
        line=${line%"${line##*[![:space:]]}"}
        if [[ -z ${line} || ${line} == \#* ]]; then continue; fi
        if [[ ! ${line} =~ ^([A-Za-z_][A-Za-z0-9_-]*)=(.*)$ ]]; then
            _po_error "${file}:${number}: a line is name=value, not '${line}'"
        fi
        name=${BASH_REMATCH[1]//-/_}
        value=${BASH_REMATCH[2]}
        if [[ ${value} =~ ^\"(.*)\"$ || ${value} =~ ^\'(.*)\'$ ]]; then value=${BASH_REMATCH[1]}; fi
        _po_set "${file}:${number}: ${name}" "${name}" "${value}"
    done <"${file}"
}

_po_help() {
    local _po_name _po_about
    printf '%s\n\nOptions, with their defaults:\n' "${help_message:-Usage: $0 [options]}"
    for _po_name in ${options}; do
        _po_about=$(sed -n "s/^${_po_name}=[^#]*# *//p" "$0" 2> /dev/null | head -n 1)
        printf '  --%-24s %s%s(%s)\n' "${_po_name}" "${_po_about}" "${_po_about:+ }" "${!_po_name}"
    done
    printf '  --%-24s lines name=value; the command line wins over it\n  --%s\n' "config FILE" "help"
    exit 0
}

# Whether the declaration itself is sound, and which options are true or false.
_po_check_declaration() {
    local _po_name
    _po_booleans=" "
    for _po_name in ${options}; do
        if [[ ! ${_po_name} =~ ^[A-Za-z_][A-Za-z0-9_]*$ || ${_po_name} == config || ${_po_name} == help ]]; then
            _po_error "options: '${_po_name}' cannot be the name of an option"
        fi
        if [ -z "${!_po_name+set}" ]; then _po_error "options: ${_po_name} is declared but has no default"; fi
        if [[ ${!_po_name} == true || ${!_po_name} == false ]]; then _po_booleans+="${_po_name} "; fi
    done
}

# Fills _po_names and _po_values (options), _po_configs (files) and _po_rest (positionals) from the arguments.
_po_split() {
    local _po_name _po_value _po_next
    while [ $# -gt 0 ]; do
        case $1 in
            --) shift; _po_rest+=("$@"); return ;;
            --help | -h) _po_help ;;
            --*) ;;
            *) _po_rest+=("$1"); shift; continue ;;
        esac
        _po_name=${1#--}
        _po_name=${_po_name%%=*}
        _po_name=${_po_name//-/_}
        if [[ ${_po_name} != config ]] && ! _po_declared "${_po_name}"; then
            _po_error "${1%%=*}: unknown option; $(_po_closest "${_po_name}")"
        fi
        if [[ $1 == *=* ]]; then
            _po_value=${1#*=}
        else
            if [ $# -lt 2 ]; then _po_error "$1: the option needs a value"; fi
            _po_next=${2%%=*}
            _po_next=${_po_next#--}
            _po_next=${_po_next//-/_}
            if [[ $2 == --* ]] && { [[ ${_po_next} == config || ${_po_next} == help ]] || _po_declared "${_po_next}"; }; then
                _po_error "$1: the option needs a value, but the option $2 follows"
            fi
            _po_value=$2
            shift
        fi
        shift
        if [[ ${_po_name} == config ]]; then
            _po_configs+=("${_po_value}")
        else
            _po_names+=("${_po_name}")
            _po_values+=("${_po_value}")
        fi
    done
}

_po_names=()
_po_values=()
_po_configs=()
_po_rest=()
options="${options-}"
options="${options//[[:space:]]/ }"
_po_check_declaration
_po_split "$@"
for _po_item in ${_po_configs[@]+"${_po_configs[@]}"}; do
    _po_read_config "${_po_item}"
done
for _po_item in ${_po_names[@]+"${!_po_names[@]}"}; do
    _po_set "--${_po_names[_po_item]}" "${_po_names[_po_item]}" "${_po_values[_po_item]}"
done
set -- ${_po_rest[@]+"${_po_rest[@]}"}
unset _po_names _po_values _po_configs _po_rest _po_booleans _po_item
unset -f _po_error _po_distance _po_closest _po_declared _po_set _po_read_config _po_help _po_check_declaration _po_split
