"""The making of an album: a file per photo, each on its own, and the note of it."""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event

from rich.progress import Progress

from app.photo.canonical import PhotoRejected
from cli.album.folder import Album, read_file
from cli.album.journal import Entry, Journal
from cli.errors import FileUnreadable, Stopped
from cli.make import Make
from diffam_client import ClientError
from diffam_client.contract.wish import Wish
from diffam_core.errors import DiffAMError
from model_store.additions import finished
from model_store.errors import StoreError

REFUSALS = (PhotoRejected, DiffAMError, StoreError, ClientError, FileUnreadable)
"""What may happen to one photo and leaves the others alone; all have a `code`."""
LABEL = 26
"""Characters beside the progress bar."""


@dataclass(frozen=True)
class Maker:
    """Who makes an album's photos: `make`, so many `at_once`; `stop` ends what is under way at its next step."""

    make: Make
    at_once: int
    stop: Event


def fingerprint(wish: Wish, bundle: str) -> str:
    """The options that a finished file depends on, in one word; defaults add nothing, so wishes may grow."""
    asked = wish.model_dump_json(exclude_defaults=True)
    return hashlib.sha256(f"{bundle} {asked}".encode()).hexdigest()[:16]


def is_finished(album: Album, entry: Entry, upload_sha256: str, asked: str) -> bool:
    """Whether the entry's file is there, whole, and made of this photo as it is now with these options."""
    if (entry.status, entry.upload_sha256, entry.wish) != ("protected", upload_sha256, asked):
        return False
    path = album.out / str(entry.out)
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == entry.out_sha256


def make_all(album: Album, todo: Sequence[Entry], journal: Journal, maker: Maker, bar: Progress) -> None:
    """Make what is to do; every photo is noted when it is over, however it ended, and before its file can be seen."""
    task = bar.add_task("make up", total=len(todo))

    def tell(stage: str) -> None:
        if maker.stop.is_set():
            raise Stopped("stopped between two steps of a photo")
        bar.update(task, description=stage[:LABEL])

    with ThreadPoolExecutor(maker.at_once) as pool:
        running = [pool.submit(make_one, album, journal, entry, maker.make, tell) for entry in todo]
        try:
            for future in as_completed(running):
                future.result()
                bar.advance(task)
        except BaseException:  # Ctrl-C above all: what runs ends at its next step, what waits never starts
            maker.stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    bar.remove_task(task)


def make_one(album: Album, journal: Journal, entry: Entry, make: Make, tell: Callable[[str], None]) -> None:
    """One photo from reading to its finished file, or the reason why there is none, and the note of it. Raises Stopped.

    The note comes first: a process that dies in between leaves no file that nobody knows, and would be made again.
    """
    name = Path(entry.photo).name
    try:
        upload = read_file(album.folder / entry.photo)
        (picture,) = make(upload, entry.target, lambda at: tell(f"{at.stage.replace('_', ' ')}: {name}"))
    except REFUSALS as refusal:
        message = refusal.message if isinstance(refusal, ClientError) else str(refusal)
        journal.write(replace(entry, out=None, target=None, code=refusal.code, message=message))
        return
    with finished(album.out / str(entry.out)) as unfinished:
        unfinished.write_bytes(picture.photo)
        journal.write(
            replace(
                entry,
                status="protected",
                upload_sha256=hashlib.sha256(upload).hexdigest(),
                out_sha256=hashlib.sha256(picture.photo).hexdigest(),
                reference=picture.reference,
                target=picture.target,
                faces=picture.faces,
                bundle=picture.bundle,
            )
        )
