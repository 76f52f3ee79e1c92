"""Data directories of a released corpus, made from its recordings.

Beside the usual files each set has `file_id2utt`: a line for every row of the table, `-` where there is no wav.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from espnet2_ext.data.data_dir import Rows, write_dir
from espnet2_ext.data.recording import BLIND, SETS, Recording
from espnet2_ext.data.wav_index import WavIndex
from espnet2_ext.data.wav_info import duration
from espnet2_ext.errors import UserError

# More than this without a wav is a wrong or torn copy of the corpus and not a few lost files.
MOST_WITHOUT_WAV = 0.05
NO_UTTERANCE = "-"


@dataclass(frozen=True)
class Release:
    """What the released corpus holds: rows by set, and speakers."""

    rows: Mapping[str, int]
    speakers: int


def write_sets(
    recordings: Sequence[Recording],
    tasks: Sequence[str],
    wavs: Path,
    data_dir: Path,
    release: Release,
    further: Mapping[str, Rows],
) -> None:
    """Write the data directory of each set, and tell what it holds and how that differs from the release.

    Args:
        recordings: All recordings.
        tasks: Names of the tasks; each has its label file.
        wavs: Folder of the audio files, searched with all below.
        data_dir: Where the directories go.
        release: The released numbers.
        further: Files that each directory gets besides.

    Raises:
        UserError: More than 5 % of the recordings have no audio file, or one cannot be read. Nothing is written then.
    """
    paths = find_wavs(recordings, wavs)
    chosen = {name: [recording for recording in recordings if recording.set_name == name] for name in SETS.values()}
    # All that can fail comes before the first file is written.
    tables = {name: {**_data_tables(found, paths, tasks), **further} for name, found in chosen.items()}
    for name in SETS.values():
        write_dir(data_dir / name, tables[name])
        print(_report(name, chosen[name], tables[name], release))
    _compare(recordings, release)


def find_wavs(recordings: Sequence[Recording], folder: Path) -> dict[str, Path]:
    """Return the audio file of each id that has one.

    Raises:
        UserError: More than 5 % have none, or an id has several.
    """
    index = WavIndex(folder)
    wavs, lost = {}, []
    for recording in recordings:
        found = index.matches(recording.file_id)
        if len(found) > 1:
            several = f"{len(found)} wavs, {found[0]} and {found[1]}"
            raise UserError(f"{recording.where}: {recording.file_id}: has {several}; remove all but one")
        if found:
            wavs[recording.file_id] = found[0]
        else:
            lost.append(recording)
    if lost:
        message = f"{len(lost)} of {len(recordings)} ids have no wav in {folder}, the first is {lost[0].file_id}"
        if len(lost) > MOST_WITHOUT_WAV * len(recordings):
            raise UserError(f"{lost[0].where}: {message}; unpack the corpus again")
        print(f"warning: {lost[0].where}: {message}; left out", file=sys.stderr)
    return wavs


def _data_tables(recordings: Sequence[Recording], wavs: Mapping[str, Path], tasks: Sequence[str]) -> dict[str, Rows]:
    """Return the files of one set's data directory."""
    names = ("utt2spk", "wav.scp", "utt2dur", "file_id2utt", *(f"utt2{task}" for task in tasks))
    tables: dict[str, Rows] = {name: {} for name in names}
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


def _report(name: str, recordings: Sequence[Recording], tables: Mapping[str, Rows], release: Release) -> str:
    """Return what a set holds, in one line."""
    seconds = sum(map(float, tables["utt2dur"].values()))
    labelled = "no labels" if name == BLIND and not any(recording.labels for recording in recordings) else "labels"
    return (
        f"{name}: {len(recordings)} rows (released: {release.rows[name]}), {len(tables['wav.scp'])} with a wav, "
        f"{len(set(tables['utt2spk'].values()))} speakers, {seconds / 3600:.2f} h, {labelled}"
    )


def _compare(recordings: Sequence[Recording], release: Release) -> None:
    """Say in one line for each number how the table differs from the released one."""
    for name, released in release.rows.items():
        rows = sum(recording.set_name == name for recording in recordings)
        if rows != released:
            print(f"warning: {name} has {rows} rows, the released table {released}", file=sys.stderr)
    without = sum(not recording.has_speaker for recording in recordings)
    speakers = len({recording.speaker for recording in recordings})
    if without:
        print(f"warning: {without} rows have no Subject_ID; each counts as a speaker of its own", file=sys.stderr)
    elif speakers != release.speakers:
        print(f"warning: {speakers} speakers, the corpus has {release.speakers}", file=sys.stderr)
