"""`diffam protect`: a photo in, a protected photo out, without a service."""

import sys
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from app.photo import PhotoLimits, canonical_photo
from cli.errors import CliError
from cli.report import print_grade, print_scores
from jobs.settings import Settings
from model_store.additions import with_additions
from model_store.catalog import find_bundle, read_catalog

if TYPE_CHECKING:
    from worker.pipeline import ProtectedPhoto

OutputFormat = Literal["png", "jpeg"]
FORMATS: dict[str, OutputFormat] = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}


def protect(
    console: Console, settings: Settings, photo: Path, look: str, target: str | None, out: Path, as_json: bool
) -> None:
    """Protect `photo` and write `out`, a PNG or JPEG by its suffix; the scores go to stdout.

    Raises CliError, PhotoRejected, DiffAMError, StoreError, OSError.
    """
    output_format = FORMATS.get(out.suffix.lower())
    if output_format is None:
        raise CliError(f"--out must end in .png, .jpg or .jpeg, not {out.suffix!r}")
    folder = find_bundle(settings.bundle, settings.shelf)
    catalog = with_additions(read_catalog(folder), settings.added)
    catalog.style_for(look, target)
    limits = PhotoLimits(settings.max_pixels, settings.max_side_px, settings.min_side_px)
    canonical = canonical_photo(photo.read_bytes(), limits)
    protected = travel(folder, settings, canonical.png, look, target, output_format)
    out.write_bytes(protected.photo)
    bundle = {"name": catalog.name, "grade": catalog.grade}
    if as_json:
        scores = {"faces": protected.faces, "seconds": protected.seconds, "bundle": bundle, "out": str(out)}
        sys.stdout.write(dumps(scores, indent=2) + "\n")
        return
    print_scores(console, protected.faces)
    print_grade(console, bundle)
    console.print(f"Saved {out}")


def travel(
    folder: Path, settings: Settings, photo: bytes, look: str, target: str | None, output_format: OutputFormat
) -> "ProtectedPhoto":
    """Take one photo through the bundle in `folder`, with a progress bar on stderr. Raises DiffAMError, StoreError."""
    columns = (TextColumn("{task.description:<12}"), BarColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("load models", total=None)
        from model_store.bundle import open_bundle  # here, so that a wrong word is answered before torch loads
        from worker.pipeline import ProtectRequest, protect_photos

        bundle = open_bundle(folder, settings.device, settings.added)

        def on_progress(stage: str, step: int, steps: int) -> None:
            bar.update(task, description=stage.replace("_", " "), completed=step, total=steps)

        (protected,) = protect_photos(bundle, [ProtectRequest(photo, look, target, output_format)], on_progress)
    if isinstance(protected, Exception):
        raise protected
    return protected
