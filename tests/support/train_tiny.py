"""Small trainings in this process."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from espnet2_ext.errors import UserError
from espnet2_ext.tasks.mtl import MTLTask


def train(options: list[str], out: Path, *more: str) -> dict[str, Any]:
    """Train; return history.json."""
    MTLTask.main(cmd=[*options, "--output_dir", str(out), *more])
    return json.loads((out / "history.json").read_text())


def complaint(options: list[str], out: Path, *more: str, config: dict[str, Any] | None = None) -> str:
    """The one line that a training ends with before it begins."""
    if config is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        (out.parent / "given.yaml").write_text(yaml.safe_dump(config))
        more = (*more, "--config", str(out.parent / "given.yaml"))
    with pytest.raises(UserError) as caught:
        MTLTask.main(cmd=[*options, "--output_dir", str(out), *more])
    assert "\n" not in str(caught.value)
    assert not (out / "checkpoint.pth").exists()
    return str(caught.value)
