"""`diffam faces PHOTO`: the faces of a photo with their numbers, to choose from before anything is done."""

import sys
from collections.abc import Sequence
from json import dumps
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from app.photo.canonical import canonical_photo
from cli.bundles.choosing import choose
from cli.make import limits_of
from cli.wishes import format_of
from diffam_client.contract.report import FACES, FaceReport
from jobs.settings import Settings

FREE, LEFT = "#00c853", "#ff6d00"
"""Colours of boxes: can be protected, would be left alone."""
EYES = ("left_eye", "right_eye")


def show_faces(console: Console, settings: Settings, photo: Path, picture: Path | None, as_json: bool) -> None:
    """Find and tell the faces of `photo`, largest first; `picture` becomes a copy with numbered boxes.

    Raises CliError, PhotoRejected, DiffAMError, StoreError, OSError.
    """
    output_format = format_of(picture.suffix) if picture else "png"
    choice = choose(settings)
    canonical = canonical_photo(photo.read_bytes(), limits_of(settings))
    with Console(stderr=True).status("looking"):
        from diffam_core.images import decode_photo, encode_photo
        from model_store.opening import open_chosen
        from protection.pipeline import detect_faces

        faces = detect_faces(open_chosen(choice, settings.device, judges=()).models, canonical.png)
        if picture:
            picture.write_bytes(encode_photo(draw_boxes(decode_photo(canonical.png), faces), output_format))
    if as_json:
        facts = {"width": canonical.width, "height": canonical.height, "faces": FACES.dump_python(faces, mode="json")}
        sys.stdout.write(dumps(facts, indent=2) + "\n")
        return
    print_faces(console, faces)
    if picture:
        console.print(f"Saved {picture}", soft_wrap=True)


def print_faces(console: Console, faces: Sequence[FaceReport]) -> None:
    """A row per face; the first column is what `--faces` takes."""
    if not faces:
        console.print("No face was found in this photo.")
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("face", "x, y", "size", "eyes at", "will be", "notes"):
        table.add_column(name, no_wrap=name != "notes")
    for face in faces:
        x, y, width, height = face.box
        eyes = "  ".join(f"{face.landmarks[eye][0]:.0f},{face.landmarks[eye][1]:.0f}" for eye in EYES)
        fate = f"[yellow]left alone: {face.code}[/]" if face.code else "[green]protected[/]"
        table.add_row(str(face.index), f"{x}, {y}", f"{width}x{height}", eyes, fate, ", ".join(face.notes))
    console.print(table)
    console.print("Choose with --faces, for example --faces " + ",".join(str(face.index) for face in faces[:2]))


def draw_boxes(photo: NDArray[np.uint8], faces: Sequence[FaceReport]) -> NDArray[np.uint8]:
    """The photo with a numbered box around every face."""
    image = Image.fromarray(photo)
    pen = ImageDraw.Draw(image)
    line = max(2, round(max(image.size) / 400))
    font = ImageFont.load_default(size=line * 8)
    for face in faces:
        x, y, width, height = face.box
        colour = LEFT if face.code else FREE
        pen.rectangle((x, y, x + width, y + height), outline=colour, width=line)
        label = str(face.index)
        room = pen.textbbox((x, y), label, font=font)
        pen.rectangle((x, y, room[2] + 2 * line, room[3] + 2 * line), fill=colour)
        pen.text((x + line, y), label, fill="black", font=font)
    return np.array(image)
