"""Downloads one file over HTTP, goes on where an earlier attempt stopped, and believes nothing but its digest.

Files on Hugging Face come the same way, by their plain address: one resume, one progress bar, one set of errors for all
sources, and no second copy in a cache.
"""

import errno
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from time import sleep

import httpx

from model_store.digest import sha256_of
from model_store.errors import DiskFull, DownloadDamaged, DownloadFailed
from model_store.published.reading import HEAD_BYTES, is_page
from model_store.published.sources import Source

OnBytes = Callable[[int, int | None], None]
"""`on_bytes(done, total)`; the total may be unknown."""
TRANSIENT = {408, 425, 429, 500, 502, 503, 504}
ATTEMPTS = 6
"""Attempts in a row that bring nothing new until the download is given up."""
PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
TIMEOUT = httpx.Timeout(30, connect=15)


class _TryAgain(Exception):
    """The server or the network stumbled; what arrived so far is kept."""


def download(
    source: Source, folder: Path, on_bytes: OnBytes = lambda *_: None, pause_s: float = PAUSE_S,
    attempts: int = ATTEMPTS,
) -> Path:  # fmt: skip
    """The file of `source` in `folder`, fetched unless it is there; on return its digest is the published one.

    A `.partial` file keeps what arrived of an attempt that was stopped. pause_s: before the second attempt; doubles.
    Raises DownloadFailed, DownloadDamaged, DiskFull, OSError.
    """
    path = folder / source.name
    if is_there(source, folder):
        return path
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{source.name}.partial"
    with httpx.Client(follow_redirects=True, timeout=TIMEOUT) as client:
        linked = _fetch_all(client, source, partial, on_bytes, pause_s, attempts)
    _mark(partial).unlink(missing_ok=True)
    digest, published = sha256_of(partial), source.sha256 or linked
    if not digest.startswith(published):
        partial.unlink()
        raise DownloadDamaged(
            f"{source.name} has the digest {digest[:16]} instead of {published[:16]} and was deleted; run the command "
            "again, and if that does not help, the file at its address is another one now: name a mirror with --sources"
        )
    partial.replace(path)
    return path


def is_there(source: Source, folder: Path) -> bool:
    """Whether the folder has the file already, whole."""
    path = folder / source.name
    return path.is_file() and source.is_digest(sha256_of(path))


def forget_partial(source: Source, folder: Path) -> None:
    """Remove what a download that was stopped has kept: the file came another way."""
    partial = folder / f"{source.name}.partial"
    partial.unlink(missing_ok=True)
    _mark(partial).unlink(missing_ok=True)


def _fetch_all(
    client: httpx.Client, source: Source, partial: Path, on_bytes: OnBytes, pause_s: float, attempts: int
) -> str:
    """Ask until the whole file is there. Returns the sha256 that the hub gives for it, or ""."""
    failures = 0
    while True:
        before = _size(partial)
        try:
            return _fetch(client, source, partial, on_bytes)
        except (httpx.RequestError, httpx.InvalidURL, _TryAgain) as error:
            failures = 1 if _size(partial) > before else failures + 1
            if failures >= attempts:
                raise DownloadFailed(
                    f"{source.name}: {source.address} cannot be reached ({str(error) or type(error).__name__}); what "
                    "arrived is kept, run the command again to go on"
                ) from error
            sleep(min(pause_s * 2 ** (failures - 1), LONGEST_PAUSE_S))


def _fetch(client: httpx.Client, source: Source, partial: Path, on_bytes: OnBytes) -> str:
    """One request for what is missing."""
    done, mark = _size(partial), _mark(partial)
    headers = {**dict(source.headers), "Accept-Encoding": "identity"}
    if done and mark.is_file():  # without a mark nobody can tell whether the file is still the same
        headers |= {"Range": f"bytes={done}-", "If-Range": mark.read_text(encoding="utf-8")}
    with client.stream("GET", source.address, headers=headers) as response:
        _check_answer(response, source)
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            if response.headers.get("Content-Range") == f"bytes */{done}":  # killed between the last byte and its end
                return ""
            partial.unlink()
            raise _TryAgain("what arrived is longer than the file")
        start, total = _extent(response, done)
        _check_size(source, total)
        if start == 0:
            mark.unlink(missing_ok=True)
            if validator := _validator(response):
                mark.write_text(validator, encoding="utf-8")
        _write(response, source, partial, start, total, on_bytes)
        if total is not None and _size(partial) != total:
            raise _TryAgain(f"{_size(partial)} of {total} bytes arrived")
        return _linked_digest(response)


