#!/usr/bin/env python3
"""Print what is installed: versions, processors, GPUs, missing extras and the command that gets each."""

import argparse
import ctypes.util
import importlib.util
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

DISTRIBUTION = "espnet2-ext"
TOOLS = Path(__file__).resolve().parent


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no_gpu", action="store_true", help="do not import torch (saves two seconds): no GPU lines")
    return parser.parse_args(argv)


def normalised(name: str) -> str:
    """Return a distribution's name as PEP 503 spells it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed_version(name: str) -> str | None:
    """Return the installed version of a distribution, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def pinned_versions() -> dict[str, str]:
    """Return the tested versions for this Python from its constraints file; empty where there is no such file."""
    path = TOOLS / "constraints-py{}.{}.txt".format(*sys.version_info)
    if not path.is_file():
        return {}
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    pairs = (line.split("==", 1) for line in lines if "==" in line and not line.startswith("#"))
    return {normalised(name): version for name, version in pairs}


def requirements() -> Iterator[tuple[str | None, str]]:
    """Yield `(extra, distribution)` for each requirement of setup.py that holds for this Python; None is the core."""
    from packaging.requirements import Requirement

    for line in metadata.requires(DISTRIBUTION) or []:
        requirement = Requirement(line)
        extras = re.findall(r'extra\s*==\s*["\']([\w-]+)["\']', str(requirement.marker or ""))
        for extra in extras or [None]:
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra or ""}):
                yield extra, requirement.name


def check_core(names: list[str], pinned: dict[str, str]) -> list[str]:
    """Print each core package with its version and return the complaints, one line each."""
    complaints = []
    for name in names:
        version, tested = installed_version(name), pinned.get(normalised(name))
        print(f"  {name:<22}{version or 'missing'}")
        if version is None:
            complaints.append(f"{name} is missing")
        elif tested and version.split("+")[0] != tested:
            complaints.append(f"{name} is {version}, tested is {tested}")
    return complaints


def print_extras(groups: dict[str, list[str]]) -> None:
    """Print for each extra whether it is complete, and else the command that installs it."""
    for extra, names in sorted(groups.items()):
        missing = [name for name in names if installed_version(name) is None]
        if missing:
            print(f"  {extra:<22}missing {', '.join(missing)}: {TOOLS / 'install.sh'} --extras {extra}")
        else:
            print(f"  {extra:<22}installed")


def print_machine() -> None:
    """Print the processors that this process may use, the memory and the free disk in GB."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    print(f"  {'CPUs':<22}{len(os.sched_getaffinity(0))} of {os.cpu_count()}")
    print(f"  {'memory':<22}{memory:.0f} GB")
    print(f"  {'free disk':<22}{shutil.disk_usage(TOOLS).free / 1e9:.0f} GB")


def print_libsndfile() -> None:
    """Print libsndfile's version, or that soundfile does not load: a system library may be missing."""
    if importlib.util.find_spec("soundfile") is None:
        return
    import soundfile

    print(f"  {'libsndfile':<22}{soundfile.__libsndfile_version__}")


def print_gpus() -> None:
    """Print CUDA, cuDNN and NCCL of torch's build, the driver's library and each GPU with its memory."""
    import torch

    print(f"  {'CUDA of torch':<22}{torch.version.cuda or 'none'}")
    if torch.version.cuda:
        print(f"  {'cuDNN':<22}{torch.backends.cudnn.version()}")
        print(f"  {'NCCL':<22}{'.'.join(map(str, torch.cuda.nccl.version()))}")
    if not torch.cuda.is_available():
        driver = ctypes.util.find_library("cuda")
        reason = "torch cannot use it: see nvidia-smi" if driver else "no NVIDIA driver"
        print(f"  {'GPUs':<22}none ({reason})")
        return
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        compute = f"{properties.major}.{properties.minor}"
        print(f"  {f'GPU {index}':<22}{properties.name}, {properties.total_memory / 1e9:.0f} GB, compute {compute}")


def main(argv: list[str] | None = None) -> int:
    """Print the report.

    Returns:
        0, or 1 where a core package is missing or has another version than the tested one.
    """
    arguments = parse_arguments(argv)
    if installed_version(DISTRIBUTION) is None or installed_version("packaging") is None:
        print(f"{DISTRIBUTION} is not installed in {sys.prefix}: {TOOLS / 'install.sh'}")
        return 1
    groups: dict[str | None, list[str]] = {}
    for extra, name in requirements():
        groups.setdefault(extra, []).append(name)
    core = groups.pop(None, [])
    print(f"Python {platform.python_version()} in {sys.prefix}")
    complaints = check_core(core, pinned_versions())
    print_libsndfile()
    print("Extras")
    print_extras({extra: names for extra, names in groups.items() if extra is not None})
    print("Machine")
    print_machine()
    if not arguments.no_gpu and installed_version("torch"):
        print_gpus()
    for complaint in complaints:
        print(f"check_install.py: error: {complaint}: run {TOOLS / 'install.sh'}", file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
