#!/usr/bin/env bash
# Puts data directories together; --help says how.
exec "$(dirname "${BASH_SOURCE[0]}")/run_module.sh" espnet2_ext.data.combine_data "$@"
