#!/usr/bin/env bash
# run_module.sh MODULE ARGUMENTS...: runs a Python module of this repository, also for a shell without path.sh.
root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
python=python3
if [ -z "${VIRTUAL_ENV:-}" ] && [ -x "${root}/tools/venv/bin/python3" ]; then
    python=${root}/tools/venv/bin/python3
fi
export PYTHONPATH="${root}${PYTHONPATH:+:${PYTHONPATH}}" LC_ALL=C PYTHONUTF8=1 PYTHONIOENCODING=UTF-8
exec "${python}" -m "$@"
