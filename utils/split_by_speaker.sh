#!/usr/bin/env bash
# Splits a data directory into sets without a common speaker; --help says how.
exec "$(dirname "${BASH_SOURCE[0]}")/run_module.sh" espnet2_ext.data.split_by_speaker "$@"
