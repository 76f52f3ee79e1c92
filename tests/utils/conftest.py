"""The tools and a data directory as fixtures."""

import subprocess
from pathlib import Path

import pytest
from tool_support import CORPUS, UTILS, Result, Tool, clean_environment, write_rows, write_wav


@pytest.fixture
def tool(tmp_path: Path) -> Tool:
    """Run a tool of utils/ in the test's folder."""

    def run(name: str, *arguments: object, **environment: str) -> Result:
        return subprocess.run(
            [str(UTILS / name), *map(str, arguments)],
            cwd=tmp_path,
            env=clean_environment(**environment),
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A valid data directory with two tasks and missing labels."""
    directory = tmp_path / "data" / "all"
    for utt, (_, seconds, _, _) in CORPUS.items():
        write_wav(tmp_path / "wav" / f"{utt}.wav", seconds)
    write_rows(directory / "wav.scp", {utt: str(tmp_path / "wav" / f"{utt}.wav") for utt in CORPUS})
    write_rows(directory / "utt2spk", {utt: row[0] for utt, row in CORPUS.items()})
    write_rows(directory / "spk2utt", {"s1": "s1-a s1-b", "s2": "s2-a s2-b s2-c", "s3": "s3-a"})
    write_rows(directory / "utt2dur", {utt: str(row[1]) for utt, row in CORPUS.items()})
    write_rows(directory / "utt2emotion", {utt: row[2] for utt, row in CORPUS.items() if row[2]})
    write_rows(directory / "utt2country", {utt: row[3] for utt, row in CORPUS.items() if row[3]})
    return directory
