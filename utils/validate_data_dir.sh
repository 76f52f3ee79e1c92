#!/usr/bin/env bash
# Checks a data directory; --help says how.
exec "$(dirname "${BASH_SOURCE[0]}")/run_module.sh" espnet2_ext.data.validate_data_dir "$@"
