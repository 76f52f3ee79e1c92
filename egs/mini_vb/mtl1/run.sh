#!/usr/bin/env bash
# Synthetic vocal bursts: makes the corpus, trains equal weighting, DRUW and the single tasks, prints their table.
# With --mtl_config, --stage or --stop_stage: one experiment, as in every recipe (see ./run.sh --help).
set -euo pipefail
cd "$(dirname "$0")"

single="conf/tuning/train_single_emotion.yaml,conf/tuning/train_single_country.yaml,conf/tuning/train_single_age.yaml"

case " $* " in
    *" --mtl_config"* | *" --stage"* | *" --stop_stage"* | *" --stop-stage"* | *" --mtl-config"* | *" --help "*)
        exec ./mtl.sh "$@"
        ;;
esac

./grid.sh --rows "EW=conf/tuning/train_equal.yaml DRUW=conf/tuning/train_druw.yaml ST=${single}" \
    --title "Synthetic vocal bursts" --out exp/TABLE.md -- "$@"
./mtl.sh "$@" --mtl_config conf/tuning/train_druw.yaml --seed 1 --tag train_druw_seed1 --stage 9 --stop_stage 9
echo "plots: $(pwd)/exp/train_druw_seed1/report/report.html"
