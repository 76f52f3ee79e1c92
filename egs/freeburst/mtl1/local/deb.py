"""Members of a Debian package, read without installing or unpacking it."""

import io
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from espnet2_ext.errors import UserError

_MAGIC = b"!<arch>\n"
_AGAIN = "delete it and download it again"
_HEADER_BYTES = 60  # of a member of an ar archive: name in the first 16, size in bytes 48 to 58


def read_members(deb: Path, paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of some files of a package, in the order they lie in it.

    Args:
        deb: The package: an ar archive with a data.tar.xz (or .gz, .bz2, or none) in it.
        paths: Wanted files; `<file>:<member>` is a member of a zip archive (Quake III's .pk3) inside the package.

    Raises:
        UserError: It is no package, is damaged, or lacks one of the files.
    """
    wanted: dict[str, list[str]] = {}
    for path in paths:
        file, _, member = path.partition(":")
        wanted.setdefault(file, []).append(member)
    try:
        with deb.open("rb") as stream:
            _seek_data(deb, stream)
            with tarfile.open(fileobj=stream, mode="r|*") as tar:
                yield from _matching(deb, tar, wanted)
    except (OSError, EOFError, ValueError, RuntimeError, tarfile.TarError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{deb}: cannot be read as a Debian package ({error}); {_AGAIN}") from error
    if wanted:
        raise UserError(
            f"{deb}: has no {next(iter(wanted))}; it is another version: labels.csv is of Debian 12 (bookworm)"
        )


def _seek_data(deb: Path, stream: io.BufferedReader) -> None:
    """Go to the first byte of data.tar.*."""
    if stream.read(len(_MAGIC)) != _MAGIC:
        raise UserError(f"{deb}: no Debian package; {_AGAIN}")
    while len(header := stream.read(_HEADER_BYTES)) == _HEADER_BYTES:
        size = int(header[48:58])
        if header.startswith(b"data.tar.zst"):
            raise UserError(f"{deb}: is packed with zstd; get the package of Debian 12 (bookworm)")
        if header.startswith(b"data.tar"):
            # A tar archive that ends early could look like one that lacks files.
            if stream.tell() + size > deb.stat().st_size:
                raise UserError(f"{deb}: ends within its data; {_AGAIN}")
            return
        stream.seek(size + size % 2, io.SEEK_CUR)
    raise UserError(f"{deb}: ends before its data; {_AGAIN}")


def _matching(deb: Path, tar: tarfile.TarFile, wanted: dict[str, list[str]]) -> Iterator[tuple[str, bytes]]:
    """Yield what is wanted, and strike it off."""
    for info in tar:
        file = info.name.removeprefix("./")
        if file not in wanted or not info.isfile():
            continue
        members = wanted.pop(file)
        content = tar.extractfile(info).read()
        if members == [""]:
            yield file, content
            continue
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in members:
                yield f"{file}:{member}", _read(deb, archive, file, member)
        if not wanted:
            return


def _read(deb: Path, archive: zipfile.ZipFile, file: str, member: str) -> bytes:
    try:
        return archive.read(member)
    except KeyError:
        raise UserError(
            f"{deb}: {file} has no {member}; it is another version: labels.csv is of Debian 12 (bookworm)"
        ) from None


def find_debs(folder: Path, packages: Sequence[str]) -> Mapping[str, Path]:
    """Return the file of each package.

    Raises:
        UserError: One is missing, or comes in several versions.
    """
    found = {}
    for package in packages:
        files = sorted(folder.glob(f"{package}_*.deb"))
        if len(files) != 1:
            what = f"{len(files)} files {package}_*.deb" if files else f"no {package}_<version>.deb"
            raise UserError(f"{folder}: {what}; one is needed of {', '.join(packages)}")
        found[package] = files[0]
    return found
