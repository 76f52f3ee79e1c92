#!/usr/bin/env bash
# Prints the path of a Python that can make an environment, or exits with 1.
#   tools/find_python.sh              python3 where its version is supported, else the first of 3.11, 3.12, 3.13
#   tools/find_python.sh 3.12         a Python 3.12: on PATH, or one that pyenv has installed
set -euo pipefail

# Debian's python3 without python3-venv imports venv but not ensurepip: such a one cannot make an environment.
usable='import ensurepip, sys, venv; sys.exit("%d.%d" % sys.version_info[:2] not in sys.argv[1:])'

try() { # EXECUTABLE VERSION...: prints the interpreter's own path, so that a pyenv shim is resolved
    "$1" -c "${usable}" "${@:2}" 2>/dev/null && "$1" -c 'import sys; print(sys.executable)'
}

find_version() { # VERSION
    local candidate
    for candidate in "python$1" python3; do
        try "${candidate}" "$1" && return 0
    done
    for candidate in "${PYENV_ROOT:-${HOME}/.pyenv}/versions/$1".*/bin/python"$1"; do
        [ -x "${candidate}" ] && try "${candidate}" "$1" && return 0
    done
    return 1
}

if [ $# -gt 0 ]; then
    find_version "$1"
    exit
fi
supported=(3.11 3.12 3.13)
try python3 "${supported[@]}" && exit
for version in "${supported[@]}"; do
    find_version "${version}" && exit
done
exit 1