def _check_answer(response: httpx.Response, source: Source) -> None:
    status = response.status_code
    if status in TRANSIENT:
        raise _TryAgain(f"status {status}")
    if status in (401, 403):
        raise DownloadFailed(
            f"{source.name}: the server refuses {source.address} (status {status}); open it in a browser, fetch the "
            "file by hand and put it into the download folder"
        )
    if status in (404, 410):
        raise DownloadFailed(
            f"{source.name} is not at {source.address} any more (status {status}); find it elsewhere and put it into "
            "the download folder, or name a mirror with --sources"
        )
    if status != httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE and not response.is_success:
        raise DownloadFailed(f"{source.name}: {source.address} answers with status {status}; fetch the file by hand")
    if response.headers.get("Content-Type", "").lower().startswith("text/html"):
        raise _page(source)


def _page(source: Source) -> DownloadDamaged:
    return DownloadDamaged(
        f"{source.name}: {source.address} answers with a web page instead of the file (file hosts ask for a "
        "confirmation or a login there); open it in a browser and put the file into the download folder"
    )


def _extent(response: httpx.Response, done: int) -> tuple[int, int | None]:
    """Where the answer's body begins in the file, and how long the file is."""
    if response.status_code == httpx.codes.PARTIAL_CONTENT:
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        if found is None or int(found[1]) != done:
            raise _TryAgain("the server sent another range than it was asked for")
        return done, None if found[2] == "*" else int(found[2])
    length = response.headers.get("Content-Length")
    return 0, int(length) if length else None


def _check_size(source: Source, total: int | None) -> None:
    if source.size_bytes is not None and total not in (None, source.size_bytes):
        raise DownloadDamaged(
            f"{source.name}: {source.address} has {total} bytes, the published file {source.size_bytes}; name another "
            "place with --sources, or fetch the file by hand"
        )


def _write(
    response: httpx.Response, source: Source, partial: Path, start: int, total: int | None, on_bytes: OnBytes
) -> None:
    """Append the answer's body to what is there up to `start`."""
    free = shutil.disk_usage(partial.parent).free
    if total is not None and total - start > free:
        raise _full(source, total - start, free)
    done = start
    try:
        with partial.open("ab" if start else "wb") as file:
            on_bytes(done, total)
            for chunk in response.iter_raw():  # as it comes: what waits for a full buffer is lost with the connection
                if done == 0 and is_page(chunk[:HEAD_BYTES]):
                    raise _page(source)
                file.write(chunk)
                done += len(chunk)
                on_bytes(done, total)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _full(source, (total or done) - done, shutil.disk_usage(partial.parent).free) from error
        raise


def _full(source: Source, needed: int, free: int) -> DiskFull:
    return DiskFull(
        f"{source.name} needs {needed / 2**20:.0f} MiB more and the disk has {free / 2**20:.0f} MiB; make room, or set "
        "DIFFAM_DATA_DIR to another disk, and run the command again"
    )


def _validator(response: httpx.Response) -> str:
    """What tells this version of the file from others; weak tags do not promise the same bytes."""
    tag: str = response.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", "")


def _linked_digest(response: httpx.Response) -> str:
    """The sha256 that Hugging Face's first answer gives for a large file."""
    for answer in (*response.history, response):
        tag: str = answer.headers.get("X-Linked-ETag", "").strip('"')
        if re.fullmatch(r"[0-9a-f]{64}", tag):
            return tag
    return ""


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _mark(partial: Path) -> Path:
    """Where the validator of the unfinished file is kept."""
    return partial.with_name(f"{partial.name}-of")
