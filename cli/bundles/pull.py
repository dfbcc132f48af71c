"""`diffam models pull` and `import`: from published files to a bundle that runs."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

from cli.errors import CliError
from jobs.settings import Settings
from model_store.catalog import PULLED
from model_store.errors import LicencesNotAccepted

if TYPE_CHECKING:
    from model_store.published.importing import StyleFile
    from model_store.published.sources import Source, Sources

console = Console()
AGREED = "licences-accepted.txt"


def pull_bundle(
    name: Annotated[str, typer.Argument(help="The published bundle.")] = PULLED,
    accept_licences: Annotated[bool, typer.Option("--accept-licences", help="Agree to the licences unasked.")] = False,
    sources: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Another table of sources, such as a mirror's.")
    ] = None,
    optional: Annotated[bool, typer.Option("--optional", help="Fetch also what a bundle works without.")] = False,
) -> None:
    """Fetch the paper's networks and make a bundle of them. Stopped? Run it again: it goes on where it was."""
    from model_store.published.sources import PUBLISHED, read_sources

    table = read_sources(sources or PUBLISHED)
    if name != table.bundle:
        raise CliError(f"no published bundle {name!r}; there is: {table.bundle}")
    settings = Settings()
    folder = settings.data_dir / "downloads" / table.bundle
    _agree(table, folder, accept_licences)
    from model_store.published.fetching.pull import pull  # here, so that nobody waits for torch to be asked

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        bars = {}

        def show(source: "Source", done: int, total: int | None) -> None:
            if source.name not in bars:
                bars[source.name] = progress.add_task(source.name, total=source.about_bytes)
            progress.update(bars[source.name], completed=done, total=total)

        pulled = pull(table, folder, show, optional)
    for failure in pulled.failures:
        console.print(f"{failure.code}: {failure}", style="red", markup=False, soft_wrap=True)
    _tell_by_hand(table, folder, pulled.by_hand)
    if not pulled.is_complete:
        raise typer.Exit(1)
    _import([folder], settings.shelf / table.bundle)


def import_bundle(
    paths: Annotated[
        list[Path] | None, typer.Argument(exists=True, help="Checkpoints, the authors' assets.zip, or folders.")
    ] = None,
    name: Annotated[str, typer.Option(help="The bundle to make or to complete.")] = PULLED,
    style: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A fine-tuned checkpoint, to be worn as a style.")
    ] = None,
    reference: Annotated[str | None, typer.Option(help="The look that the style applies.")] = None,
    target: Annotated[str | None, typer.Option(help="The identity it was trained for.")] = None,
    held_out: Annotated[str | None, typer.Option(help="The recogniser its training never saw.")] = None,
) -> None:
    """Make a bundle of files that are here already. They are told by their content; their names do not matter."""
    from model_store.published.importing import StyleFile

    if style is not None and reference and target and held_out:
        worn = StyleFile(style, reference, target, held_out)
    elif style or reference or target or held_out:
        raise CliError("a style needs all four: --style FILE --reference LOOK --target IDENTITY --held-out RECOGNISER")
    elif not paths:
        raise CliError("name the files or folders to import")
    else:
        worn = None
    _import(paths or [], Settings().shelf / name, worn)


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


def _import(paths: list[Path], folder: Path, style: "StyleFile | None" = None) -> None:
    from model_store.published.importing import import_checkpoints

    with console.status("reading") as status:
        made = import_checkpoints(
            paths, folder, lambda label, done, total: status.update(f"{label} ({done + 1} of {total})"), style
        )
    table = Table("new in the bundle", "from")
    for file, origin in made.items():
        table.add_row(file, origin)
    console.print(table)
    console.print(f"Bundle {folder.name!r} is in {folder}.", soft_wrap=True, markup=False)
    console.print(f"Look whether it runs here: diffam doctor {folder.name}", soft_wrap=True, markup=False)
