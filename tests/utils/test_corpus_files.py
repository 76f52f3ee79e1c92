"""A corpus that changes after data preparation (utils/corpus_files.sh), and a stage that was stopped (run_stage.sh)."""

import subprocess
from pathlib import Path

import pytest
from tool_support import UTILS, Result, clean_environment


def bash(script: str, *arguments: object, cwd: Path, **extra: str) -> Result:
    """Run lines of bash as a recipe does."""
    environment = clean_environment(PATH=f"{UTILS}:{clean_environment()['PATH']}", **extra)
    command = ["bash", "-euo", "pipefail", "-c", script, "bash", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A table, wavs in two folders, one of them linked, and no videos; its path has a space."""
    root = tmp_path / "my corpus"
    for name in ("wav/a/1.wav", "wav/b/2.wav", "info.csv"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x")
    (root / "wav/b").rename(tmp_path / "elsewhere")
    (root / "wav/b").symlink_to(tmp_path / "elsewhere")
    patterns = [root / "info.csv", root / "wav/*", root / "video/*.avi"]
    result = bash(f'. {UTILS}/corpus_files.sh; note_corpus_files "$@"', "data/noted", *patterns, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    return root


def has_changed(folder: Path, noted: str = "data/noted", **extra: str) -> bool:
    code = f'. {UTILS}/corpus_files.sh; corpus_files_changed "$1" && echo yes || echo no'
    result = bash(code, noted, cwd=folder, **extra)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout == "yes\n"


def test_nothing_has_changed(corpus: Path) -> None:
    assert not has_changed(corpus.parent)
    # Hosts may differ in this.
    assert not has_changed(corpus.parent, TZ="Asia/Tokyo")
    assert [path.name for path in (corpus.parent / "data").iterdir()] == ["noted"]


def test_content_of_the_same_size(corpus: Path) -> None:
    (corpus / "info.csv").write_text("y")
    assert has_changed(corpus.parent)


def test_a_wav_that_came_later_also_in_a_linked_folder(corpus: Path) -> None:
    (corpus / "wav/b/3.wav").write_text("x")
    assert has_changed(corpus.parent)


def test_a_video_that_came_later(corpus: Path) -> None:
    (corpus / "video").mkdir()
    assert not has_changed(corpus.parent)
    (corpus / "video/a.avi").write_text("x")
    assert has_changed(corpus.parent)


def test_a_corpus_that_is_not_mounted(corpus: Path) -> None:
    """What was made of it is there, so the stages that follow can go on."""
    (corpus / "info.csv").unlink()
    assert not has_changed(corpus.parent)
    corpus.rename(corpus.with_name("away"))
    assert not has_changed(corpus.parent)


def test_nothing_was_noted(corpus: Path) -> None:
    (corpus.parent / "empty").touch()
    assert not has_changed(corpus.parent, "empty")
    assert not has_changed(corpus.parent, "none")


def test_a_stage_that_was_stopped_is_not_done_with_its_earlier_options(tmp_path: Path) -> None:
    """Options a; then b, which changes the output and fails; then a again: what is there is of b."""
    script = f"""
        option=$1
        . {UTILS}/log.sh
        . {UTILS}/run_stage.sh
        make_it() {{ echo "${{option}}" > out; [ "${{option}}" != b ]; }}
        run_stage 1 "option=${{option}}" in out make_it
    """
    (tmp_path / "in").touch()
    assert [bash(script, option, cwd=tmp_path).returncode for option in "aba"] == [0, 1, 0]
    assert (tmp_path / "out").read_text() == "a\n"
    assert "is up to date" in bash(script, "a", cwd=tmp_path).stderr
