"""What becomes of every file of the test material: `assets.tsv` has a line for each, and no file may be without one.

Its columns: the file; the answer by default; the answer with AVIF and HEIC switched on, where it is another. An answer
is the upright size and the words on colour, or the code of the refusal.
"""

import asyncio
import csv
from io import BytesIO
from pathlib import Path

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.photo.canonical import PhotoLimits, PhotoRejected, canonical_photo
from app.photo.decoder import Decoder
from app.photo.formats import Extra
from app.spool import open_spool
from jobs.settings import Settings

TABLE = Path(__file__).with_name("assets.tsv")
EXTRA: tuple[Extra, ...] = ("avif", "heic")
LIMITS = PhotoLimits(max_pixels=50_000_000, max_side_px=16_384, min_side_px=64, extra_formats=EXTRA)
PATIENCE_S = 10  # of computing, in the child: waiting for a busy machine does not count
CHILD_BYTES = 1_000_000_000

# Files that show what `astronaut_nasa.png` shows, in every format, mode, depth and orientation.
ASTRONAUTS = [
    *(f"astronaut256_exif{turn}.jpg" for turn in (1, 2, 3, 4, 6, 8)),
    *("astronaut256_exif6.png", "astronaut256_exif6.webp", "astronaut256_exif6_gps_pii.jpg"),
    *("astronaut256_palette.png", "astronaut256_rgb16.png", "astronaut256_icc_srgb.jpg", "astronaut256_lossless.webp"),
    *("astronaut.jpg", "astronaut.avif", "astronaut.heic", "astronaut_cmyk.jpg", "astronaut_lossy.webp"),
]


def expected(is_extra: bool) -> dict[str, str]:
    with TABLE.open() as lines:
        rows = list(csv.reader(lines, delimiter="\t"))
    return {row[0]: row[2] if is_extra and len(row) > 2 else row[1] for row in rows}


async def answer(decoder: Decoder, upload: bytes) -> str:
    started = computing_s()
    try:
        with open_spool() as file:
            file.write(upload)
            async with decoder.decode(file) as photo:
                words = f"{photo.width}x{photo.height} {photo.source.colour}"
    except PhotoRejected as error:
        words = error.code
    assert computing_s() - started < PATIENCE_S
    return words


def computing_s() -> float:
    return sum(sum(child.cpu_times()[:2]) for child in psutil.Process().children())


@pytest.mark.parametrize("extra", [(), EXTRA], ids=["by default", "with AVIF and HEIC"])
def test_every_file_gets_the_answer_that_the_table_gives(
    assets: Path, settings: Settings, extra: tuple[Extra, ...]
) -> None:
    files = sorted(path for folder in ("photos", "malformed", "cases") for path in (assets / folder).iterdir())
    others = set(psutil.Process().children())

    async def all_of_them() -> dict[str, str]:
        decoder = Decoder(settings.model_copy(update={"extra_formats": extra}))
        answers = {f"{path.parent.name}/{path.name}": await answer(decoder, path.read_bytes()) for path in files}
        for child in set(psutil.Process().children()) - others:
            assert child.memory_info().vms < CHILD_BYTES
        return answers

    assert asyncio.run(all_of_them()) == expected(bool(extra))


def small(upload: bytes) -> NDArray[np.int64]:
    photo = Image.open(BytesIO(canonical_photo(upload, LIMITS).png)).convert("RGB")
    return np.asarray(photo.resize((64, 64), Image.Resampling.BOX)).astype(np.int64)


@pytest.mark.parametrize("name", ASTRONAUTS)
def test_the_same_picture_arrives_in_whatever_form_it_was_stored(assets: Path, name: str) -> None:
    original = small((assets / "photos/astronaut_nasa.png").read_bytes())
    assert np.abs(small((assets / "photos" / name).read_bytes()) - original).mean() < 7


@pytest.mark.parametrize("turn", [2, 3, 5, 6, 8])
def test_a_turned_photo_arrives_as_its_upright_twin(assets: Path, turn: int) -> None:
    names = ("pillow_hopper.jpg", f"pillow_hopper_orientation_{turn}.jpg")
    upright, turned = (small((assets / "photos" / name).read_bytes()) for name in names)
    assert np.abs(turned - upright).mean() < 7
