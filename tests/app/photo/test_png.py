"""The canonical photo's own PNG: every pixel, and little time."""

from io import BytesIO
from random import Random
from time import process_time

import pytest
from PIL import Image

from app.photo.png import STRIP_ROWS, bare_png


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("size", [(1, 1), (7, STRIP_ROWS), (300, STRIP_ROWS + 1), (2, 3 * STRIP_ROWS - 1)])
def test_every_pixel_is_read_back_as_it_was(size: tuple[int, int], mode: str) -> None:
    levels = Random(0).randbytes(size[0] * size[1] * len(mode))
    again = Image.open(BytesIO(bare_png(Image.frombytes(mode, size, levels))))
    assert (again.format, again.mode, again.size, again.info) == ("PNG", mode, size, {})
    assert again.tobytes() == levels


@pytest.fixture(scope="module")
def grainy() -> Image.Image:
    """A photo of 3 megapixels, with the grain of a sensor."""
    slope = Image.linear_gradient("L").resize((1700, 1700))
    grain = Image.effect_noise(slope.size, 8)
    return Image.merge("RGB", [Image.blend(slope, grain, 0.1 * part) for part in (1, 2, 3)])


def test_it_is_written_in_a_fraction_of_pillow_s_time_and_no_larger(grainy: Image.Image) -> None:
    def ours() -> bytes:
        return bare_png(grainy)

    def pillow() -> bytes:
        file = BytesIO()
        grainy.save(file, "PNG", compress_level=1)
        return file.getvalue()

    taken, sizes = [], []
    for write in (ours, pillow):
        tries = []
        for _ in range(3):
            started = process_time()
            sizes.append(len(write()))
            tries.append(process_time() - started)
        taken.append(min(tries))
    assert taken[0] < taken[1] / 2.5
    assert sizes[0] < 1.1 * sizes[-1]
