#!/usr/bin/env bash
# Installs what the tests need and runs them, with Python 3.11 and with 3.12 where both are there. Ends with pytest's closing line.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
extras=test,baseline,onnx,hub,ssl,video
python=
arguments=()
# Files of tests at a time, in runs of all of them: most tests use one core.
parallel=(--numprocesses 2 --dist loadfile)

usage() {
    cat <<TXT
Usage: tests/run.sh [--python PY] [PYTEST ARGUMENT...]

Installs what the tests need (tools/install.sh --extras ${extras}) and runs pytest. Without arguments: every test in tools/venv;
before that, where both Python 3.11 and 3.12 are found, all but tests/recipes and tests/consistency with the other one in
tools/venv-3.11 or tools/venv-3.12. With arguments for pytest, or --python: one Python.

  --python PY   interpreter to test with (default: that of tools/venv, else the installer's default)
  --help        this text

The exit status is pytest's; the last line is pytest's closing line, that of the failed run if one failed.
TXT
}

die() {
    printf 'run.sh: error: %s\n' "$*" >&2
    exit 2
}

while [ $# -gt 0 ]; do
    case "$1" in
    --help | -h)
        usage
        exit 0
        ;;
    --python)
        [ $# -ge 2 ] || die "--python needs a value (see --help)"
        python=$2
        shift 2
        ;;
    *)
        arguments+=("$1")
        shift
        ;;
    esac
done

minor_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'; }

logs=$(mktemp -d)
trap 'rm -rf "${logs}"' EXIT

run_pytest() { # PYTHON VENV PYTEST_ARGUMENT...: returns pytest's status, leaves its output in ${logs}/VENV's name
    local venv=$2 status=0
    "${root}/tools/install.sh" ${1:+--python "$1"} --venv "${venv}" --extras "${extras}" || return
    (
        # set -e is off in a function whose status is read
        cd "${root}" && export ESPNET2_EXT_VENV=${venv} && . tools/activate_python.sh || exit 2
        echo "run.sh: pytest with $(python -V) in ${venv}"
        python -m pytest --timeout 1800 --durations 15 "${@:3}"
    ) </dev/null 2>&1 | tee "${logs}/$(basename "${venv}")" || status=${PIPESTATUS[0]}
    return "${status}"
}

main_venv=${root}/tools/venv
if [ -n "${python}" ]; then
    minor=$(minor_of "${python}") || die "${python} is no Python that runs"
    if [ -x "${main_venv}/bin/python" ] && [ "$(minor_of "${main_venv}/bin/python")" != "${minor}" ]; then
        main_venv=${main_venv}-${minor}
    fi
fi

# The other Python goes first, so that the closing line of the full run is the last one.
other_status=0
failed=
if [ -z "${python}" ] && [ ${#arguments[@]} -eq 0 ]; then
    if [ -x "${main_venv}/bin/python" ]; then
        main_minor=$(minor_of "${main_venv}/bin/python")
    else
        main_minor=$(minor_of "$("${root}/tools/find_python.sh")") || die "no Python that can make an environment: see tools/install.sh"
    fi
    for minor in 3.11 3.12; do
        if [ "${minor}" != "${main_minor}" ] && other=$("${root}/tools/find_python.sh" "${minor}"); then
            run_pytest "${other}" "${root}/tools/venv-${minor}" "${parallel[@]}" --ignore tests/recipes --ignore tests/bench --ignore tests/consistency || {
                other_status=$?
                failed=venv-${minor}
            }
        fi
    done
fi

status=0
[ ${#arguments[@]} -gt 0 ] || arguments=("${parallel[@]}")
run_pytest "${python}" "${main_venv}" "${arguments[@]}" || status=$?
if [ "${status}" -eq 0 ] && [ "${other_status}" -ne 0 ]; then
    status=${other_status}
    echo "run.sh: failed in tools/${failed}:"
    tail -n 1 "${logs}/${failed}" 2>/dev/null || echo "run.sh: no tests ran there, see above"
fi
exit "${status}"
