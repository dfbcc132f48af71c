"""What became of each photo of an album, kept beside the results so that a run goes on where the last one ended.

One JSON line per photo, written before its file can be seen; a later line of a photo replaces an earlier one. A process
that dies may leave half a line, which the next run ignores, or a line whose file is not there: that photo is made
again. Similarities are in here, faces' embeddings are not.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import IO, Literal

from pydantic import TypeAdapter, ValidationError

from cli.errors import AlreadyRunning
from diffam_client.contract.report import FaceReport
from model_store.additions import finished

NAME = ".diffam-album.jsonl"
LOCK = ".diffam-album.lock"


@dataclass(frozen=True)
class Entry:
    """One photo: what was read, what was asked for, and what came of it.

    photo: path within the album.  upload_sha256: of the file that was read.  wish: fingerprint of the options.
    out, out_sha256: the finished file, within the out folder.  code, message: why there is none.
    """

    photo: str
    upload_sha256: str
    wish: str
    status: Literal["protected", "failed"]
    out: str | None = None
    out_sha256: str | None = None
    reference: str | None = None
    target: str | None = None
    code: str | None = None
    message: str | None = None
    faces: list[FaceReport] = field(default_factory=list)
    bundle: dict[str, str] = field(default_factory=dict)


ENTRY: TypeAdapter[Entry] = TypeAdapter(Entry)


class Journal:
    """The entries so far, and the open file that the next ones go to. Thread-safe."""

    def __init__(self, entries: dict[str, Entry], file: IO[str]) -> None:
        self.entries = entries
        self._file = file
        self._lock = Lock()

    def write(self, entry: Entry) -> None:
        """Note an entry; it is on the disk when this returns."""
        with self._lock:
            self._file.write(_line(entry))
            self._file.flush()
            os.fsync(self._file.fileno())
            self.entries[entry.photo] = entry


@contextmanager
def open_journal(folder: Path) -> Iterator[Journal]:
    """The journal of an out folder, which is made if need be; outdated and broken lines are dropped first.

    Raises AlreadyRunning: another run fills the folder, and both would make every photo.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME
    with (folder / LOCK).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunning(f"another album or `diffam watch` fills {folder}") from error
        entries = {entry.photo: entry for entry in _read(path)}
        with finished(path) as partial:
            partial.write_text("".join(_line(entry) for entry in entries.values()), encoding="utf-8")
        with path.open("a", encoding="utf-8") as file:
            yield Journal(entries, file)


def _line(entry: Entry) -> str:
    return ENTRY.dump_json(entry).decode() + "\n"


def _read(path: Path) -> Iterator[Entry]:
    for line in path.read_bytes().splitlines() if path.is_file() else []:
        try:
            yield ENTRY.validate_json(line)
        except ValidationError:  # half a line, or one of another version
            continue
