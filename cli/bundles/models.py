"""`diffam models`: pull, import, build, measure and verify bundles, and fine-tune their removal."""

import json
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.bundles.portrait import make_portrait
from cli.bundles.progress import progress_bars, stages_shown
from cli.bundles.pull import import_bundle, pull_bundle
from cli.bundles.removal import fine_tune_removal
from cli.commit import commit
from jobs.settings import Settings
from model_store.catalog import BUNDLES, find_bundle, read_manifest
from model_store.errors import StoreError

if TYPE_CHECKING:
    from model_store.miniature.measure import Figures

models_app = typer.Typer(help="Pull, import, build, fine-tune, measure and verify bundles.", no_args_is_help=True)
models_app.command("pull")(pull_bundle)
models_app.command("import")(import_bundle)
models_app.command("fine-tune-removal")(fine_tune_removal)
console = Console()
MADE = ("mini", "portrait")
Name = Annotated[str, typer.Argument(help="The bundle's name.")]


def _only_mini(name: str) -> None:
    if name != "mini":
        raise typer.BadParameter(f"only 'mini' is made by this project, not {name!r}")


@models_app.command()
def build(
    name: Name = "mini",
    work: Annotated[Path | None, typer.Option(help="Where finished stages wait; .diffam/build if not said.")] = None,
    out: Annotated[Path | None, typer.Option(help="mini's folder; replaced when all is done.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Stages at a time, one thread each: mini 2, else 1.")] = None,
    people: Annotated[Path | None, typer.Option(help="portrait: a folder with `ai` and `sfhq_t2i` in it.")] = None,
) -> None:
    """Train a bundle from nothing, `mini` or what `portrait` is made of so far. Stopped? Run it again."""
    if name not in MADE:
        raise typer.BadParameter(f"only {' and '.join(MADE)} are made by this project, not {name!r}")
    place = work or Path(".diffam/build") / ("" if name == "mini" else name)
    if unasked := "--out" if name == "portrait" and out else "--people" if name == "mini" and people else None:
        raise typer.BadParameter(f"{unasked} is not for {name!r}")
    if name == "portrait":
        make_portrait(people, place, jobs or 1)
        return
    from model_store.miniature.build import build_mini

    with stages_shown() as on_build:
        build_mini(out or BUNDLES / name, place, on_build, jobs or 2)
    console.print(f"Bundle {name!r} is ready. Measure it: [bold]diffam models measure {name}[/bold]")


@models_app.command()
def verify(name: Name = "mini") -> None:
    """Recompute the digest of every file of a bundle."""
    from model_store.catalog import damaged_files

    try:
        folder = find_bundle(name, Settings().shelf)
        manifest = read_manifest(folder)
        problems = damaged_files(folder)
    except StoreError as error:
        console.print(f"[red]{error.code}[/red]: {error}")
        raise typer.Exit(1) from None
    for problem in problems:
        console.print(f"[red]bundle_damaged[/red]: {problem}")
    if problems:
        raise typer.Exit(1)
    console.print(f"Bundle {manifest['name']!r} ({manifest['grade']}): every file is the one that was published.")


@models_app.command()
def measure(
    name: Name = "mini",
    identities: Annotated[int, typer.Option(min=30, help="Fresh people.")] = 200,
    seed: Annotated[int, typer.Option(help="Which people.")] = 0,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write the figures here.")] = None,
) -> None:
    """Measure a rendered bundle on people nobody trained on."""
    from model_store.bundle import open_bundle
    from model_store.miniature.measure import measure_bundle

    _only_mini(name)
    try:
        bundle = open_bundle(BUNDLES / name)
    except StoreError as error:
        console.print(f"[red]{error.code}[/red]: {error}")
        raise typer.Exit(1) from None
    with progress_bars() as progress:
        bar = progress.add_task("measuring", total=None, note="")
        figures = measure_bundle(
            bundle,
            identities,
            seed,
            lambda part, done, parts: progress.update(bar, completed=done, total=parts, note=part),
        )
    if json_file is not None:
        facts = {
            **figures, "seed": seed, "identities": identities, "commit": commit(), "machine": platform.platform(),
            "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }  # fmt: skip
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    _print_figures(figures)


def _print_figures(figures: "Figures") -> None:
    table = Table("recogniser", "TAR@FAR.01", "TAR@FAR.001", "FAR at shipped threshold", title="Recognisers")
    for name, row in figures["recognisers"].items():
        cells = (row["tar_at_far_0.01"], row["tar_at_far_0.001"], row["far_at_shipped_threshold"])
        table.add_row(name, *(f"{value:.4f}" for value in cells))
    console.print(table)
    parts = {
        "unet": figures["unet"], "clip": figures["clip"], "parser": figures["parser"],
        "detector": figures["detector"], "removal": figures["removal"],
    }  # fmt: skip
    for part, numbers in parts.items():
        console.print(f"{part}: " + ", ".join(f"{key} {value:.4g}" for key, value in numbers.items()))
