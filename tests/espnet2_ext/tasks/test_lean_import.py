"""A training starts without the parts of ESPnet that no option of it can use."""

import subprocess
import sys

PROGRAM = """
import sys
from espnet2_ext.tasks.lean_import import UNUSED, lean_import
with lean_import():
    import espnet2.tasks.abs_task
    import espnet2.train.trainer
assert "transformers" not in sys.modules and "espnet2.gan_tts" not in sys.modules
assert not set(UNUSED) & set(sys.modules)
for place, name in ((espnet2.tasks.abs_task, "create_adapter"), (espnet2.train.trainer, "calculate_all_attentions")):
    try:
        getattr(place, name)()
    except RuntimeError as error:
        print(error)
from espnet2.main_funcs.calculate_all_attentions import calculate_all_attentions
print(calculate_all_attentions.__module__)
"""


def test_what_is_left_out_and_comes_back() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    # The modules themselves may print when they come.
    assert [line for line in done.stdout.splitlines() if line.startswith("espnet2.")] == [
        "espnet2.layers.create_adapter was left out of this process; see espnet2_ext.tasks.lean_import",
        "espnet2.main_funcs.calculate_all_attentions was left out of this process; see espnet2_ext.tasks.lean_import",
        "espnet2.main_funcs.calculate_all_attentions",
    ]
