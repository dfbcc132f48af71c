"""What `diffam models pull` does until the files are there: licences, progress, and what is left for a person to do."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

from model_store.errors import LicencesNotAccepted

if TYPE_CHECKING:
    from model_store.published.fetching.pull import Pulled
    from model_store.published.sources import Source, Sources

console = Console()
AGREED = "licences-accepted.txt"
SHOWN = "licences.txt"


def fetch_published(table: "Sources", folder: Path, accept_licences: bool = False, optional: bool = False) -> "Pulled":
    """Show or ask for the licences, fetch with progress bars, say what could not be had. Raises LicencesNotAccepted."""
    if table.consents(table.parts):
        _agree(table, folder, accept_licences)
    else:
        _show(table, folder)
    from model_store.published.fetching.pull import pull  # here, so that nobody waits for torch to be asked

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        bars = {}

        def show(source: "Source", done: int, total: int | None) -> None:
            if source.name not in bars:
                bars[source.name] = progress.add_task(source.name, total=source.about_bytes)
            progress.update(bars[source.name], completed=done, total=total)

        pulled = pull(table, folder, show, optional or table.is_collection)
    for failure in pulled.failures:
        console.print(f"{failure.code}: {failure}", style="red", markup=False, soft_wrap=True)
    _tell_left_out(table, pulled)
    _tell_by_hand(table, folder, pulled.by_hand)
    return pulled


def _agree(table: "Sources", folder: Path, accepted: bool) -> None:
    """Ask once, and write down what was agreed to. Raises LicencesNotAccepted."""
    licences = table.consents(part for source in table.files for part in source.gives)
    text = "".join(f"{licence.title}: {licence.terms}\n" for licence in licences)
    note = folder / AGREED
    if not licences or (note.is_file() and note.read_text(encoding="utf-8") == text):
        return
    shown = Table("licence", "what it says", "what it is for", title="Before anything is fetched")
    for licence in licences:
        titles = (part.title for part in table.parts.values() if part.licence == licence)
        shown.add_row(licence.title, licence.terms, ", ".join(titles))
    console.print(shown)
    if not accepted and not sys.stdin.isatty():
        raise LicencesNotAccepted("nobody is here to agree to these licences; add --accept-licences if you do")
    if not accepted and not typer.confirm("Do you agree to all of them?"):
        raise LicencesNotAccepted("nothing was fetched, because the licences were not accepted")
    folder.mkdir(parents=True, exist_ok=True)
    note.write_text(text, encoding="utf-8")


def _show(table: "Sources", folder: Path) -> None:
    """The licences that ask nothing of anybody, on the screen and beside the files."""
    shown = Table("what", "licence", "from", title="Licences")
    for part in table.parts.values():
        shown.add_row(part.title, part.licence.title, part.source)
    console.print(shown)
    folder.mkdir(parents=True, exist_ok=True)
    lines = (f"{part.title}: {part.licence.title}; {part.source}\n" for part in table.parts.values())
    (folder / SHOWN).write_text("".join(lines), encoding="utf-8")


def _tell_left_out(table: "Sources", pulled: "Pulled") -> None:
    """Which parts of a collection will be missing."""
    if table.is_collection and pulled.lacking:
        titles = ", ".join(table.parts[part].title for part in pulled.lacking)
        console.print(f"Left out: {titles}. Run the same command again to try again.", markup=False, soft_wrap=True)


def _tell_by_hand(table: "Sources", folder: Path, waiting: "tuple[Source, ...]") -> None:
    """Which files only a person can fetch."""
    if not waiting:
        return
    left = Table("file", "what it is", "where it is", "", title="To be fetched by hand, with a browser")
    for source in sorted(waiting, key=lambda source: source.optional):
        titles = ", ".join(table.parts[part].title for part in source.gives)
        left.add_row(source.name, titles, source.by_hand, "optional" if source.optional else "needed")
    console.print(left)
    console.print(f"Put them into {folder} and run the same command again.", markup=False, soft_wrap=True)
    console.print(f"Do you have them elsewhere? diffam models import {folder} PATH...", markup=False, soft_wrap=True)
