"""Profiles do what their row says, to the last bit where an evaluation was measured with them."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from diffam_core.images import Photo, decode_photo, encode_photo
from protection.measuring.survival import PROFILE_NAMES, PROFILES, treat

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture(scope="module")
def photo() -> Photo:
    """Smooth colours with edges, of odd sizes, where a half pixel makes a difference."""
    noise = np.random.default_rng(0).integers(0, 256, (41, 57, 3), dtype=np.uint8)
    return cv2.resize(noise, (171, 123), interpolation=cv2.INTER_CUBIC).astype(np.uint8)


def _expected(name: str, photo: Photo) -> NDArray[np.uint8] | Photo:
    if name in ("jpeg75", "jpeg50"):
        return decode_photo(encode_photo(photo, "jpeg", int(name[-2:])))
    if name == "half":
        return cv2.resize(photo, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA).astype(np.uint8)
    if name == "blur":
        return cv2.GaussianBlur(photo, (0, 0), 1.5).astype(np.uint8)
    small = cv2.resize(photo, None, fx=0.75, fy=0.75, interpolation=cv2.INTER_LINEAR).astype(np.uint8)
    return decode_photo(encode_photo(small, "jpeg", 80))


@pytest.mark.parametrize("name", ["jpeg75", "jpeg50", "half", "blur", "screenshot"])
def test_a_profile_is_the_treatment_that_was_measured(name: str, photo: Photo) -> None:
    assert np.array_equal(treat(photo, PROFILES[name]), _expected(name, photo))


def test_a_messenger_limits_the_longer_side_and_halves_the_colour_resolution() -> None:
    wide = np.zeros((900, 2400, 3), dtype=np.uint8)
    assert treat(wide, PROFILES["messenger"]).shape == (600, 1600, 3)
    stripes = np.zeros((64, 64, 3), dtype=np.uint8)
    stripes[:, ::2, 0] = stripes[:, 1::2, 2] = 255
    sent = treat(stripes, PROFILES["messenger"])
    assert sent.shape == stripes.shape
    assert np.abs(np.diff(sent.astype(int), axis=1)).mean() < 0.5 * 255
    buffer = io.BytesIO()
    Image.fromarray(stripes).save(buffer, "JPEG", quality=80, subsampling="4:2:0")
    assert np.array_equal(sent, decode_photo(buffer.getvalue()))


@pytest.mark.parametrize("name", PROFILE_NAMES)
def test_a_treated_photo_is_another_photo_and_the_original_is_left_alone(name: str, photo: Photo) -> None:
    before = photo.copy()
    treated = treat(photo, PROFILES[name])
    assert np.array_equal(photo, before)
    assert treated.dtype == np.uint8
    assert treated.shape != photo.shape or (treated != photo).any()


@pytest.mark.parametrize("name", PROFILE_NAMES)
def test_a_photo_of_one_pixel_is_treated_too(name: str) -> None:
    assert treat(np.zeros((1, 1, 3), dtype=np.uint8), PROFILES[name]).shape == (1, 1, 3)


def test_the_page_shows_the_profiles_as_they_are() -> None:
    page = (DOCS / "journey/score.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert rows == [f"| `{p.name}` | {p.title} | {p.imitates} |" for p in PROFILES.values()]
