"""Finding the audio file that a table means."""

import os
from pathlib import Path

from espnet2_ext.errors import UserError

EXTENSIONS = (".wav", ".flac")


def _walk(root: Path) -> list[Path]:
    """Return all audio files below a folder, sorted; linked folders are followed, each real one once."""
    found, seen = [], set()
    for folder, names, files in os.walk(root, followlinks=True):
        names.sort()
        real = os.path.realpath(folder)
        if real in seen:
            names.clear()
            continue
        seen.add(real)
        found += [Path(folder, name) for name in files if Path(name).suffix.lower() in EXTENSIONS]
    return sorted(found)


class WavIndex:
    """The audio files below a folder, by name.

    Args:
        root: The folder; it is searched once, with all folders below.

    Raises:
        UserError: There is no such folder, or no audio file in it.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise UserError(f"{root}: no such directory; give the folder of the audio files")
        self.root = Path(os.path.abspath(root))
        self._by_name: dict[str, list[Path]] = {}
        for path in _walk(self.root):
            for name in {path.name, path.stem}:
                self._by_name.setdefault(name, []).append(path)
        if not self._by_name:
            raise UserError(f"{root}: holds no {' or '.join(EXTENSIONS)} file")

    def find(self, cell: str) -> Path:
        """Return the file that a cell means: as `matches`.

        Raises:
            UserError: No file fits, or several do.
        """
        candidates = self.matches(cell)
        if not candidates:
            raise UserError(f"{cell!r}: no such {' or '.join(EXTENSIONS)} file below {self.root}")
        if len(candidates) > 1:
            paths = ", ".join(str(path.relative_to(self.root)) for path in candidates[:3])
            raise UserError(f"{cell!r}: fits {len(candidates)} files ({paths}); write the path below {self.root}")
        return candidates[0]

    def matches(self, cell: str) -> list[Path]:
        """Return the files that fit a cell: a path below the root or its end, with or without extension.

        Square brackets around the cell are taken off unless a file is called so; the case of the extension does not
        matter.
        """
        candidates = self._candidates(cell)
        if not candidates and cell.startswith("[") and cell.endswith("]"):
            candidates = self._candidates(cell[1:-1].strip())
        return candidates

    def _candidates(self, cell: str) -> list[Path]:
        wanted = Path(cell.replace("\\", "/"))
        name = wanted.name
        if wanted.suffix.lower() in EXTENSIONS:
            stem = self._by_name.get(wanted.stem, [])
            found = self._by_name.get(name) or [p for p in stem if p.suffix.lower() == wanted.suffix.lower()]
        else:
            found = [path for path in self._by_name.get(name, []) if path.stem == name]
        if wanted.is_absolute():
            return [path for path in found if path == wanted or path.with_suffix("") == wanted]
        folders = [part for part in wanted.parts[:-1] if part != "."]
        if not folders:
            return found
        exact = [path for path in found if list(path.relative_to(self.root).parts[:-1]) == folders]
        return exact or [path for path in found if list(path.parts[:-1])[-len(folders) :] == folders]
