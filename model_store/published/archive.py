"""Zip archives from elsewhere: nothing in them is believed before it was looked at."""

import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from model_store.errors import ArchiveUnsafe, CheckpointDamaged

LARGEST_MEMBER_BYTES = 4 * 2**30
LARGEST_RATIO = 200
"""How much a member may grow when unpacked. Weights and pictures hardly shrink; bombs grow a thousandfold."""
SMALL_BYTES = 16 * 2**20
"""Up to here a member may have any ratio: it does no harm, and an empty mask packs well."""
ENCRYPTED = 0x1


def _suspicion(member: zipfile.ZipInfo) -> str | None:
    """Why a member is not to be unpacked, if so."""
    path = PurePosixPath(member.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in member.filename:
        return "leads out of the archive"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "is a link"
    if member.flag_bits & ENCRYPTED:
        return "is encrypted"
    if member.file_size > LARGEST_MEMBER_BYTES:
        return f"unpacks to {member.file_size / 2**30:.0f} GiB"
    if member.file_size > SMALL_BYTES and member.file_size > LARGEST_RATIO * member.compress_size:
        return f"grows {member.file_size // max(1, member.compress_size)}-fold when unpacked"
    return None


def members(path: Path) -> list[zipfile.ZipInfo]:
    """The files of an archive.

    Raises ArchiveUnsafe for a path that leads out, a link, a password or an absurd size anywhere, CheckpointDamaged.
    """
    with _reading(path), zipfile.ZipFile(path) as archive:
        found = archive.infolist()
    for member in found:
        if reason := _suspicion(member):
            raise ArchiveUnsafe(
                f"{path.name}: {member.filename!r} {reason}; nothing was unpacked, get it from its authors again"
            )
    return [member for member in found if not member.is_dir()]


@contextmanager
def unpacked(path: Path, name: str, scratch: Path) -> Iterator[Path]:
    """One member as a file, under a name of ours in a temporary folder in `scratch`; it goes when the block ends.

    Its checksum is compared. Raises CheckpointDamaged.
    """
    with TemporaryDirectory(dir=scratch) as folder:
        copy = Path(folder) / f"member{PurePosixPath(name).suffix}"
        with (
            _reading(path),
            zipfile.ZipFile(path) as archive,
            archive.open(name) as source,
            copy.open("wb") as target,
        ):
            shutil.copyfileobj(source, target, 2**20)
        yield copy


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:
        raise CheckpointDamaged(f"the archive {path.name} cannot be read ({error}); download it again") from error
