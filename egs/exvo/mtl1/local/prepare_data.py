#!/usr/bin/env python3
"""Make data/{train,dev,test} from the challenge's folder: data_info.csv and wav/.

Beside the usual files each set has `file_id2utt` (a line for every row of the table, `-` where there is no wav) and
`country_codes`, which submissions need.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from data_info import BLIND, SETS, Countries, Recording, read_recordings

from espnet2_ext.data.csv_table import read_csv
from espnet2_ext.data.data_dir import Rows, write_dir
from espnet2_ext.data.wav_index import WavIndex
from espnet2_ext.data.wav_info import duration
from espnet2_ext.errors import UserError, run_cli
from espnet2_ext.mtl.task_spec import TaskSpec, load_task_spec

# Rows of the released table, and its speakers.
RELEASED = {"train": 19990, "dev": 19396, "test": 19815}
RELEASED_SPEAKERS = 1702
# More than this without a wav is a wrong or torn copy of the corpus and not a few lost files.
MOST_WITHOUT_WAV = 0.05
NO_UTTERANCE = "-"


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="folder with data_info.csv and wav/")
    parser.add_argument("--data_dir", type=Path, required=True, help="folder of the data directories")
    parser.add_argument("--tasks", type=Path, required=True, help="tasks.yaml")
    parser.add_argument("--countries", nargs="+", required=True, help="countries in the order of their numbers")
    parser.add_argument("--allow_missing", choices=("true", "false"), default="false")
    arguments = parser.parse_args()
    spec = load_task_spec(arguments.tasks)
    table = read_csv(find_table(arguments.root))
    recordings, countries = read_recordings(table, spec, arguments.countries, arguments.allow_missing == "true")
    wavs = find_wavs(recordings, arguments.root / "wav")
    chosen = {name: [recording for recording in recordings if recording.set_name == name] for name in SETS.values()}
    # All that can fail comes before the first file is written.
    tables = {name: data_tables(found, wavs, spec, countries) for name, found in chosen.items()}
    for name in SETS.values():
        write_dir(arguments.data_dir / name, tables[name])
        print(report(name, chosen[name], tables[name]))
    compare_with_release(recordings)


def find_table(root: Path) -> Path:
    """Return the path of data_info.csv.

    Raises:
        UserError: The folder is not the challenge's.
    """
    path = root / "data_info.csv"
    if not root.is_dir():
        raise UserError(f"{root}: no such directory; give the challenge's folder with --exvo_root, or set EXVO_ROOT")
    if not path.is_file():
        raise UserError(f"{path}: no such file; --exvo_root is the folder that holds data_info.csv and wav/")
    return path


def find_wavs(recordings: Sequence[Recording], folder: Path) -> dict[str, Path]:
    """Return the audio file of each id that has one.

    Raises:
        UserError: More than 5 % have none.
    """
    index = WavIndex(folder)
    wavs, lost = {}, []
    for recording in recordings:
        try:
            wavs[recording.file_id] = index.find(recording.file_id)
        except UserError:
            lost.append(recording)
    if lost:
        message = f"{len(lost)} of {len(recordings)} ids have no wav in {folder}, the first is {lost[0].file_id}"
        if len(lost) > MOST_WITHOUT_WAV * len(recordings):
            raise UserError(f"{lost[0].where}: {message}; unpack the corpus again")
        print(f"warning: {lost[0].where}: {message}; left out", file=sys.stderr)
    return wavs


def data_tables(
    recordings: Sequence[Recording], wavs: dict[str, Path], spec: TaskSpec, countries: Countries
) -> dict[str, Rows]:
    """Return the files of one set's data directory.

    Raises:
        UserError: An audio file cannot be read.
    """
    names = ("utt2spk", "wav.scp", "utt2dur", "file_id2utt", *(f"utt2{task.name}" for task in spec))
    tables: dict[str, Rows] = {name: {} for name in names}
    tables["country_codes"] = {str(code): name for code, name in countries.codes.items()}
    for recording in recordings:
        wav, utt = wavs.get(recording.file_id), recording.utt
        tables["file_id2utt"][recording.file_id] = NO_UTTERANCE if wav is None else utt
        if wav is None:
            continue
        tables["utt2spk"][utt] = recording.speaker
        tables["wav.scp"][utt] = str(wav)
        tables["utt2dur"][utt] = f"{duration(wav):.6g}"
        for task, text in recording.labels.items():
            tables[f"utt2{task}"][utt] = text
    return tables


def report(name: str, recordings: Sequence[Recording], tables: dict[str, Rows]) -> str:
    """Return what a set holds, in one line."""
    seconds = sum(map(float, tables["utt2dur"].values()))
    labelled = "no labels" if name == BLIND and not recordings[0].labels else "labels"
    return (
        f"{name}: {len(recordings)} rows (released: {RELEASED[name]}), {len(tables['wav.scp'])} with a wav, "
        f"{len(set(tables['utt2spk'].values()))} speakers, {seconds / 3600:.2f} h, {labelled}"
    )


def compare_with_release(recordings: Sequence[Recording]) -> None:
    """Say in one line for each number how the table differs from the released one."""
    for name, released in RELEASED.items():
        rows = sum(recording.set_name == name for recording in recordings)
        if rows != released:
            print(f"warning: {name} has {rows} rows, the released table {released}", file=sys.stderr)
    without = sum(recording.speaker == f"unknown{recording.file_id}" for recording in recordings)
    speakers = len({recording.speaker for recording in recordings})
    if without:
        print(f"warning: {without} rows have no Subject_ID; each counts as a speaker of its own", file=sys.stderr)
    elif speakers != RELEASED_SPEAKERS:
        print(f"warning: {speakers} speakers, the corpus has {RELEASED_SPEAKERS}", file=sys.stderr)


if __name__ == "__main__":
    run_cli(main)
