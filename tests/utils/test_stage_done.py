"""utils/stage_done.py: a stage is done if options, inputs and outputs are what they were."""

import json
import os
from pathlib import Path

import pytest
from tool_support import Result, Tool


class Stage:
    """A stage with a marker, in the test's folder."""

    def __init__(self, tool: Tool, folder: Path) -> None:
        self.tool = tool
        self.folder = folder
        (folder / "in.txt").write_text("one")
        (folder / "out.txt").write_text("result")

    def call(self, action: str, options: str = "nj=4 bins=64", inputs: str = "in.txt") -> Result:
        arguments = ["--marker", "exp/.done", "--options", options, "--inputs", *inputs.split()]
        return self.tool("stage_done.py", action, *arguments, "--outputs", "out.txt")

    def reason(self, **changed: str) -> str:
        """Why the stage must run."""
        result = self.call("check", **changed)
        assert result.returncode == 1
        assert result.stdout == ""
        return result.stderr.strip()


@pytest.fixture
def stage(tool: Tool, tmp_path: Path) -> Stage:
    return Stage(tool, tmp_path)


@pytest.fixture
def done(stage: Stage) -> Stage:
    assert stage.call("write").returncode == 0
    assert stage.call("check").returncode == 0
    return stage


def test_not_run_yet(stage: Stage) -> None:
    assert stage.reason() == "stage must run: not run yet"


def test_same_content_with_a_new_time_is_done(done: Stage) -> None:
    os.utime(done.folder / "in.txt", (1, 1))
    assert done.call("check").returncode == 0


def test_changed_option(done: Stage) -> None:
    assert done.reason(options="nj=8 bins=64") == "stage must run: options changed: nj=8"


def test_changed_input_of_the_same_size_and_time(done: Stage) -> None:
    before = (done.folder / "in.txt").stat()
    (done.folder / "in.txt").write_text("two")
    os.utime(done.folder / "in.txt", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert done.reason() == "stage must run: in.txt: changed"


def test_more_and_fewer_inputs(done: Stage) -> None:
    (done.folder / "b").write_text("")
    assert done.reason(inputs="in.txt b") == "stage must run: b: new input"
    assert done.reason(inputs="b") == "stage must run: b: new input"
    assert done.call("write", inputs="in.txt b").returncode == 0
    assert done.reason(inputs="in.txt") == "stage must run: b: no longer an input"


def test_missing_input(done: Stage) -> None:
    (done.folder / "in.txt").unlink()
    assert done.reason() == "stage must run: in.txt: missing input"


def test_output_that_is_gone_or_cut_off(done: Stage) -> None:
    (done.folder / "out.txt").write_text("res")
    assert done.reason() == "stage must run: out.txt: its size changed from 6 to 3"
    (done.folder / "out.txt").unlink()
    assert done.reason() == "stage must run: out.txt: missing output"


def test_directory_stands_for_its_files(stage: Stage) -> None:
    folder = stage.folder / "data"
    for name in ("a", "sub/b", ".backup/c", "split4/1/a", "__pycache__/x.pyc", ".hidden"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    assert stage.call("write", inputs="data").returncode == 0
    for name in (".backup/c", "split4/1/a", "__pycache__/x.pyc", ".hidden"):
        (folder / name).write_text("changed")
    assert stage.call("check", inputs="data").returncode == 0
    (folder / "sub/b").write_text("changed")
    assert stage.reason(inputs="data") == "stage must run: data/sub/b: changed"
    (folder / "sub/new").write_text("")
    assert stage.call("write", inputs="data").returncode == 0
    assert stage.reason(inputs="data") == "stage must run: data/sub/new: new input"


def test_big_files_are_known_by_size_and_time(stage: Stage) -> None:
    big = stage.folder / "feats.ark"
    with big.open("wb") as file:
        file.truncate(9 * 2**20)
    assert stage.call("write", inputs="feats.ark").returncode == 0
    assert stage.call("check", inputs="feats.ark").returncode == 0
    os.utime(big, (1, 1))
    assert stage.reason(inputs="feats.ark") == "stage must run: feats.ark: changed"


def test_input_edited_while_the_stage_ran(stage: Stage) -> None:
    assert stage.reason() == "stage must run: not run yet"
    (stage.folder / "in.txt").write_text("edited meanwhile")
    assert stage.call("write").returncode == 0
    assert stage.reason() == "stage must run: in.txt: changed"
    assert stage.call("write").returncode == 0
    assert stage.call("check").returncode == 0


@pytest.mark.parametrize("name", ["in.txt", "out.txt"])
def test_nothing_is_written_when_a_file_is_missing(stage: Stage, name: str) -> None:
    (stage.folder / name).unlink()
    result = stage.call("write")
    assert result.returncode == 2
    assert result.stderr == f"error: {name}: missing, so exp/.done is not written; run the stage again\n"
    assert not (stage.folder / "exp/.done").exists()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": 0}'])
def test_torn_marker_counts_as_none(done: Stage, content: str) -> None:
    (done.folder / "exp/.done").write_text(content)
    assert done.reason() == "stage must run: not run yet"


def test_marker_says_what_was_done(done: Stage) -> None:
    marker = json.loads((done.folder / "exp/.done").read_text())
    # sha256 of "one", from coreutils.
    digest = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
    assert marker["inputs"] == {"in.txt": digest}
    assert marker["options"] == ["nj=4", "bins=64"]
    assert [path.name for path in (done.folder / "exp").iterdir()] == [".done"]
