#!/usr/bin/env bash
# Mends a data directory; --help says how.
exec "$(dirname "${BASH_SOURCE[0]}")/run_module.sh" espnet2_ext.data.fix_data_dir "$@"
