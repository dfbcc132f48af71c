"""What is to do in an album, and the doing: who is on the photos, which target each gets, a file per photo."""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event

from rich.progress import Progress

from app.photo.canonical import PhotoRejected
from cli.album.folder import Album, finished_names
from cli.album.journal import Entry, Journal
from cli.album.sight import Sight, read_file
from cli.errors import FileUnreadable, Stopped
from cli.make import Make
from cli.wishes import suffix_of
from diffam_client import ClientError
from diffam_client.contract.wish import Wish
from diffam_core.errors import DiffAMError
from model_store.additions import finished
from model_store.bundle import Bundle
from model_store.errors import StoreError
from protection.measuring.linkability import deal_targets, group_people, thresholds

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


@dataclass(frozen=True)
class Plan:
    """Who is on each photo, its largest face's person first, and the entries that are to become finished files."""

    people: list[list[int]]
    todo: list[Entry]


def plan_work(
    bundle: Bundle, album: Album, journal: Journal, wish: Wish, sights: Sequence[Sight], targets: Sequence[str]
) -> Plan:
    """Group the faces by person, and deal targets to the photos that are not finished already."""
    people = group_people([[face.embeddings for face in sight.faces] for sight in sights], thresholds(bundle))
    names = finished_names(album.photos, suffix_of(wish.output_format))
    asked = fingerprint(wish, bundle.catalog.name)
    kept: dict[int, str] = {}
    for number, (name, sight) in enumerate(zip(album.photos, sights, strict=True)):
        entry = journal.entries.get(name)
        if entry and entry.target and _is_finished(album, entry, sight.sha256, asked, names[name]):
            kept[number] = entry.target
    dealt = deal_targets(people, targets, kept)
    todo = [
        Entry(name, sight.sha256, asked, "failed", out=names[name], target=target)
        for number, (name, sight, target) in enumerate(zip(album.photos, sights, dealt, strict=True))
        if number not in kept
    ]
    return Plan(people, todo)


def fingerprint(wish: Wish, bundle: str) -> str:
    """The options that a finished file depends on, in one word; defaults add nothing, so wishes may grow."""
    asked = wish.model_dump_json(exclude_defaults=True)
    return hashlib.sha256(f"{bundle} {asked}".encode()).hexdigest()[:16]


def _is_finished(album: Album, entry: Entry, upload_sha256: str, asked: str, name: str) -> bool:
    """Whether the entry's file is there, whole, and made of this photo as it is now with these options."""
    if (entry.status, entry.upload_sha256, entry.wish, entry.out) != ("protected", upload_sha256, asked, name):
        return False
    path = album.out / name
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == entry.out_sha256


def make_all(album: Album, todo: Sequence[Entry], journal: Journal, maker: Maker, bar: Progress) -> None:
    """Make what is to do; every photo is noted as soon as it is over, however it ended."""
    task = bar.add_task("make up", total=len(todo))

    def tell(stage: str) -> None:
        if maker.stop.is_set():
            raise Stopped("stopped between two steps of a photo")
        bar.update(task, description=stage[:LABEL])

    with ThreadPoolExecutor(maker.at_once) as pool:
        running = [pool.submit(make_one, album, entry, maker.make, tell) for entry in todo]
        try:
            for future in as_completed(running):
                journal.write(future.result())
                bar.advance(task)
        except BaseException:  # Ctrl-C above all: what runs ends at its next step, what waits never starts
            maker.stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    bar.remove_task(task)


def make_one(album: Album, entry: Entry, make: Make, tell: Callable[[str], None]) -> Entry:
    """One photo from reading to its finished file, or the reason why there is none. Raises Stopped."""
    name = Path(entry.photo).name
    try:
        upload = read_file(album.folder / entry.photo)
        (picture,) = make(upload, entry.target, lambda at: tell(f"{at.stage.replace('_', ' ')}: {name}"))
    except REFUSALS as refusal:
        message = refusal.message if isinstance(refusal, ClientError) else str(refusal)
        return replace(entry, out=None, target=None, code=refusal.code, message=message)
    with finished(album.out / str(entry.out)) as unfinished:
        unfinished.write_bytes(picture.photo)
    return replace(
        entry,
        status="protected",
        upload_sha256=hashlib.sha256(upload).hexdigest(),
        out_sha256=hashlib.sha256(picture.photo).hexdigest(),
        reference=picture.reference,
        target=picture.target,
        faces=picture.faces,
        bundle=picture.bundle,
    )
