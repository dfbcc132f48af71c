"""Pictures are made to fit what a service takes, and left alone where they do."""

import io

import numpy as np
import pytest
from PIL import Image

from evaluation.commercial.fitting import PictureLimits, fit_picture

LIMITS = PictureLimits(min_side_px=100, max_side_px=400, max_bytes=30_000)


def noise(width: int, height: int, kind: str) -> bytes:
    """A picture that compresses badly."""
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)).save(buffer, kind)
    return buffer.getvalue()


def test_a_jpeg_within_the_limits_is_sent_as_it_is() -> None:
    file = noise(120, 110, "JPEG")
    assert fit_picture(file, LIMITS) is file


@pytest.mark.parametrize(
    ("size", "expected"),
    [((60, 90), (100, 150)), ((800, 400), (400, 200)), ((1000, 20), (400, 8)), ((120, 110), (120, 110))],
)
def test_sides_are_brought_within_the_limits_in_proportion(size: tuple[int, int], expected: tuple[int, int]) -> None:
    with Image.open(io.BytesIO(fit_picture(noise(*size, "PNG"), LIMITS))) as image:
        assert (image.format, image.size) == ("JPEG", expected)


def test_a_file_that_is_too_large_is_compressed_and_only_then_made_smaller() -> None:
    file = noise(200, 200, "JPEG")
    compressed = fit_picture(file, PictureLimits(10, 400, len(file) * 4 // 5))
    smaller = fit_picture(file, PictureLimits(10, 400, 3000))
    assert len(smaller) <= 3000 < len(compressed) <= len(file) * 4 // 5
    with Image.open(io.BytesIO(compressed)) as first, Image.open(io.BytesIO(smaller)) as second:
        assert first.size == (200, 200)
        assert second.width < 200
