"""Data directories as sets of tables: reading loosely, choosing utterances, writing whole.

Every `utt2*` file is carried along whatever the task is called.
"""

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from espnet2_ext.errors import UserError
from espnet2_ext.fileio.table import write_table

# Files keyed by utterance besides utt2*; and files keyed by speaker.
UTT_FILES = ("wav.scp", "feats.scp", "vad.scp", "text")
SPK_FILES = ("spk2gender", "spk2warp", "cmvn.scp")
# utt2* files that hold facts and not a task's labels: Kaldi wants a line for every utterance in them.
FACT_FILES = ("utt2spk", "utt2dur", "utt2num_frames", "utt2lang", "utt2uniq", "utt2warp")

Rows = dict[str, str]


def utt_files(directory: Path) -> list[str]:
    """Return the names of the files keyed by utterance that a data directory holds, sorted."""
    names = {path.name for path in directory.glob("utt2*") if path.is_file()}
    names.update(name for name in UTT_FILES if (directory / name).is_file())
    return sorted(names | set(stream_files(directory)))


def stream_files(directory: Path) -> list[str]:
    """Return the names of the further feature streams `<stream>.scp` that a data directory holds, sorted.

    A stream, such as video.scp, goes along with the utterances that have it; the others lack it, which is no error.
    """
    return sorted(
        path.name for path in directory.glob("*.scp") if path.is_file() and path.name not in (*UTT_FILES, *SPK_FILES)
    )


def label_files(directory: Path) -> list[str]:
    """Return the names of the label files `utt2<task>` that a data directory holds, sorted."""
    return [name for name in utt_files(directory) if name.startswith("utt2") and name not in FACT_FILES]


def read_lines(path: Path) -> list[str]:
    """Return the lines of a table without their ends; a Windows line end and a byte order mark are taken off.

    Raises:
        UserError: The file is missing or not UTF-8.
    """
    try:
        text = path.read_bytes().decode("utf-8").removeprefix("\ufeff")
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 (byte {error.start}); convert it, e.g. with iconv") from error
    return [line.rstrip("\r") for line in text.split("\n")[: None if not text.endswith("\n") else -1]]


def read_rows(path: Path) -> Rows:
    """Read a table in any order; lines that stand twice count once, blank lines not at all.

    Raises:
        UserError: A key has two values or none.
    """
    rows: Rows = {}
    for number, line in enumerate(read_lines(path), 1):
        fields = line.split(maxsplit=1)
        if not fields:
            continue
        if len(fields) == 1:
            raise UserError(f"{path}:{number}: {fields[0]}: no value; give one or delete the line")
        key, value = fields[0], fields[1].rstrip()
        if rows.setdefault(key, value) != value:
            raise UserError(f"{path}:{number}: {key}: stands twice with different values; delete the wrong line")
    return rows


def read_list(path: Path) -> list[str]:
    """Return the first word of every line, e.g. a list of utterances.

    Raises:
        UserError: The file is missing, not UTF-8, or empty.
    """
    words = [line.split()[0] for line in read_lines(path) if line.split()]
    if not words:
        raise UserError(f"{path}: the list is empty")
    return words


def read_utt2spk(directory: Path) -> Rows:
    """Return the speaker of every utterance.

    Raises:
        UserError: The file is missing, empty, or a line is not `<utterance> <speaker>`.
    """
    path = directory / "utt2spk"
    if not path.is_file():
        raise UserError(f"{path}: no such file; is {directory} a data directory?")
    rows = read_rows(path)
    if not rows:
        raise UserError(f"{path}: the file is empty")
    for utt, spk in rows.items():
        if len(spk.split()) != 1:
            raise UserError(f"{path}: {utt}: a line is `<utterance> <speaker>`, and an id holds no space")
    return rows


def group_by_speaker(utt2spk: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the utterances of every speaker; both sorted."""
    speakers: dict[str, list[str]] = {}
    for utt in sorted(utt2spk):
        speakers.setdefault(utt2spk[utt], []).append(utt)
    return dict(sorted(speakers.items()))


def read_dir(directory: Path) -> dict[str, Rows]:
    """Read all tables that are keyed by utterance or speaker, but spk2utt, which follows from utt2spk."""
    tables = {"utt2spk": read_utt2spk(directory)}
    for name in [*utt_files(directory), *(n for n in SPK_FILES if (directory / n).is_file())]:
        if name != "utt2spk":
            tables[name] = read_rows(directory / name)
    return tables


def select(tables: Mapping[str, Rows], utts: Iterable[str]) -> dict[str, Rows]:
    """Return the tables with these utterances and their speakers only."""
    keep = set(utts)
    utt2spk = {utt: spk for utt, spk in tables["utt2spk"].items() if utt in keep}
    speakers = set(utt2spk.values())
    chosen = {}
    for name, rows in tables.items():
        keys = speakers if name in SPK_FILES else keep
        chosen[name] = {key: value for key, value in rows.items() if key in keys}
    return chosen


def table_text(rows: Mapping[str, str]) -> str:
    """Return a table as the file holds it: sorted in byte order, one space after the key."""
    return "".join(f"{key} {rows[key]}\n" for key in sorted(rows))


def write_tables(directory: Path, tables: Mapping[str, Rows]) -> None:
    """Write the tables and spk2utt into a directory, each whole or not at all; a table without rows is not written.

    Raises:
        UserError: There is no utterance to write, or the disk refuses.
    """
    if not tables["utt2spk"]:
        raise UserError(f"{directory}: no utterance is left to write; check the selection")
    spk2utt = {spk: " ".join(utts) for spk, utts in group_by_speaker(tables["utt2spk"]).items()}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, rows in {**tables, "spk2utt": spk2utt}.items():
            if rows:
                write_table(directory / name, rows)
    except OSError as error:
        raise UserError(f"{directory}: cannot be written: {error.strerror}") from error


def write_dir(directory: Path, tables: Mapping[str, Rows]) -> None:
    """Write a data directory so that nothing of an older one stays; it appears when it is whole.

    Raises:
        UserError: The directory exists and is no data directory; or as `write_tables`.
    """
    if directory.exists() and any(directory.iterdir()) and not (directory / "utt2spk").is_file():
        raise UserError(f"{directory}: exists and is no data directory; name another one or remove it")
    temporary = directory.with_name(f".{directory.name}.tmp{os.getpid()}")
    try:
        write_tables(temporary, tables)
        if directory.exists():
            old = directory.with_name(f".{directory.name}.old{os.getpid()}")
            directory.rename(old)
            temporary.rename(directory)
            shutil.rmtree(old)
        else:
            temporary.rename(directory)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
