"""Run all benchmarks and write docs/performance.md: `python tests/bench/write_performance.py`.

Each benchmark is a process of its own, so that none pays for another's imports or threads.
"""

import datetime
import json
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ("bench_ark", "bench_features", "bench_weighting", "bench_trainer", "bench_step", "bench_ssl")
HEAD = """# Performance

Written by `python tests/bench/write_performance.py`, with the environment active and nothing else running; the figures
are of one machine and one run, so compare the ratios. No figure here is of a GPU.

{facts}
"""


def main() -> None:
    """Entry point."""
    facts = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "Python": platform.python_version(),
        **{name: version(name) for name in ("torch", "torchaudio", "transformers", "espnet", "kaldiio", "numpy")},
    }
    text = HEAD.format(facts=", ".join(f"{name} {value}" for name, value in facts.items()))
    for name in BENCHMARKS:
        print(f"{name} ...", file=sys.stderr)
        path = ROOT / "tests/bench" / f"{name}.py"
        summary = path.read_text(encoding="utf-8").split('"""')[1].strip()
        env = os.environ | {"PYTHONPATH": f"{ROOT}:{path.parent}"}
        program = f"import json, {name}; print(json.dumps({name}.rows()))"
        result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=env, check=False)
        if result.returncode != 0:
            sys.exit(f"{name} failed:\n{result.stderr[-2000:]}")
        # Libraries print at import; the rows are the last line.
        rows = json.loads(result.stdout.splitlines()[-1])
        table = "".join(f"| {what} | {figure} |\n" for what, figure in rows)
        text += (
            f"\n## {name.removeprefix('bench_').capitalize()}\n\n{summary}\n\n| what | figure |\n| --- | --- |\n{table}"
        )
    (ROOT / "docs/performance.md").write_text(text, encoding="utf-8")


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


if __name__ == "__main__":
    main()
