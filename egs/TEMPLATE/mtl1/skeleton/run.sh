#!/usr/bin/env bash
# One experiment, all stages; every option of ./run.sh --help may be given, e.g. ./run.sh --stage 6 --mtl_config conf/x.yaml
set -euo pipefail
cd "$(dirname "$0")"

exec ./mtl.sh --train_set train --valid_set dev --test_sets "dev test" "$@"
