"""Check a data directory: Kaldi's rules (as of `validate_data_dir.sh --no-text`) and those of label files.

Deviations from Kaldi's script: utt2dur is required; pipes are refused; `segments` is refused (one wav per utterance);
the files that wav.scp and feats.scp name must exist; every failure exits 1.
"""

import argparse
import codecs
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from espnet2_ext.data.data_dir import (
    FACT_FILES,
    SPK_FILES,
    Rows,
    group_by_speaker,
    label_files,
    read_lines,
    stream_files,
    utt_files,
)
from espnet2_ext.data.value_checks import VALUE_CHECKS, check_feats
from espnet2_ext.errors import UserError, run_cli

_SORT = "run utils/fix_data_dir.sh"


def read_strict(path: Path) -> Rows:
    """Read a table as Kaldi's tools need it: `<key> <value>` lines, sorted in byte order, no key twice.

    Raises:
        UserError: It is not.
    """
    raw = path.read_bytes()
    if not raw:
        raise UserError(f"{path}: the file is empty; remove it or make it again")
    if raw.startswith(codecs.BOM_UTF8):
        raise UserError(f"{path}: starts with a byte order mark, as Windows writes; {_SORT}")
    if b"\r" in raw:
        raise UserError(f"{path}: has Windows line ends; {_SORT}")
    if not raw.endswith(b"\n"):
        raise UserError(f"{path}: the last line has no line end, the file may be cut off; make it again")
    rows: Rows = {}
    previous = ""
    for number, line in enumerate(read_lines(path), 1):
        fields = line.split(maxsplit=1)
        if len(fields) < 2 or line[0].isspace():
            raise UserError(f"{path}:{number}: {line!r} is not `<key> <value>`; mend or delete the line")
        key = fields[0]
        if key in rows:
            raise UserError(f"{path}:{number}: {key}: stands twice; {_SORT}, which drops equal lines")
        if key < previous:
            raise UserError(f"{path}:{number}: {key}: not sorted (LC_ALL=C), it stands after {previous}; {_SORT}")
        rows[key] = fields[1]
        previous = key
    return rows


def _check_keys(
    path: Path, rows: Mapping[str, str], wanted: Mapping[str, object], source: str, partial: bool = False
) -> None:
    """Check that a table has exactly the wanted keys; with `partial`, no others."""
    for key in rows:
        if key not in wanted:
            raise UserError(f"{path}: {key}: not in {source}; mend the id, or {_SORT}, which drops the line")
    for key in () if partial else wanted:
        if key not in rows:
            raise UserError(f"{path}: {key}: missing here, but in {source}; add it or {_SORT}")


def _check_speakers(directory: Path, utt2spk: Rows, spk_sort: bool) -> None:
    path = directory / "utt2spk"
    for utt, spk in utt2spk.items():
        if len(spk.split()) != 1:
            raise UserError(f"{path}: {utt}: a line is `<utterance> <speaker>`, and an id holds no space")
    by_speaker = sorted(utt2spk, key=lambda utt: (utt2spk[utt], utt))
    if spk_sort and by_speaker != list(utt2spk):
        utt = next(a for a, b in zip(utt2spk, by_speaker, strict=True) if a != b)
        raise UserError(
            f"{path}: {utt}: sorted by utterance the speakers are not in order; let utterance ids start with the "
            f"speaker id and '-' (or allow it with --no-spk-sort)"
        )
    path = directory / "spk2utt"
    spk2utt = read_strict(path)
    groups = group_by_speaker(utt2spk)
    _check_keys(path, spk2utt, groups, "utt2spk")
    for spk, utts in groups.items():
        if spk2utt[spk].split() != utts:
            raise UserError(f"{path}: {spk}: does not list the utterances that utt2spk gives this speaker; {_SORT}")
    if len(groups) == 1:
        print(f"warning: {path}: one speaker only; no split by speaker is possible", file=sys.stderr)


def _check_untyped_labels(path: Path, rows: Rows) -> None:
    """Check a label file of which nothing is known: rows of numbers of one length, or one word each."""
    numeric: int | None = None
    for utt, value in rows.items():
        words = value.split()
        try:
            numbers = [float(word) for word in words]
        except ValueError:
            numbers = []
        if any(math.isinf(number) for number in numbers):
            raise UserError(f"{path}: {utt}: {value!r} holds an infinite value; write nan for a missing label")
        if not numbers and len(words) > 1:
            raise UserError(f"{path}: {utt}: {value!r}: a label is one class name without spaces, or numbers")
        if value == "nan":
            # A missing class and a missing number look the same.
            continue
        if numeric is not None and numeric != len(numbers):
            raise UserError(
                f"{path}: {utt}: {value!r} has another form than the lines before; give every utterance the same "
                f"number of values, or class names throughout"
            )
        numeric = len(numbers)


