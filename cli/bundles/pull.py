"""`diffam models pull` and `import`: from published files to a bundle that runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.bundles.fetch import fetch_published
from cli.errors import CliError
from jobs.settings import Settings
from model_store.catalog import PULLED

if TYPE_CHECKING:
    from model_store.published.importing import StyleFile

console = Console()
RECOGNISERS = "recognisers"


def pull_bundle(
    name: Annotated[str, typer.Argument(help="The published bundle, or `recognisers`.")] = PULLED,
    accept_licences: Annotated[bool, typer.Option("--accept-licences", help="Agree to the licences unasked.")] = False,
    sources: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Another table of sources, such as a mirror's.")
    ] = None,
    optional: Annotated[bool, typer.Option("--optional", help="Fetch also what a bundle works without.")] = False,
) -> None:
    """Fetch published networks and make a bundle of them. Stopped? Run it again: it goes on where it was."""
    from model_store.published.sources import TABLES, read_sources

    path = sources or TABLES.get(name)
    table = read_sources(path) if path else None
    if table is None or name != table.bundle:
        offered = table.bundle if table else ", ".join(TABLES)
        raise CliError(f"no published bundle {name!r}; there is: {offered}")
    settings = Settings()
    downloads, folder = settings.data_dir / "downloads" / name, settings.shelf / name
    pulled = fetch_published(table, downloads, accept_licences, optional)
    if not pulled.is_complete or set(pulled.lacking) == set(table.parts):
        raise typer.Exit(1)
    if name == RECOGNISERS:
        _import_recognisers(downloads, folder)
    else:
        _import([downloads], folder)


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


def _import(paths: list[Path], folder: Path, style: "StyleFile | None" = None) -> None:
    from model_store.published.importing import import_checkpoints

    with console.status("reading") as status:
        made = import_checkpoints(
            paths, folder, lambda label, done, total: status.update(f"{label} ({done + 1} of {total})"), style
        )
    _tell_made(made)
    console.print(f"Bundle {folder.name!r} is in {folder}.", soft_wrap=True, markup=False)
    console.print(f"Look whether it runs here: diffam doctor {folder.name}", soft_wrap=True, markup=False)


def _import_recognisers(downloads: Path, folder: Path) -> None:
    from model_store.published.recognisers.pack import import_recognisers

    with console.status("reading"):
        made = import_recognisers(downloads, folder)
    _tell_made(made)
    console.print(f"The recognisers are in {folder}.", soft_wrap=True, markup=False)


def _tell_made(made: dict[str, str]) -> None:
    table = Table("new in the bundle", "from")
    for file, origin in made.items():
        table.add_row(file, origin)
    console.print(table)
