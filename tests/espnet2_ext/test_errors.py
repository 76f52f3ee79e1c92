"""How entry points end."""

import pytest

from espnet2_ext.errors import UserError, run_cli


def user_error() -> None:
    raise UserError("a.wav: torn; copy it again")


def interrupted() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("main", "status", "line"),
    [
        (user_error, 1, "error: a.wav: torn; copy it again\n"),
        (interrupted, 130, "error: interrupted\n"),  # 128 and the number of SIGINT, as shells have it
        (lambda: 3, 3, ""),
        (lambda: None, 0, ""),
    ],
)
def test_status_and_line(main: object, status: int, line: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as end:
        run_cli(main)
    assert end.value.code == status
    assert capsys.readouterr().err == line
