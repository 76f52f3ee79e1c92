#!/usr/bin/env bash
# Runs a command or an array of jobs with a log each; run_jobs.py --help and the same call with --help say how.
exec python3 -S -E "$(dirname "${BASH_SOURCE[0]}")/run_jobs.py" sge "$@"
