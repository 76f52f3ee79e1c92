"""Files that are either complete or absent."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from espnet2_ext.errors import UserError


def temp_path(path: str | os.PathLike[str]) -> Path:
    """Return a hidden name in the folder of ``path`` that no other process uses.

    The suffix stays last, because some writers (numpy, matplotlib) choose a format by it.
    """
    path = Path(path)
    return path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")


def fsync_path(path: str | os.PathLike[str]) -> None:
    """Bring a file or a folder to the disk, so that a rename after it cannot outlive its content."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path in the folder of ``path`` that takes its place when the block succeeds.

    Args:
        path: The final file. Missing parent folders are made.

    Yields:
        The path to write to. When the block raises, it is removed and ``path`` is as it was before.

    Raises:
        UserError: The folder cannot be made, or the disk is full or not writable.
    """
    path = Path(path)
    temporary = temp_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        fsync_path(temporary)
        os.replace(temporary, path)
        fsync_path(path.parent)
    except OSError as error:
        if error.filename is None or str(error.filename) in (str(temporary), str(path), str(path.parent)):
            raise UserError(f"{path}: cannot be written ({error.strerror}); free or choose another disk") from error
        raise
    finally:
        temporary.unlink(missing_ok=True)
