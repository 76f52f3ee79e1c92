"""search_exits.sh: which cells it runs, and that nothing brings the test set in (the stages are a stand-in)."""

import json
from pathlib import Path

from recipe_copy import RecipeCopy

MTL = """#!/usr/bin/env python3
import json, sys
with open("calls", "a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")
"""


def test_cells_and_sets(tmp_path: Path) -> None:
    recipe = RecipeCopy(tmp_path, "egs/mini_vb/mtl1")
    script = recipe.directory / "mtl.sh"
    script.unlink()
    script.write_text(MTL)
    script.chmod(0o755)
    search = ("--exits", "age=1,learnt country=4", "--seeds", "1 2", "--", "--test_sets", "dev test")
    result = recipe.run("local/search_exits.sh", *search)
    # The stand-in trains nothing, which the table finds out.
    assert "no experiment matches" in result.stderr.splitlines()[-1]
    calls = [json.loads(line) for line in (recipe.directory / "calls").read_text().splitlines()]
    for call in calls:
        given = dict(zip(call[::2], call[1::2], strict=True))  # the last one of a kind, as in mtl.sh
        assert (given["--valid_set"], given["--test_sets"], given["--blind_sets"]) == ("dev", "dev", "")
    tags = [call[call.index("--tag") + 1] for call in calls[1:]]
    assert tags == [f"train_age{age}_country4_seed{seed}" for age in ("1", "learnt") for seed in (1, 2)]
