#!/usr/bin/env bash
# Makes the environment of this repository: a venv with everything that setup.py names, at the versions of the
# constraints file. A second call finds its stamp and ends at once; a killed one leaves no stamp, and the next call starts afresh.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
known_extras="video ssl baseline onnx hub test dev"
# Newer releases of pip refuse ci_sdr, which ESPnet 202511 needs, for a direct URL in an extra that nobody asks for.
# The environment is ours, so its pip is ours too, whatever pip came with the Python.
pip_version=23.2.1
needed_mb=8500 # 5.5 GB installed, and the downloads that lie beside them until they are unpacked

python=
extras=
venv=tools/venv

usage() {
    cat <<TXT
Usage: tools/install.sh [--python PY] [--extras LIST] [--venv DIR]

Makes the Python environment (about three minutes, 5.5 GB). Called again, it ends at once if nothing has changed.

  --python PY     interpreter to build on: Python 3.11, 3.12 or 3.13 (default: the environment's own, else $(default_python))
  --extras LIST   further parts, separated by commas: ${known_extras// /, } (default: none; those already installed stay)
  --venv DIR      where the environment goes (default: ${venv})
  --help          this text
TXT
}

default_python() { "${root}/tools/find_python.sh" || echo "none found"; }

say() { printf '[%4d s] %s\n' "${SECONDS}" "$*"; }

die() {
    printf 'install.sh: error: %s\n' "$*" >&2
    exit 1
}

parse_options() {
    while [ $# -gt 0 ]; do
        case "$1" in
        --help | -h)
            usage
            exit 0
            ;;
        --python | --extras | --venv)
            [ $# -ge 2 ] || die "$1 needs a value (see --help)"
            printf -v "${1#--}" '%s' "$2"
            shift 2
            ;;
        *) die "unknown option $1 (see --help)" ;;
        esac
    done
    [ -n "${venv}" ] || die "--venv needs a folder"
    case "${venv}" in /*) ;; tools/*) venv=${root}/${venv} ;; *) venv=${PWD}/${venv} ;; esac
    local extra
    for extra in ${extras//,/ }; do
        case " ${known_extras} " in *" ${extra} "*) ;; *) die "unknown extra ${extra}: choose from ${known_extras// /, }" ;; esac
    done
}

# ---- the stamp: what was installed, from which inputs -------------------------------------------------------------

inputs_hash() { # VERSION: everything that decides what pip installs, and where
    { cat "${root}/setup.py" "$(constraints "$1")" && echo "$1 ${pip_version} ${root} ${venv}"; } | sha256sum | cut -d ' ' -f 1
}

constraints() { printf '%s/tools/constraints-py%s.txt' "${root}" "$(cut -d . -f 1,2 <<<"$1")"; }

stamped() { # KEY: the value in the stamp, empty where there is none
    [ ! -f "${venv}/.stamp" ] || sed -n "s/^$1 //p" "${venv}/.stamp"
}

merge() { # LIST...: the union of comma-separated lists, sorted
    local IFS=,
    tr , '\n' <<<"$*" | sed '/^$/d' | LC_ALL=C sort -u | paste -sd ,
}

is_current() {
    local version
    [ -x "${venv}/bin/python" ] && version=$(stamped python) && [ -n "${version}" ] && [ -f "$(constraints "${version}")" ] &&
        [ "$(stamped inputs)" = "$(inputs_hash "${version}")" ] &&
        [ "$(merge "$(stamped extras)" "${extras}")" = "$(stamped extras)" ]
}

report_current() {
    local present
    present=$(stamped extras)
    echo "install.sh: ${venv} is up to date (Python $(stamped python), extras: ${present:-none})"
}

write_stamp() { # VERSION
    printf 'inputs %s\npython %s\nextras %s\n' "$(inputs_hash "$1")" "$1" "${extras}" >"${venv}/.stamp.tmp"
    mv "${venv}/.stamp.tmp" "${venv}/.stamp"
}

# ---- checks that save three minutes -----------------------------------------------------------------------------

version_of() { "$1" -c 'import platform; print(platform.python_version())' 2>/dev/null; }

choose_python() { # sets base, the interpreter to build on, and version
    base=${python}
    if [ -z "${base}" ] && version_of "${venv}/bin/python" >/dev/null; then
        base=${venv}/bin/python
    elif [ -z "${base}" ]; then
        base=$("${root}/tools/find_python.sh") ||
            die "no Python 3.11, 3.12 or 3.13 that can make an environment: apt-get install python3 python3-venv (Debian, Ubuntu), or --python PATH"
    fi
    version=$(version_of "${base}") || die "${base} is no Python that runs: give another with --python"
    local minor=${version%.*}
    [ -f "$(constraints "${version}")" ] || die "${base} is Python ${version}: this repository is tested with 3.11, 3.12 and 3.13"
    "${base}" -c 'import ensurepip, venv' 2>/dev/null ||
        die "${base} cannot make an environment: apt-get install python${minor}-venv (Debian, Ubuntu), or another with --python"
}

check_folder() {
    mkdir -p "${venv}" || die "cannot make ${venv}: choose another folder with --venv"
    if [ ! -e "${venv}/pyvenv.cfg" ] && [ ! -e "${venv}/.begun" ] && [ -n "$(ls -A -I .lock "${venv}")" ]; then
        die "${venv} holds something else: choose another folder with --venv"
    fi
}

check_version() {
    local present
    present=$(version_of "${venv}/bin/python") || return 0
    [ "${present%.*}" = "${version%.*}" ] ||
        die "${venv} holds Python ${present}, not ${version}: delete it, or give another folder with --venv"
    version=${present} # the environment's own patch release
}

check_disk() {
    local free_mb
    free_mb=$(df -Pm "${venv}" | awk 'NR == 2 { print $4 }')
    [ "${free_mb}" -ge "${needed_mb}" ] ||
        die "${venv} has ${free_mb} MB of free disk, ${needed_mb} MB are needed: free some, or choose another disk with --venv"
}

check_compiler() { # Python 3.11 only: pyworld, which ESPnet 202511 needs, is compiled
    [ "${version%.*}" = 3.11 ] || return 0
    local header
    header=$("${base}" -c 'import sysconfig; print(sysconfig.get_path("include") + "/Python.h")')
    command -v "${CXX:-c++}" >/dev/null && [ -f "${header}" ] ||
        die "no C++ compiler, or no ${header}: apt-get install g++ python3.11-dev (Debian, Ubuntu), or a Python 3.12 with --python"
}

# ---- the installation -------------------------------------------------------------------------------------------

clear_unfinished() { # an environment that we began, and did not finish or did not begin here, is not trusted
    [ -e "${venv}/.begun" ] || return 0
    if [ -e "${venv}/.stamp" ] && [ "$(cat "${venv}/.begun")" = "${venv}" ]; then
        return 0
    fi
    say "an installation here was not finished: starting afresh"
    case "${base}" in "${venv}"/*) base=$("${base}" -c 'import sys; print(sys._base_executable)') ;; esac
    find "${venv}" -mindepth 1 -maxdepth 1 ! -name .lock ! -name .begun -exec rm -rf {} +
    version=$(version_of "${base}")
}

heartbeat() { # pip is silent while it unpacks: say what has arrived on the disk
    local parent=$1
    while sleep 20 >/dev/null 2>&1 && kill -0 "${parent}" 2>/dev/null; do
        say "working: $(du -sm "${venv}/lib" 2>/dev/null | cut -f 1) MB on the disk, 5500 to 6000 at the end"
    done
}

pip() { "${venv}/bin/python" -m pip "$@"; }

isolate_pip() { # the user's own settings of pip and Python must not send packages elsewhere
    unset PYTHONPATH PYTHONHOME PIP_TARGET PIP_PREFIX PIP_ROOT PIP_REQUIRE_HASHES
    export PYTHONNOUSERSITE=1 PIP_USER=0 PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1
    # Through the environment the constraints hold in the isolated builds of source packages as well.
    PIP_CONSTRAINT=$(constraints "${version}")
    export PIP_CONSTRAINT
    export TMPDIR=${venv}/.tmp # pip's downloads of 3 GB do not fit on every /tmp
    mkdir -p "${TMPDIR}"
}

install() {
    say "1/4 environment ${venv} with Python ${version}"
    printf '%s\n' "${venv}" >"${venv}/.begun"
    rm -f "${venv}/.stamp"
    isolate_pip
    pip --version >/dev/null 2>&1 || "${base}" -m venv "${venv}"
    say "2/4 pip ${pip_version}"
    pip install --quiet "pip==${pip_version}" || die "pip could not install pip ${pip_version}: is a package index reachable?"
    say "3/4 packages${extras:+, with extras ${extras}}"
    heartbeat $$ 9>&- & # without the lock, which would outlive a killed installer
    trap 'kill '$!' 2>/dev/null || true' EXIT
    pip install --editable "${root}${extras:+[${extras}]}" ||
        die "pip failed (its message is above): mend that and call again, what was downloaded is kept"
    say "4/4 check"
    pip check || die "packages do not fit together (see above)"
    "${venv}/bin/python" "${root}/tools/check_install.py"
    rm -rf "${venv}/.tmp"
    write_stamp "${version}"
    say "done: ${venv}"
}

parse_options "$@"
if [ -z "${python}" ] && is_current; then
    report_current
    exit 0
fi
choose_python
check_folder
exec 9>"${venv}/.lock"
if ! flock --nonblock 9; then
    say "another installation into ${venv} is running: waiting for it"
    flock 9
    choose_python
fi
extras=$(merge "$(stamped extras)" "${extras}") # those already installed stay
clear_unfinished
check_version
if is_current; then
    report_current
    exit 0
fi
if [ ! -d "${venv}/lib/python${version%.*}/site-packages/torch" ]; then
    check_disk
    check_compiler
fi
install
