#!/usr/bin/env -S python3 -S -E
"""Whether a stage must run: a marker that holds its options and the content of its inputs.

    if utils/stage_done.py check --marker exp/.done --options "nj=4 bins=64" --inputs data/train conf/x.yaml \
        --outputs dump/feats.scp; then
        log "nothing to do"
    else
        ...
        utils/stage_done.py write (the same arguments)
    fi

`check` exits 0 if the marker was written with the same options, the same inputs and if all outputs are still there, of
the size they had; else 1, with the reason on stderr. `write` exits 0 once the marker is in place (written to another
name, then renamed), 2 if an input or output is missing. What `write` stores is the inputs as the last `check` saw them:
a file that was edited while the stage ran makes the next check fail.

An input is known by the SHA-256 of its content; above 8 MiB (an ark) by size and time of modification. A directory
stands for all files below it but hidden ones, `split<N>` folders and `__pycache__`. Files that a list (wav.scp) names
are not read.
Standard library only, starts in 40 ms.
"""

import argparse
import hashlib
import json
import os
import re
import sys

_HASHED_WHOLE = 8 * 2**20
_VERSION = 1
_State = dict[str, object]


def _files(path: str) -> list[str]:
    """Return the files that an input stands for, in a fixed order."""
    if not os.path.isdir(path):
        return [path]
    found = []
    for folder, names, files in os.walk(path):
        names[:] = sorted(n for n in names if not n.startswith(".") and not re.fullmatch(r"split\d+|__pycache__", n))
        found += [os.path.join(folder, name) for name in sorted(files) if not name.startswith(".")]
    return found


def _digest(path: str) -> str:
    """Return what a file is known by."""
    status = os.stat(path)
    if status.st_size > _HASHED_WHOLE:
        return f"size {status.st_size} time {status.st_mtime_ns}"
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def _state(options: str, inputs: list[str]) -> _State:
    """Return what decides whether the stage must run again.

    Raises:
        OSError: An input is missing.
    """
    digests = {file: _digest(file) for path in inputs for file in _files(path)}
    return {"version": _VERSION, "options": options.split(), "named": inputs, "inputs": digests}


def _sizes(outputs: list[str]) -> dict[str, int | None]:
    """Return the sizes of output files; None for a directory.

    Raises:
        OSError: An output is missing.
    """
    return {path: None if os.path.isdir(path) else os.stat(path).st_size for path in outputs}


def _read(path: str) -> _State | None:
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) and content.get("version") == _VERSION else None


def _write(path: str, content: _State) -> None:
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    temporary = f"{path}.tmp{os.getpid()}"
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def _difference(marker: _State | None, now: _State, sizes: dict[str, int | None]) -> str:
    """Return in words why the stage must run, or nothing."""
    if marker is None:
        return "not run yet"
    if marker.get("options") != now["options"]:
        changed = [word for word in now["options"] if word not in marker["options"]]
        return f"options changed: {' '.join(changed) or 'some were dropped'}"
    before, after = marker["inputs"], now["inputs"]
    for path in after:
        if before.get(path) != after[path]:
            return f"{path}: {'changed' if path in before else 'new input'}"
    for path in before:
        if path not in after:
            return f"{path}: no longer an input"
    known = marker.get("outputs", {})
    for path, size in sizes.items():
        if path not in known:
            return f"{path}: new output"
        if known[path] != size:
            return f"{path}: its size changed from {known[path]} to {size}"
    return ""


def check(marker: str, options: str, inputs: list[str], outputs: list[str]) -> int:
    """Return 0 if the stage is done, else 1; remembers the inputs for `write`."""
    try:
        now = _state(options, inputs)
        reason = ""
    except OSError as error:
        print(f"stage must run: {error.filename}: missing input", file=sys.stderr)
        return 1
    try:
        reason = _difference(_read(marker), now, _sizes(outputs))
    except OSError as error:
        reason = f"{error.filename}: missing output" if _read(marker) else "not run yet"
    if not reason:
        return 0
    print(f"stage must run: {reason}", file=sys.stderr)
    _write(marker + ".begun", now)
    return 1


def write(marker: str, options: str, inputs: list[str], outputs: list[str]) -> int:
    """Write the marker; return 0, or 2 if an input or an output is missing."""
    try:
        now = _state(options, inputs)
        sizes = _sizes(outputs)
    except OSError as error:
        print(f"error: {error.filename}: missing, so {marker} is not written; run the stage again", file=sys.stderr)
        return 2
    begun = _read(marker + ".begun")
    if begun is not None and (begun["options"], begun["named"]) == (now["options"], now["named"]):
        now = begun
    _write(marker, {**now, "outputs": sizes})
    if begun is not None:
        os.remove(marker + ".begun")
    return 0


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("check", "write"))
    parser.add_argument("--marker", required=True, help="the marker file")
    parser.add_argument("--options", default="", help='what the stage was told, "k=v k=v"')
    parser.add_argument("--inputs", nargs="*", default=[], help="files and directories that the stage reads")
    parser.add_argument("--outputs", nargs="*", default=[], help="files and directories that it makes")
    arguments = parser.parse_args()
    action = check if arguments.action == "check" else write
    return action(arguments.marker, arguments.options, arguments.inputs, arguments.outputs)


if __name__ == "__main__":
    sys.exit(main())
