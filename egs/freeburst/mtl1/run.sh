#!/usr/bin/env bash
# Real voices from Debian packages: trains the network with three seeds, and what it is compared with; prints their tables.
# With --mtl_config, --stage or --stop_stage: one experiment, as in every recipe (see ./run.sh --help).
set -euo pipefail
cd "$(dirname "$0")"

case " $* " in
    *" --mtl_config"* | *" --stage"* | *" --stop_stage"* | *" --stop-stage"* | *" --mtl-config"* | *" --help "*)
        exec ./mtl.sh "$@"
        ;;
esac

local/table.sh --rows "DRUW=conf/tuning/train_druw.yaml" --title "Voices of free games" --out exp/TABLE.md -- "$@"
./mtl.sh "$@" --mtl_config conf/tuning/train_druw.yaml --seed 1 --tag train_druw_seed1 --stage 9 --stop_stage 10
echo "plots: $(pwd)/exp/train_druw_seed1/report/report.html"
