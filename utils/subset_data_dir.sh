#!/usr/bin/env bash
# Makes a data directory of some utterances of another; --help says how.
exec "$(dirname "${BASH_SOURCE[0]}")/run_module.sh" espnet2_ext.data.subset_data_dir "$@"
