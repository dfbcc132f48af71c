"""`diffam protect DIR`: a folder of photos in, a folder of protected ones out, and a report on all of them.

find -> look -> deal -> make -> look again -> report. Photos of one person wear different targets, so that they do not
link to each other as the same stranger; looking happens on this machine even where a service makes the photos.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli.album.folder import Album, find_photos
from cli.album.journal import Entry, open_journal
from cli.bundles.choosing import choose
from cli.errors import CliError
from cli.make import make_here, make_there, service_at
from cli.scores import print_grade
from cli.wishes import check_looks
from diffam_client import Client
from diffam_client.contract.wish import Wish
from jobs.settings import Settings
from model_store.additions import with_additions
from model_store.catalog import Catalog
from model_store.judges import choose_judges

IN_FLIGHT = 4
"""Photos at a service at once: enough to fill its batches, and it has other users too."""


@dataclass(frozen=True)
class AlbumOrder:
    """The photos below `folder` are to be finished in `out` with one wish, here or by the service at a URL."""

    folder: Path
    wish: Wish
    out: Path
    server: str | None = None


def protect_album(console: Console, settings: Settings, order: AlbumOrder, as_json: bool) -> bool:
    """Protect every photo of an album; returns whether all of them are.

    Raises CliError, ClientError, StoreError, OSError.
    """
    wish = order.wish
    check_album(wish)
    choice = choose(settings)
    added = settings.added_to(choice.folder.name)
    album = find_photos(order.folder, order.out)
    stop = Event()
    with ExitStack() as held:
        client = held.enter_context(service_at(order.server, settings, stop)) if order.server else None
        if client is None:
            offered = styled(with_additions(choice.catalog, added), wish)
        else:
            offered = targets_of(client, wish.reference_id)
            Console(stderr=True).print("Who is on which photo is found out here; the service only makes the photos.")
        bar = held.enter_context(_progress())
        loading = bar.add_task("load models", total=None)
        from cli.album.dealing import plan_work
        from cli.album.report import measure, write_report  # here, so that a wrong word is answered before torch loads
        from cli.album.sight import look_at
        from cli.album.work import Maker, make_all
        from model_store.opening import open_chosen

        wanted = wish.judges if client is None else here(choice.recognisers, wish.judges)
        bundle = open_chosen(choice, settings.device, added, wanted)
        bar.remove_task(loading)
        make = make_there(client, wish, stop) if client else make_here(bundle, settings, wish)
        journal = held.enter_context(open_journal(order.out))
        originals = bar.track(album.photos, description="look at the originals")
        sights = [look_at(bundle, settings, album.folder / name) for name in originals]
        plan = plan_work(bundle, album, journal, wish, sights, [wish.target_id] if wish.target_id else offered)
        make_all(album, plan.todo, journal, Maker(make, IN_FLIGHT if client else 1, stop), bar)
        entries = [journal.entries[name] for name in album.photos]
        measured = measure(bundle, album, entries, sights, plan.people, bar)
        report = write_report(album, entries, measured, plan.people, wish)
    if as_json:
        sys.stdout.write(report.model_dump_json(indent=2) + "\n")
    else:
        _print_end(console, album, entries, len(entries) - len(plan.todo), report.sentence)
    return all(entry.status == "protected" for entry in entries)


def check_album(wish: Wish) -> None:
    """Refuse what only a single photo can have. Raises CliError."""
    if wish.candidates > 1:
        raise CliError("an album keeps one picture of each photo: --candidates is for a single photo")
    if isinstance(wish.faces, tuple):
        raise CliError("each photo of an album numbers its own faces: --faces all or largest")
    if wish.skip or wish.eyes:
        raise CliError("--skip and --eyes are about the faces of one photo: name a file, not a folder")


def targets_of(client: Client, reference: str) -> list[str]:
    """The targets that the service has a style for with this look. Raises CliError, ClientError."""
    for card in client.references():
        if card.id == reference and card.targets:
            return card.targets
    raise CliError(f"unknown_reference: the service has no style for the reference {reference!r}")


def styled(catalog: Catalog, wish: Wish) -> list[str]:
    """The targets that the bundle here has a style for. Raises CliError, StoreError."""
    check_looks(catalog, wish)
    return [style.target for style in catalog.styles if style.reference == wish.reference_id and style.target]


def here(judging: Path, asked: Sequence[str] | None) -> tuple[str, ...]:
    """Of the recognisers that a service is asked for, those that can look here, too. Raises BundleDamaged."""
    return tuple(name for name in choose_judges(judging, None) if asked is None or name in asked)


@contextmanager
def _progress() -> Iterator[Progress]:
    columns = (TextColumn("{task.description:<26}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield bar


def _print_end(console: Console, album: Album, entries: Sequence[Entry], earlier: int, sentence: str) -> None:
    """What became of the album, every failure with its code."""
    for name in album.others:
        console.print(f"[dim]skipped, not a photo:[/] {escape(name)}", soft_wrap=True)
    failed = [entry for entry in entries if entry.status == "failed"]
    for entry in failed:
        line = f"{escape(entry.photo)}: [red]{entry.code}[/]: {escape(entry.message or '')}"
        console.print(line, soft_wrap=True, highlight=False)
    before = f", {earlier} of them in an earlier run" if earlier else ""
    console.print(f"{len(entries) - len(failed)} of {len(entries)} photos are protected{before}.")
    console.print(sentence)
    if made := next((entry for entry in entries if entry.bundle), None):
        print_grade(console, made.bundle)
    console.print(
        f"Report: {album.out / 'report.html'} (it shows the unprotected faces: keep it to yourself)", soft_wrap=True
    )
