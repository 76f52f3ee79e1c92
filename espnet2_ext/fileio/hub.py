"""What goes to and comes from the Hugging Face hub: nothing, unless the user asks for it."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from espnet2_ext.errors import UserError

_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_COMMIT = re.compile(r"[0-9a-f]{40}")


def is_repo(name: str) -> bool:
    """Tell whether a name has the form `org/name`."""
    return _NAME.fullmatch(name) is not None


def is_commit(revision: str) -> bool:
    """Tell whether a revision is a commit: 40 hexadecimal digits."""
    return _COMMIT.fullmatch(revision) is not None


def import_hub() -> ModuleType:
    """Import huggingface_hub.

    Raises:
        UserError: It is missing.
    """
    try:
        import huggingface_hub
        import huggingface_hub.errors
    except ImportError as error:
        raise UserError("huggingface_hub is missing; install it: tools/install.sh --extras hub") from error
    return huggingface_hub


@contextmanager
def one_line(hub: ModuleType, repo: str) -> Iterator[None]:
    """Turn the hub's errors into a UserError."""
    # The first base of HfHubHTTPError is the error of the HTTP library that this version of the package uses.
    failures = (*hub.errors.HfHubHTTPError.__bases__, hub.errors.EntryNotFoundError, OSError, ValueError)
    try:
        yield
    except failures as error:
        reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise UserError(f"{repo}: the hub says: {reason}; check name, revision, login and network") from error


def fetch(repo: str, revision: str | None, names: Sequence[str]) -> Path:
    """Fetch files into the cache of huggingface_hub, where they are not there yet.

    Args:
        repo: `org/name`.
        revision: Branch, tag or commit; None is the main branch.
        names: Names or patterns of the files.

    Returns:
        The folder with them.

    Raises:
        UserError: huggingface_hub is missing, there is no such repository or revision, or the hub cannot be reached.
    """
    hub = import_hub()
    with one_line(hub, repo):
        return Path(hub.snapshot_download(repo, revision=revision, allow_patterns=list(names)))
