"""Make data directories from a table of labels and a folder of audio files.

The table has a header; commas, semicolons and tabs are told apart. One column names the file, one the speaker, and
optionally one the split; the others are labels as tasks.yaml declares them: a regression's dimensions and a
classification's name are names of columns. An empty cell or `nan` is a missing label. White space in class names
becomes `_` (`South Africa` is the class `South_Africa`). Utterance ids are `<speaker>-<file>`.
"""

import argparse
import re
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from espnet2_ext.data.csv_labels import label, task_columns
from espnet2_ext.data.csv_table import CsvTable, normalise, read_csv
from espnet2_ext.data.data_dir import Rows, group_by_speaker, select, write_dir
from espnet2_ext.data.guess_tasks import write_draft
from espnet2_ext.data.split_by_speaker import (
    DEFAULT_FRACTIONS,
    DEFAULT_SETS,
    assign_speakers,
    check_fractions,
)
from espnet2_ext.data.wav_index import WavIndex
from espnet2_ext.data.wav_info import duration
from espnet2_ext.errors import UserError, run_cli
from espnet2_ext.mtl.task_spec import TaskSpec, load_task_spec

_FILE_COLUMNS = ("file", "filename", "file_name", "file_id", "path", "wav", "audio", "utterance", "utt", "name", "id")
_SPEAKER_COLUMNS = ("speaker", "speaker_id", "spk", "spk_id", "subject", "subject_id", "participant", "actor")
_SPLIT_COLUMNS = ("split", "set", "subset", "partition")
_SPLITS = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("dev", "devel", "development", "val", "valid", "validation"), "dev"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}
_MOST_ERRORS = 20


def safe_id(text: str, also: str = "") -> str:
    """Return a text as part of an id: letters, digits, `_`, `.` and `also` stay, all else becomes `_`."""
    return re.sub(rf"[^\w.{re.escape(also)}]+", "_", text).strip("_") or "_"


def _find_column(table: CsvTable, given: str | None, names: Sequence[str], option: str) -> int | None:
    """Return the place of the column that an option names, or else of the first usual name."""
    if given is not None:
        place = table.find(given)
        if place is None:
            raise UserError(f"{table.path}: {option} {given}: no such column; there are {', '.join(table.columns)}")
        return place
    return next((place for name in names if (place := table.find(name)) is not None), None)


def _each_row(table: CsvTable, convert: Callable[[int], str]) -> list[str]:
    """Convert every row; print one line for each that cannot be, and then raise UserError."""
    results, errors = [], 0
    for row in range(len(table.rows)):
        try:
            results.append(convert(row))
        except UserError as error:
            errors += 1
            if errors <= _MOST_ERRORS:
                print(f"error: {table.where(row)}: {error}", file=sys.stderr)
    if errors:
        raise UserError(f"{table.path}: {errors} of {len(table.rows)} rows cannot be used; mend or delete them")
    return results


def _speakers(table: CsvTable, place: int) -> list[str]:
    """Return the speaker ids. They hold no `-`, so that ids sorted by utterance are sorted by speaker too."""
    names: dict[str, str] = {}
    ids = []
    for row, cell in enumerate(table.column(place)):
        if not cell:
            raise UserError(
                f"{table.where(row)}: the speaker is missing in column {table.columns[place]!r}; fill it in"
            )
        spk = safe_id(cell)
        if names.setdefault(spk, cell) != cell:
            raise UserError(f"{table.where(row)}: speakers {names[spk]!r} and {cell!r} both become {spk!r}; rename one")
        ids.append(spk)
    return ids


def _wav(table: CsvTable, row: int, place: int, index: WavIndex) -> str:
    """Return the path of a row's audio file."""
    cell = table.rows[row][place]
    if not cell:
        raise UserError(f"the file is missing in column {table.columns[place]!r}; fill it in")
    return str(index.find(cell))


def _utterances(table: CsvTable, speakers: Sequence[str], wavs: Sequence[Path], root: Path) -> list[str]:
    """Return the utterance ids: `<speaker>-<file>`, with the folders where the file's name alone is not unique."""
    short = [f"{spk}-{safe_id(wav.stem, '-')}" for spk, wav in zip(speakers, wavs, strict=True)]
    repeated = {utt for utt, count in Counter(short).items() if count > 1}
    utts, seen = [], {}
    for row, (utt, spk, wav) in enumerate(zip(short, speakers, wavs, strict=True)):
        if utt in repeated:
            utt = f"{spk}-{safe_id(str(wav.relative_to(root).with_suffix('')), '-')}"
        if utt in seen:
            raise UserError(
                f"{table.where(row)}: {utt}: is in line {table.lines[seen[utt]]} too; delete one of the rows"
            )
        seen[utt] = row
        utts.append(utt)
    return utts


def _split_names(table: CsvTable, place: int) -> list[str]:
    """Return the name of the set of every row; the usual names become train, dev and test, others get a warning."""
    names, others = [], set()
    for row, cell in enumerate(table.column(place)):
        if not cell:
            raise UserError(f"{table.where(row)}: the split is missing in column {table.columns[place]!r}; fill it in")
        name = _SPLITS.get(normalise(cell), safe_id(cell))
        if name not in DEFAULT_SETS and name not in others:
            others.add(name)
            # A corpus may have such a set; a misspelt one would silently be missing from the others.
            print(
                f"warning: {table.where(row)}: split {cell!r} is none of {', '.join(DEFAULT_SETS)}; its rows become a "
                f"set of that name, which is used only where an option of ./run.sh names it",
                file=sys.stderr,
            )
        names.append(name)
    return names


