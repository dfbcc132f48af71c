"""`diffam protect PHOTO`: a photo in, a protected photo out, without a service or by one."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from json import dumps
from pathlib import Path
from threading import Event

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from cli.bundles.choosing import choose
from cli.make import Picture, make_here, make_there, service_at
from cli.scores import print_grade, print_scores
from cli.undo.sealing import UndoOrder
from cli.wishes import check_looks
from diffam_client.contract.report import FACES, OnProgress
from diffam_client.contract.report import Progress as Told
from diffam_client.contract.wish import Kept, Wish
from jobs.settings import Settings
from model_store.additions import with_additions


@dataclass(frozen=True)
class PhotoOrder:
    """What to make of a photo, and where; further candidates go beside `out` as `out-2`, `out-3`.

    server: the URL of the service that makes it; this machine without one.
    """

    photo: Path
    wish: Wish
    out: Path
    undo: UndoOrder | None = None
    server: str | None = None


def protect(console: Console, settings: Settings, order: PhotoOrder, as_json: bool) -> None:
    """Protect a photo and write what the order asks for; the scores go to stdout, and so does a key that was drawn.

    Raises CliError, ClientError, PhotoRejected, DiffAMError, StoreError, OSError.
    """
    upload, undo = order.photo.read_bytes(), order.undo
    if order.server:
        pictures = travel_there(order.server, settings, upload, order.wish, undo.key if undo else None)
    else:
        pictures = travel(settings, upload, order.wish, undo.public_key if undo else None)
    saved = numbered(order.out, len(pictures))
    for path, picture in zip(saved, pictures, strict=True):
        path.write_bytes(picture.photo)
    undoing = numbered(undo.file, len(pictures)) if undo else []
    for path, picture in zip(undoing, pictures, strict=False):
        path.write_bytes(picture.undo or b"")
    if as_json:
        told = {"undo": {"files": [str(path) for path in undoing], "key": undo.key}} if undo else {}
        sys.stdout.write(dumps(as_facts(pictures, saved) | told, indent=2) + "\n")
        return
    for path, picture in zip(saved, pictures, strict=True):
        print_scores(console, picture.faces)
        console.print(f"Saved {path}", soft_wrap=True)
    if order.wish.keep:
        console.print(told_of(order.wish, pictures[0].kept), soft_wrap=True, highlight=False, markup=False)
    for path in undoing:
        console.print(f"Saved {path}: `diffam undo` restores the original with it", soft_wrap=True)
    if undo and undo.is_drawn:
        console.print(f"Its key, which nobody else has: {undo.key}", soft_wrap=True, highlight=False)
    print_grade(console, pictures[0].bundle)


def numbered(out: Path, count: int) -> list[Path]:
    """Where the candidates go: `out.png`, `out-2.png`, `out-3.png`."""
    return [out, *(out.with_stem(f"{out.stem}-{number}") for number in range(2, count + 1))]


def as_facts(pictures: list[Picture], saved: list[Path]) -> dict[str, object]:
    """What `--json` says: the first picture's faces on top, and where there are several, `candidates`."""
    rows = [
        {
            "out": str(path), "reference": each.reference, "target": each.target,
            "faces": FACES.dump_python(each.faces, mode="json"),
        }
        for path, each in zip(saved, pictures, strict=True)
    ]  # fmt: skip
    candidates = {"candidates": rows} if len(rows) > 1 else {}
    about = {"kept": pictures[0].kept.told, "seconds": pictures[0].seconds, "bundle": pictures[0].bundle}
    return {**rows[0], **about, **candidates}


def told_of(wish: Wish, kept: Kept) -> str:
    """What of the photo's metadata the files tell, and what it did not tell itself."""
    told = [f"{word} ({kept.told[word]})" for word in wish.keep if word in kept.told]
    missing = [word for word in wish.keep if word not in kept.told]
    lacking = f"The photo tells no {', no '.join(missing)}." if missing else ""
    return " ".join(filter(None, [f"Kept {', '.join(told)}." if told else "", lacking]))


def travel(settings: Settings, upload: bytes, wish: Wish, undo_to: str | None = None) -> list[Picture]:
    """Take one photo through the chosen bundle, with a progress bar on stderr.

    undo_to: the public key to which undo files are sealed, if there are to be any.

    Raises CliError, PhotoRejected, DiffAMError, StoreError.
    """
    choice = choose(settings)
    check_looks(with_additions(choice.catalog, settings.added_to(choice.folder.name)), wish)
    with _bar("load models") as on_progress:
        from model_store.opening import open_chosen  # here, so that a wrong word is answered before torch loads

        added = settings.added_to(choice.folder.name)
        make = make_here(open_chosen(choice, settings.device, added, wish.judges), settings, wish, undo_to)
        return make(upload, wish.target_id, on_progress)


def travel_there(
    server: str, settings: Settings, upload: bytes, wish: Wish, undo_key: str | None = None
) -> list[Picture]:
    """Send one photo to a service, which keeps nothing of it afterwards. undo_key: opens the undo files there may be.

    Raises CliError, ClientError.
    """
    stop = Event()
    with _bar("wait") as on_progress, service_at(server, settings, stop) as client:
        return make_there(client, wish, stop, undo_key)(upload, wish.target_id, on_progress)


@contextmanager
def _bar(first: str) -> Iterator[OnProgress]:
    """Shows what it is told; `first` until then."""
    columns = (TextColumn("{task.description:<12}"), BarColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(first, total=None)

        def on_progress(progress: Told) -> None:
            bar.update(task, description=progress.stage.replace("_", " "), completed=progress.fraction, total=1.0)

        yield on_progress
