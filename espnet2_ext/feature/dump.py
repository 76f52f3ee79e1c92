"""The parts of parallel extraction jobs put together as one dump directory."""

import json
import shutil
from pathlib import Path
from typing import Any

import yaml

from espnet2_ext.data.data_dir import read_dir, select, write_tables
from espnet2_ext.errors import UserError
from espnet2_ext.feature.abs_feature import AbsFeature
from espnet2_ext.fileio.atomic import fsync_path
from espnet2_ext.fileio.table import read_table

# As Kaldi's feature scripts: fewer survivors are a fault of the corpus and not of single files.
_LEAST_SURVIVORS = 0.95
_TABLES = ("feats.scp", "utt2num_frames", "utt2dur")


def combine_jobs(data_dir: Path, building: Path, dump_dir: Path, n_jobs: int, feature: AbsFeature) -> str:
    """Merge ``building/1``, ..., ``building/<n_jobs>`` and move the whole to its place.

    Args:
        data_dir: Data directory; its tables are copied, for the utterances that have features.
        building: Directory with the jobs' archives and one folder of tables per job.
        dump_dir: Final directory; an older one is replaced.
        n_jobs: Number of jobs.
        feature: The extractor; its options become feature.yaml.

    Returns:
        One line about the set.

    Raises:
        UserError: An utterance is in no job, or fewer than 95 % have features.
    """
    parts = [building / str(job) for job in range(1, n_jobs + 1)]
    merged: dict[str, dict[str, str]] = {name: {} for name in _TABLES}
    for part in parts:
        for name in _TABLES:
            merged[name].update(read_table(part / name))
    counts = _merge_counts(parts)
    tables = read_dir(data_dir)
    survivors = merged["feats.scp"]
    lost = [utt for utt in tables["utt2spk"] if utt not in survivors and utt not in counts["broken"]]
    if lost:
        raise UserError(f"{data_dir}: {len(lost)} utterances are in no job, the first is {lost[0]}; run again")
    if len(survivors) < _LEAST_SURVIVORS * len(tables["utt2spk"]):
        raise UserError(
            f"{data_dir}: only {len(survivors)} of {len(tables['utt2spk'])} utterances have features; "
            "see the lines 'broken:' in the jobs' logs"
        )
    write_tables(building, {**select(tables, survivors), **merged})
    (building / "feature.yaml").write_text(yaml.safe_dump(feature.config(), sort_keys=False), encoding="utf-8")
    (building / "make_feats.json").write_text(json.dumps(counts, indent=1) + "\n", encoding="utf-8")
    for part in [*parts, *building.glob("progress.*")]:
        if part.is_dir():
            shutil.rmtree(part)
        else:
            part.unlink()
    _replace(building, dump_dir)
    return _summary(dump_dir, counts, sum(float(value) for value in merged["utt2dur"].values()))


def take_features(data_dir: Path, source: Path, dump_dir: Path) -> str:
    """Make the dump directory of a set whose utterances have their features in another one; arks stay where they are.

    Args:
        data_dir: Data directory of the set; its tables, labels included, are copied.
        source: Dump directory of `combine_jobs` with the features of all its utterances.
        dump_dir: Directory to make; an older one is replaced.

    Returns:
        One line about the set.

    Raises:
        UserError: An utterance is not in `source`, or fewer than 95 % have features there.
    """
    tables = read_dir(data_dir)
    found = {name: read_table(source / name) for name in _TABLES}
    utts = list(tables["utt2spk"])
    survivors = [utt for utt in utts if utt in found["feats.scp"]]
    broken = json.loads((source / "make_feats.json").read_text(encoding="utf-8"))["broken"]
    lost = [utt for utt in utts if utt not in found["feats.scp"] and utt not in broken]
    if lost:
        raise UserError(f"{data_dir}: {len(lost)} utterances are not in {source}, the first is {lost[0]}; run stage 1")
    if len(survivors) < _LEAST_SURVIVORS * len(utts):
        raise UserError(f"{data_dir}: only {len(survivors)} of {len(utts)} utterances have features in {source}")
    building = dump_dir.with_name(f".{dump_dir.name}.building")
    shutil.rmtree(building, ignore_errors=True)
    chosen = {name: {utt: rows[utt] for utt in survivors} for name, rows in found.items()}
    write_tables(building, {**select(tables, survivors), **chosen})
    shutil.copyfile(source / "feature.yaml", building / "feature.yaml")
    _replace(building, dump_dir)
    return f"{dump_dir}: features of {len(survivors)} of {len(utts)} utterances are in {source}"


def _merge_counts(parts: list[Path]) -> dict[str, Any]:
    merged: dict[str, Any] = {"utterances": 0, "resampled": 0, "mixed_down": 0, "broken": {}}
    for part in parts:
        counts = json.loads((part / "make_feats.json").read_text(encoding="utf-8"))
        merged["broken"].update(counts.pop("broken"))
        for name, count in counts.items():
            merged[name] += count
    return merged


def _replace(building: Path, dump_dir: Path) -> None:
    """Move a directory over another; between the two renames there is none, which counts as not done."""
    for path in building.iterdir():
        fsync_path(path)
    fsync_path(building)
    old = dump_dir.with_name(f".{dump_dir.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if dump_dir.exists():
        dump_dir.rename(old)
    building.rename(dump_dir)
    fsync_path(dump_dir.parent)
    shutil.rmtree(old, ignore_errors=True)


def _summary(dump_dir: Path, counts: dict[str, Any], seconds: float) -> str:
    return (
        f"{dump_dir}: {counts['utterances']} utterances, {seconds / 60:.1f} minutes, {counts['resampled']} resampled, "
        f"{counts['mixed_down']} mixed down, {len(counts['broken'])} broken and left out"
    )
