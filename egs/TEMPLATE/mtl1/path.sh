#!/usr/bin/env bash
# Sourced by every script of a recipe: where the repository is, and the environment that its programs run in.

# The repository's root from this file's own place, also where it is a symbolic link of another recipe.
MAIN_ROOT=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../../.." && pwd)
export MAIN_ROOT
export PYTHONPATH="${MAIN_ROOT}${PYTHONPATH:+:${PYTHONPATH}}"
# For the job runners of cmd.sh, named there without a path: a path with a space would fall apart where they are used.
export PATH="${MAIN_ROOT}/utils:${PATH}"
# Byte order everywhere: data directories, sort and Python's sorted() then agree.
export LC_ALL=C
# Parallel jobs share the cores; training sets its own number.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
# With LC_ALL=C Python would otherwise write ASCII only.
export PYTHONIOENCODING=UTF-8 PYTHONUTF8=1
# shellcheck source=tools/activate_python.sh
. "${MAIN_ROOT}/tools/activate_python.sh"
