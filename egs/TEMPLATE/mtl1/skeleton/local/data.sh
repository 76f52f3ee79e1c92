#!/usr/bin/env bash
# Makes data/{train,dev,test}; stage 1 runs it from the recipe's folder.
#
# As it stands it reads one table of labels and a folder of wavs. For a corpus in another form, write the files of
# data/<set> yourself: wav.scp, utt2spk, one utt2<task> for each task, then utils/get_utt2dur.sh and utils/fix_data_dir.sh.
set -euo pipefail

options="corpus csv wav_dir guess seed"
corpus=${CORPUS_ROOT:-downloads}   # the corpus's root; edit, or set CORPUS_ROOT
csv=labels.csv                     # below the root: a header, one row a file: file, speaker, labels, maybe split
wav_dir=wav                        # below the root
guess=false                        # true: make conf/tasks.yaml from the columns; a present one becomes tasks.yaml.old
seed=0                             # of the split by speaker, where the table has no column `split`
help_message="Usage: $0 [options]
Makes data/{train,dev,test} from <corpus>/<csv> and <corpus>/<wav_dir>."

# shellcheck disable=SC1091  # the recipe's, not the skeleton's
. ./path.sh
. "${MAIN_ROOT}/utils/log.sh"
. "${MAIN_ROOT}/utils/corpus_files.sh"
. "${MAIN_ROOT}/utils/parse_options.sh"
[ $# -eq 0 ] || die "unknown argument '$1'; see --help"
[ -d "${corpus}" ] || die "${corpus}: no such directory; set CORPUS_ROOT, or give --corpus"
[ -f "${corpus}/${csv}" ] || die "${corpus}/${csv}: no such file; give --csv, or write its name into $0"

tasks=conf/tasks.yaml
draft=()
if "${guess}"; then
    # The present tasks.yaml stays where it is until the whole table could be read.
    tasks=conf/tasks.yaml.draft
    draft=(--guess)
    rm -f "${tasks}"
    trap 'rm -f "${tasks}"' EXIT
fi
# Utterances become <speaker>-<file>; white space in class names becomes _ (South_Africa). Further options:
# --file-column, --speaker-column, --split-column where the names differ; --fractions 0.8 0.1 0.1 for the split.
made=$("${MAIN_ROOT}/utils/csv_to_data_dir.py" --csv "${corpus}/${csv}" --wav-dir "${corpus}/${wav_dir}" --out data \
    --tasks "${tasks}" --seed "${seed}" "${draft[@]}")
echo "${made}"
if "${guess}"; then
    # Numbered: the second draft must not overwrite what was edited before the first.
    [ ! -f conf/tasks.yaml ] || mv --backup=numbered conf/tasks.yaml conf/tasks.yaml.old
    mv "${tasks}" conf/tasks.yaml
fi
# Not data/*: a set that an earlier table had may be there, with labels of other tasks.
while IFS=: read -r set _; do
    "${MAIN_ROOT}/utils/validate_data_dir.sh" --no-feats --tasks conf/tasks.yaml "${set}"
done <<< "${made}"
# When one of these changes, such as the table, ./run.sh notices, and runs stage 1 again.
note_corpus_files data/corpus_files "${corpus}/${csv}" "${corpus}/${wav_dir}" conf/tasks.yaml
