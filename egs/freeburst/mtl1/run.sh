#!/usr/bin/env bash
# Real voices from Debian packages: trains equal weighting and DRUW with three seeds, and what they are
# compared with; prints their tables.
# With --mtl_config, --stage or --stop_stage: one experiment, as in every recipe (see ./run.sh --help).
set -euo pipefail
cd "$(dirname "$0")"

case " $* " in
    *" --mtl_config"* | *" --stage"* | *" --stop_stage"* | *" --stop-stage"* | *" --mtl-config"* | *" --help "*)
        exec ./mtl.sh "$@"
        ;;
esac

local/table.sh --rows "EW=conf/tuning/train_equal.yaml DRUW=conf/tuning/train_druw.yaml" --title "Voices of free games" \
    --out exp/TABLE.md -- "$@"
./mtl.sh "$@" --mtl_config conf/tuning/train_equal.yaml --seed 1 --tag train_equal_seed1 \
    --stage 9 --stop_stage 10
echo "plots: $(pwd)/exp/train_equal_seed1/report/report.html"