def _labels(table: CsvTable, spec: TaskSpec, utts: Sequence[str]) -> dict[str, Rows]:
    """Return the label tables of all tasks by file name."""
    tables = {}
    for task in spec:
        places = task_columns(table, task)
        rows: Rows = {}
        for row, utt in enumerate(utts):
            text = label(table.rows[row], places, task, table.delimiter, table.where(row))
            if text is not None:
                rows[utt] = text
        if not rows:
            raise UserError(f"{table.path}: task {task.name!r} has no label at all; fill its column or drop the task")
        tables[f"utt2{task.name}"] = rows
    return tables


def _assign(
    tables: dict[str, Rows], names: Sequence[str], fractions: Sequence[float], seed: int
) -> dict[str, list[str]]:
    """Split by speaker; return the utterances of every set."""
    groups = group_by_speaker(tables["utt2spk"])
    assigned = assign_speakers({spk: len(utts) for spk, utts in groups.items()}, fractions, seed)
    return {
        name: [utt for spk, utts in groups.items() if assigned[spk] == number for utt in utts]
        for number, name in enumerate(names)
    }


def _warn_shared_speakers(utt2spk: Rows, sets: dict[str, list[str]]) -> None:
    first: dict[str, str] = {}
    for name, utts in sets.items():
        for utt in utts:
            if first.setdefault(utt2spk[utt], name) != name:
                print(f"warning: speaker {utt2spk[utt]} is in {first[utt2spk[utt]]} and {name}", file=sys.stderr)
                return


def convert(options: argparse.Namespace) -> dict[str, int]:
    """Make the data directories; return their numbers of utterances.

    Raises:
        UserError: The table, the audio files and tasks.yaml do not fit each other. Nothing is written then.
    """
    check_fractions(DEFAULT_SETS[: len(options.fractions)], options.fractions)
    table = read_csv(options.csv)
    file_place = _find_column(table, options.file_column, _FILE_COLUMNS, "--file-column")
    spk_place = _find_column(table, options.speaker_column, _SPEAKER_COLUMNS, "--speaker-column")
    split_place = _find_column(table, options.split_column, _SPLIT_COLUMNS, "--split-column")
    for place, kind in ((file_place, "file"), (spk_place, "speaker")):
        if place is None:
            columns = ", ".join(table.columns)
            raise UserError(f"{table.path}: which column is the {kind}? give --{kind}-column, one of {columns}")
    index = WavIndex(options.wav_dir)
    speakers = _speakers(table, spk_place)
    wavs = [Path(path) for path in _each_row(table, lambda row: _wav(table, row, file_place, index))]
    durations = _each_row(table, lambda row: f"{duration(wavs[row]):.6g}")
    utts = _utterances(table, speakers, wavs, index.root)
    if options.guess:
        write_draft(table, [file_place, spk_place, split_place], options.tasks)
    tables: dict[str, Rows] = {
        "utt2spk": dict(zip(utts, speakers, strict=True)),
        "wav.scp": dict(zip(utts, map(str, wavs), strict=True)),
        "utt2dur": dict(zip(utts, durations, strict=True)),
        **_labels(table, load_task_spec(options.tasks), utts),
    }
    if split_place is None:
        if len(set(speakers)) < len(options.fractions):
            raise UserError(
                f"{table.path}: too few speakers for {len(options.fractions)} sets that share none: "
                f"{len(set(speakers))}; add a column 'split'"
            )
        sets = _assign(tables, DEFAULT_SETS[: len(options.fractions)], options.fractions, options.seed)
    else:
        names = _split_names(table, split_place)
        sets = {name: [utt for utt, of in zip(utts, names, strict=True) if of == name] for name in sorted(set(names))}
        _warn_shared_speakers(tables["utt2spk"], sets)
    for name, chosen in sets.items():
        write_dir(options.out / name, select(tables, chosen))
    return {name: len(chosen) for name, chosen in sets.items()}


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(
        prog="csv_to_data_dir.py",
        description=__doc__,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--csv", required=True, help="the table")
    parser.add_argument(
        "--wav-dir", required=True, type=Path, help="folder of the audio files, searched with all below"
    )
    parser.add_argument("--out", required=True, type=Path, help="the sets become <out>/<split>")
    parser.add_argument("--tasks", required=True, type=Path, help="tasks.yaml")
    parser.add_argument("--guess", action="store_true", help="write a draft of tasks.yaml from the columns first")
    parser.add_argument("--file-column", help=f"default: the first of {', '.join(_FILE_COLUMNS)}")
    parser.add_argument("--speaker-column", help=f"default: the first of {', '.join(_SPEAKER_COLUMNS)}")
    parser.add_argument("--split-column", help=f"default: the first of {', '.join(_SPLIT_COLUMNS)}; none: by speaker")
    parser.add_argument(
        "--fractions",
        nargs="+",
        type=float,
        default=list(DEFAULT_FRACTIONS),
        help="shares of train, dev and test where no column says the split",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of that split")
    options = parser.parse_args()
    for name, count in convert(options).items():
        print(f"{options.out / name}: {count} utterances")
    return 0


if __name__ == "__main__":
    run_cli(main)
