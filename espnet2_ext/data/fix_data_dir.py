"""Mend a data directory: sort, drop lines that stand twice, keep the utterances that every file has."""

import argparse
import shutil
from pathlib import Path

from espnet2_ext.data.data_dir import (
    FACT_FILES,
    SPK_FILES,
    UTT_FILES,
    Rows,
    group_by_speaker,
    read_dir,
    read_rows,
    select,
    table_text,
    write_tables,
)
from espnet2_ext.errors import UserError, run_cli


def _rebuild_utt2spk(directory: Path) -> None:
    """Make utt2spk from spk2utt where only that exists."""
    if (directory / "utt2spk").exists() or not (directory / "spk2utt").is_file():
        return
    rows = read_rows(directory / "spk2utt")
    write_tables(directory, {"utt2spk": {utt: spk for spk, utts in rows.items() for utt in utts.split()}})


def _changed(directory: Path, texts: dict[str, str]) -> list[str]:
    """Return the names of the files whose content is not what it should be."""
    return [
        name
        for name, text in texts.items()
        if not (directory / name).is_file() or (directory / name).read_bytes() != text.encode()
    ]


def _intersect(directory: Path, tables: dict[str, Rows]) -> dict[str, Rows]:
    """Return the tables with the utterances that all files with a line per utterance have.

    Raises:
        UserError: There is none.
    """
    known = set(tables["utt2spk"])
    utts = set(known)
    for name, rows in tables.items():
        if name in SPK_FILES:
            continue
        complete = name in UTT_FILES or name in FACT_FILES
        # Labels may be few, but ids of another form would take them all away.
        if not set(rows) & utts if complete else rows and not set(rows) & known:
            raise UserError(f"{directory / name}: shares no utterance with the other files; check its ids")
        if complete:
            utts &= set(rows)
    speakers = {tables["utt2spk"][utt] for utt in utts}
    for name in SPK_FILES:
        speakers &= set(tables.get(name, speakers))
    tables = select(tables, [utt for utt in utts if tables["utt2spk"][utt] in speakers])
    if not tables["utt2spk"]:
        raise UserError(f"{directory}: no utterance is in all files; check their ids")
    return tables


def fix(directory: Path) -> str:
    """Mend a data directory in place; the files that change are kept in `.backup`.

    Utterances stay that utt2spk and every other file with a line per utterance have (wav.scp, feats.scp, utt2dur, ...).
    Label files lose the lines of the others, but drop none: a missing label is no error.

    Returns:
        What was done, in one line.

    Raises:
        UserError: A key has two different values (which one is right only the user knows), or no utterance is left.
    """
    _rebuild_utt2spk(directory)
    tables = read_dir(directory)
    before = {name: len(rows) for name, rows in tables.items()}
    tables = _intersect(directory, tables)
    spk2utt = {spk: " ".join(utts) for spk, utts in group_by_speaker(tables["utt2spk"]).items()}
    texts = {name: table_text(rows) for name, rows in {**tables, "spk2utt": spk2utt}.items()}
    changed = _changed(directory, texts)
    if not changed:
        return f"{directory}: nothing to mend, {before['utt2spk']} utterances"
    backup = directory / ".backup"
    backup.mkdir(exist_ok=True)
    for name in changed:
        if (directory / name).is_file():
            shutil.copy2(directory / name, backup / name)
        if not texts[name]:
            (directory / name).unlink(missing_ok=True)
    write_tables(
        directory, {name: rows for name, rows in tables.items() if name in changed} | {"utt2spk": tables["utt2spk"]}
    )
    dropped = {name: before[name] - len(rows) for name, rows in tables.items() if len(rows) < before[name]}
    listed = ", ".join(f"{n} (lines dropped: {dropped[n]})" if n in dropped else n for n in sorted(changed))
    return (
        f"{directory}: kept {len(tables['utt2spk'])} of {before['utt2spk']} utterances; changed {listed}; "
        f"old ones in {backup}"
    )


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="fix_data_dir.sh", description=__doc__, allow_abbrev=False)
    parser.add_argument("directory", type=Path)
    print(fix(parser.parse_args().directory))
    return 0


if __name__ == "__main__":
    run_cli(main)
