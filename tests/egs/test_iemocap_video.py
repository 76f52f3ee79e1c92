"""Which half of which video shows an utterance's speaker, and when; and what is wrong in one line."""

from pathlib import Path

import numpy as np
import pytest
from iemocap_miniature import NO_WAV, make_corpus
from run_script import Result, run_script
from video_files import flat, write_lossless

from espnet2_ext.video.crop_table import read_crop_table

LOCAL = Path(__file__).parents[2] / "egs/iemocap/mtl1/local"
LEFT, RIGHT = (0, 0, 0.5, 1), (0.5, 0, 1, 1)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpus with the names of all videos of improvised dialogs but one."""
    folder = tmp_path_factory.mktemp("corpus")
    for dialog in make_corpus(folder, seconds=0.05).dialogs:
        path = folder / f"Session{dialog[4]}/dialog/avi/DivX/{dialog}.avi"
        path.parent.mkdir(parents=True, exist_ok=True)
        if "impro" in dialog and dialog != "Ses04M_impro02":
            path.touch()
    return folder


def table(root: Path, out: Path, changes: str = "", sides: Path = LOCAL / "video_sides.txt", **options: str) -> Result:
    """Run local/video_table.py."""
    given = {"dialogs": "improvised", "video": "auto"} | options
    words = [word for name, value in given.items() for word in (f"--{name}", value)]
    return run_script(
        LOCAL / "video_table.py", "--root", root, "--sides", sides, "--changes", changes, "--out", out, *words
    )


def test_video_time_and_half(corpus: Path, tmp_path: Path) -> None:
    """Who wears the markers is on the left; turns start every half second and last 0.05 s."""
    result = table(corpus, tmp_path / "table")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "9 of 10 dialogs have a video, 79 utterances\n"
    found = read_crop_table(tmp_path / "table")
    # F000, M000, F001, M001, ...: turn 3 starts at 1.5 s.
    for utt, start, region in (
        ("Ses01F-Ses01F_impro01_F000", 0, LEFT),
        ("Ses01M-Ses01F_impro01_M001", 1.5, RIGHT),
        ("Ses03F-Ses03M_impro02_F001", 1, RIGHT),
        ("Ses05M-Ses05M_impro02_M000", 0.5, LEFT),
    ):
        assert found[utt].region == region
        assert (found[utt].start, found[utt].end) == pytest.approx((start, start + 0.05))
        assert found[utt].frames == 2
        name = utt.split("-")[1].rsplit("_", 1)[0]
        assert found[utt].video == corpus / f"Session{name[4]}/dialog/avi/DivX/{name}.avi"
    assert not any(NO_WAV in utt or "script" in utt for utt in found)
    assert table(corpus, tmp_path / "table", dialogs="all").stdout == "9 of 15 dialogs have a video, 119 utterances\n"


def test_sides_can_differ_by_session_and_dialog(corpus: Path, tmp_path: Path) -> None:
    assert table(corpus, tmp_path / "table", "Ses02=right,Ses03F_impro01=right").returncode == 0
    found = read_crop_table(tmp_path / "table")
    for utt, region in (
        ("Ses01F-Ses01F_impro01_F000", LEFT),
        ("Ses02F-Ses02F_impro01_F000", RIGHT),
        ("Ses02M-Ses02F_impro01_M000", LEFT),
        ("Ses03F-Ses03F_impro01_F000", RIGHT),
        ("Ses03M-Ses03M_impro02_M000", LEFT),
    ):
        assert found[utt].region == region, utt


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ("Ses02:right", "'Ses02:right' is not <session or dialog>=<left or right>"),
        ("Ses02=middle", "Ses02: 'middle' is not left or right"),
        ("Session2=left", "Session2 is no session such as Ses01, and no dialog"),
    ],
)
def test_bad_sides(corpus: Path, tmp_path: Path, changes: str, words: str) -> None:
    result = table(corpus, tmp_path / "table", changes)
    assert result.returncode == 1
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "table").exists()


def test_a_session_without_a_side(corpus: Path, tmp_path: Path) -> None:
    lines = (LOCAL / "video_sides.txt").read_text().splitlines(keepends=True)
    (tmp_path / "sides").write_text("".join(lines[:-1]))
    result = table(corpus, tmp_path / "table", sides=tmp_path / "sides")
    assert (result.returncode, "Ses05 is missing; each session needs a line" in result.stderr) == (1, True)


def speaking(number: int, left_first: bool) -> np.ndarray:
    """Frame of two people: turns of a second, who speaks flickers at five times the other's strength."""
    first = number * 1001 // 30000 % 2 == 0
    strength = (20, 4) if first == left_first else (4, 20)
    phase = number // 3 % 2
    return np.concatenate([flat(100 + strength[0] * phase), flat(100 + strength[1] * phase)], axis=1)


@pytest.mark.parametrize(("exchanged", "counts"), [(False, "10 of 10"), (True, "0 of 10")])
def test_check_of_sides(tmp_path: Path, exchanged: bool, counts: str) -> None:
    """Session 1 as the table has it or exchanged; of its dialogs the first of each actor with markers is taken."""
    lines, scp = [], []
    for name in ("Ses01F_impro01", "Ses01M_impro02", "Ses01M_impro03"):
        video = tmp_path / f"{name}.avi"
        if name.endswith("3"):
            video.write_bytes(b"not needed")
        else:
            write_lossless(video, [speaking(number, not exchanged) for number in range(152)])
        # Who wears the markers is on the left by the table and speaks first.
        for turn in range(5):
            side = LEFT if turn % 2 == 0 else RIGHT
            utt = f"{name}_{turn}"
            lines.append(f"{utt} {video} {turn} {turn + 1} {' '.join(map(str, side))}\n")
            scp.append(f"{utt} {tmp_path}/v.ark:{turn}\n")
    (tmp_path / "v.ark").touch()
    (tmp_path / "table").write_text("".join(lines))
    (tmp_path / "video.scp").write_text("".join(scp))
    result = run_script(
        LOCAL / "check_sides.py", "--table", tmp_path / "table", "--scp", tmp_path / "video.scp",
        "--out", tmp_path / "report",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "report").read_text() == f"Ses01 {counts}\n"
    assert f"moves more: Ses01 {counts}\n" in result.stdout
    assert ("warning: Ses01: in most turns the other half moves more" in result.stderr) == exchanged


def test_without_any_video(tmp_path: Path) -> None:
    """Audio only, or an error where video is asked for."""
    make_corpus(tmp_path / "audio", seconds=0.02)
    (tmp_path / "table").write_text("of an earlier run\n")
    result = table(tmp_path / "audio", tmp_path / "table")
    assert (result.returncode, result.stderr) == (0, "")
    assert "none of 10 dialogs has a video, such as " in result.stdout
    assert "Session1/dialog/avi/DivX/Ses01F_impro01.avi: audio only" in result.stdout
    assert not (tmp_path / "table").exists()
    result = table(tmp_path / "audio", tmp_path / "table", video="true")
    assert result.returncode == 1
    assert "Ses01F_impro01.avi: no such file, and no other dialog has a video; copy them, or --video" in result.stderr
