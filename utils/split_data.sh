#!/usr/bin/env bash
# Splits a data directory for parallel jobs; --help says how.
exec "$(dirname "${BASH_SOURCE[0]}")/run_module.sh" espnet2_ext.data.split_data "$@"
