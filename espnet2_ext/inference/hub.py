"""Packs on the Hugging Face hub; nothing is sent or fetched unless the user asks for it."""

from collections.abc import Sequence
from pathlib import Path

from espnet2_ext.errors import UserError
from espnet2_ext.fileio.hub import fetch, import_hub, one_line
from espnet2_ext.inference.archive import MEMBERS, OPTIONAL, read_archive, read_folder, write_archive
from espnet2_ext.inference.pack import build_trained


def upload(pack: Path, repo: str, revision: str | None = None, private: bool = True) -> str:
    """Put the members of a pack into a model repository, in one commit; the model card is its front page.

    Args:
        pack: The zip.
        repo: `org/name`; made if it is not there.
        revision: Branch; None is the main one.
        private: Whether a repository that is made is private.

    Returns:
        The commit's address.

    Raises:
        UserError: The pack is not sound, huggingface_hub is missing, or the hub refuses or cannot be reached.
    """
    members = read_archive(pack)
    build_trained(members, pack)
    hub = import_hub()
    with one_line(hub, repo):
        api = hub.HfApi()
        api.create_repo(repo, private=private, exist_ok=True)
        operations = [hub.CommitOperationAdd(name, data) for name, data in members.items()]
        # What an earlier pack had beyond this one would not fit its weights.
        stale = (set(api.list_repo_files(repo, revision=revision)) & set(OPTIONAL)) - set(members)
        operations += [hub.CommitOperationDelete(name) for name in sorted(stale)]
        commit = api.create_commit(repo, operations, commit_message=f"Pack {pack.name}", revision=revision)
        return str(commit.commit_url)


def download(repo: str, revision: str | None = None, names: Sequence[str] = MEMBERS) -> Path:
    """Fetch a pack into the cache of huggingface_hub, where it is not there yet.

    Args:
        repo: `org/name`.
        revision: Branch, tag or commit; None is the main branch.
        names: What to fetch; the ONNX graph is not needed for predictions.

    Returns:
        The folder with its members.

    Raises:
        UserError: huggingface_hub is missing, there is no such repository or revision, it holds no pack, or the hub
            cannot be reached.
    """
    folder = fetch(repo, revision, names)
    missing = [name for name in MEMBERS if not (folder / name).is_file()]
    if missing:
        raise UserError(f"{repo}: holds no {missing[0]} at {revision or 'its main branch'}; it is no packed model")
    return folder


def download_pack(repo: str, out: Path, revision: str | None = None) -> None:
    """Fetch a pack, check it, and write it as a zip.

    Args:
        repo: `org/name`.
        out: The zip.
        revision: Branch, tag or commit; None is the main branch.

    Raises:
        UserError: As `download`; or the pack is not sound.
    """
    folder = download(repo, revision, (*MEMBERS, *OPTIONAL))
    members = read_folder(folder, (*MEMBERS, *(name for name in OPTIONAL if (folder / name).is_file())))
    build_trained(members, folder)
    write_archive(members, out)