def _check_labels(directory: Path, utt2spk: Rows, tasks_path: str | None) -> dict[str, int]:
    """Check the label files; return the number of labelled utterances by task."""
    counts = {}
    for name in label_files(directory):
        path = directory / name
        rows = read_strict(path)
        _check_keys(path, rows, utt2spk, "utt2spk", partial=True)
        _check_untyped_labels(path, rows)
        counts[name.removeprefix("utt2")] = sum(set(value.split()) != {"nan"} for value in rows.values())
    if tasks_path is not None:
        # Imported here, as most calls have no tasks.yaml and start faster without it.
        from espnet2_ext.data.labels import read_labels
        from espnet2_ext.mtl.task_spec import load_task_spec

        for task in load_task_spec(tasks_path):
            if f"utt2{task.name}" in FACT_FILES:
                raise UserError(f"{tasks_path}: task {task.name!r}: Kaldi reserves utt2{task.name}; rename the task")
            read_labels(directory / f"utt2{task.name}", task, list(utt2spk))
    return counts


def validate(
    directory: Path,
    *,
    feats: bool = True,
    wav: bool = True,
    spk_sort: bool = True,
    allow_pipes: bool = False,
    tasks_path: str | None = None,
    streams: Sequence[str] = (),
) -> str:
    """Check a data directory.

    Args:
        directory: The data directory.
        feats: Whether feats.scp must be there; it is checked where it is.
        wav: The same for wav.scp.
        spk_sort: Whether utterances must also be in order when sorted by speaker.
        allow_pipes: Whether scp values may be commands.
        tasks_path: A tasks.yaml; labels must then be of its classes, dimensions and ranges.
        streams: Further feature streams whose `<stream>.scp` must be there; utterances may be without one.

    Returns:
        What there is, in one line.

    Raises:
        UserError: A rule is broken.
    """
    if not directory.is_dir():
        raise UserError(f"{directory}: no such directory; run the data preparation")
    needed = ["utt2spk", "spk2utt", "utt2dur"] + ["wav.scp"] * wav + ["feats.scp"] * feats
    needed += [f"{stream}.scp" for stream in streams]
    for name in needed:
        if not (directory / name).is_file():
            remedy = {"utt2dur": "run utils/get_utt2dur.sh", "spk2utt": _SORT}.get(name, "run the stage that makes it")
            option = {"wav.scp": " (or --no-wav)", "feats.scp": " (or --no-feats)"}.get(name, "")
            raise UserError(f"{directory / name}: no such file; {remedy}{option}")
    if (directory / "segments").exists():
        raise UserError(f"{directory / 'segments'}: not supported; cut the recordings into one wav per utterance")
    utt2spk = read_strict(directory / "utt2spk")
    _check_speakers(directory, utt2spk, spk_sort)
    speakers = group_by_speaker(utt2spk)
    labels, partial = label_files(directory), stream_files(directory)
    for name in [*utt_files(directory), *(n for n in SPK_FILES if (directory / n).is_file())]:
        if name in labels:
            continue
        path = directory / name
        rows = read_strict(path)
        by_speaker = name in SPK_FILES
        wanted, source = (speakers, "spk2utt") if by_speaker else (utt2spk, "utt2spk")
        _check_keys(path, rows, wanted, source, name in partial)
        check = check_feats if name in partial else VALUE_CHECKS.get(name)
        for key, value in rows.items() if check else ():
            check(path, key, value.rstrip(), allow_pipes)
    counts = _check_labels(directory, utt2spk, tasks_path)
    hours = sum(float(value) for value in read_strict(directory / "utt2dur").values()) / 3600
    listed = "; labels: " + ", ".join(f"{task} {n}" for task, n in counts.items()) if counts else "; no labels"
    return f"{directory}: valid: {len(utt2spk)} utterances, {len(speakers)} speakers, {hours:.2f} h{listed}"


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(
        prog="validate_data_dir.sh", description=__doc__.split("\n", 1)[0], allow_abbrev=False
    )
    parser.add_argument("--no-feats", action="store_true", help="feats.scp need not be there")
    parser.add_argument("--no-wav", action="store_true", help="wav.scp need not be there")
    parser.add_argument("--no-spk-sort", action="store_true", help="utterances need not be sorted by speaker too")
    parser.add_argument("--allow-pipes", choices=("true", "false"), default="false", help="scp values may be commands")
    parser.add_argument("--tasks", help="tasks.yaml that the labels must fit")
    parser.add_argument("--streams", default="", help="further feature streams whose <stream>.scp must be there")
    parser.add_argument("directory", type=Path)
    options = parser.parse_args()
    print(
        validate(
            options.directory,
            feats=not options.no_feats,
            wav=not options.no_wav,
            spk_sort=not options.no_spk_sort,
            allow_pipes=options.allow_pipes == "true",
            tasks_path=options.tasks,
            streams=options.streams.split(),
        )
    )
    return 0


if __name__ == "__main__":
    run_cli(main)
