"""search_exits.sh and search_orders.sh: which cells they run, and that nothing brings the test set in.

The stages are a stand-in.
"""

import json
from pathlib import Path

import pytest
from recipe_copy import RecipeCopy

MTL = """#!/usr/bin/env python3
import json, sys
with open("calls", "a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")
"""
EXITS = ("mini_vb", "local/search_exits.sh", ("--exits", "age=1,learnt country=4"))
EXIT_CELLS = ["train_age1_country4", "train_agelearnt_country4"]
CHAIN = "conf/tuning/train_chain_dwa.yaml"
ORDERS = (
    "avb", "local/search_orders.sh", ("--mtl_config", CHAIN, "--orders", "type,two,high,culture culture,high,two,type"),
)  # fmt: skip
ORDER_CELLS = [f"train_chain_dwa_{order}" for order in ("type_two_high_culture", "culture_high_two_type")]


@pytest.mark.parametrize(("search", "cells"), [(EXITS, EXIT_CELLS), (ORDERS, ORDER_CELLS)], ids=["exits", "orders"])
def test_cells_and_sets(tmp_path: Path, search: tuple[str, str, tuple[str, ...]], cells: list[str]) -> None:
    name, script, options = search
    recipe = RecipeCopy(tmp_path, f"egs/{name}/mtl1")
    stages = recipe.directory / "mtl.sh"
    stages.unlink()
    stages.write_text(MTL)
    stages.chmod(0o755)
    result = recipe.run(script, *options, "--seeds", "1 2", "--", "--test_sets", "dev test")
    # The stand-in trains nothing, which the table finds out.
    assert "no experiment matches" in result.stderr.splitlines()[-1]
    calls = [json.loads(line) for line in (recipe.directory / "calls").read_text().splitlines()]
    for call in calls:
        given = dict(zip(call[::2], call[1::2], strict=True))  # the last one of a kind, as in mtl.sh
        assert (given["--valid_set"], given["--test_sets"], given["--blind_sets"]) == ("dev", "dev", "")
    tags = [call[call.index("--tag") + 1] for call in calls[1:]]
    assert tags == [f"{cell}_seed{seed}" for cell in cells for seed in (1, 2)]
