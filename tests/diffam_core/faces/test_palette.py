"""Make-up within a photo's own colours: ordinary photos get all of it, others what they have room for."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

from diffam_core.faces.cascades import CascadeDetector
from diffam_core.faces.face import FoundFace
from diffam_core.faces.palette import LUMA, fit_palette, palette_of
from diffam_core.faces.paste import paste_change
from diffam_core.images import Photo, decode_photo, encode_photo
from model_store.rendered.renderer import FRAMING
from model_store.rendered.scenes import demo_scene

Colouring = Callable[[NDArray[np.float64]], NDArray[np.float64]]
SEPIA = np.array([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]])
CYAN = np.array([0.55, 0.85, 1.0])


def scene(seed: int = 3) -> tuple[Photo, FoundFace]:
    photo = np.array(demo_scene(seed, 256))
    return photo, CascadeDetector(FRAMING).largest(photo)


def altered(photo: Photo, how: Colouring) -> Photo:
    return np.clip(np.rint(how(photo.astype(np.float64))), 0, 255).astype(np.uint8)


def grey(photo: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.repeat(np.rint(photo @ LUMA)[..., None], 3, axis=-1)


def violet(size: int = 128) -> torch.Tensor:
    """A change of every kind: darker, lighter, violet and green patches."""
    place = torch.linspace(-1, 1, size)
    fade = (1 - place[:, None] ** 2 - place[None, :] ** 2).clamp(min=0)
    patches = torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(0))
    return 0.3 * fade * functional.interpolate(patches[None], size)[0]


def apart(photo: Photo) -> NDArray[np.int64]:
    return photo[..., [0, 2]].astype(np.int64) - photo[..., [1]]


def test_ordinary_photos_get_the_change_itself() -> None:
    """Published figures rest on it: not one byte may differ."""
    change = violet()
    for seed in range(30):
        photo, face = scene(seed)
        assert fit_palette(change, photo, face) is change


@pytest.mark.parametrize(
    "name",
    ["photos/astronaut_nasa.png", "photos/astronaut_q10.jpg", "photos/pillow_hopper.jpg", "cases/half_shadow.jpg",
     "cases/adam7_rgb8.png", "cases/same_2.png", "cases/ultrahdr.jpg"],
)  # fmt: skip
def test_ordinary_colour_photos_of_any_skin_do_too(assets: Path, name: str) -> None:
    photo = decode_photo((assets / name).read_bytes())
    change = violet()
    assert fit_palette(change, photo, CascadeDetector(FRAMING).largest(photo)) is change


def test_grey_stays_grey_to_the_last_bit_and_still_changes() -> None:
    photo, face = scene()
    photo = altered(photo, grey)
    pasted = paste_change(photo, face, fit_palette(violet(), photo, face))
    assert not apart(pasted).any()
    assert np.abs(pasted.astype(int) - photo).max() > 20
    assert palette_of(photo, face).notes == ("photo_without_colour",)


def off_tone(photo: Photo, tone: Colouring, where: NDArray[np.bool_]) -> float:
    """Levels by which all but 5 % of the pixels miss the colour that the tone has at their lightness."""
    ramp = altered(np.repeat(np.arange(256.0)[:, None, None], 3, axis=2), tone)
    luma, ramp_luma = photo @ np.array(LUMA), (ramp @ np.array(LUMA))[:, 0]
    wanted = [np.interp(luma, ramp_luma, apart(ramp)[:, 0, i]) for i in (0, 1)]
    return float(np.percentile(np.abs(apart(photo) - np.stack(wanted, axis=2))[where], 95))


@pytest.mark.parametrize("tone", [lambda x: x @ SEPIA.T * 0.8, lambda x: grey(x) * CYAN], ids=["sepia", "cyan"])
@pytest.mark.parametrize("is_jpeg", [False, True], ids=["exact", "JPEG"])
def test_a_toned_photo_keeps_its_tone(tone: Colouring, is_jpeg: bool) -> None:
    """Within 3 of 255 levels; a JPEG brings its own noise."""
    original, face = scene()
    photo = altered(original, tone)
    if is_jpeg:
        photo = decode_photo(encode_photo(photo, "jpeg", 85))
    assert palette_of(photo, face).notes == ("photo_without_colour",)
    pasted = paste_change(photo, face, fit_palette(violet(), photo, face))
    moved = (pasted != photo).any(axis=2)
    assert moved.mean() > 0.2
    assert off_tone(pasted, tone, moved) < 3 + (off_tone(photo, tone, moved) if is_jpeg else 0)


@pytest.mark.parametrize(
    ("how", "contrast", "colour"),
    [
        (lambda x: 0.35 * x + 140, (0.3, 0.6), (1, 1)),  # washed out
        (lambda x: 0.25 * x, (0.2, 0.35), (1, 1)),  # dark
        (lambda x: 0.1 * x, (0.08, 0.15), (0.7, 1)),
        (lambda x: grey(x) + 0.2 * (x - grey(x)), (1, 1), (0.1, 0.9)),  # pale
        (lambda x: grey(x) + 0.05 * (x - grey(x)), (1, 1), (0, 0.2)),
        (grey, (1, 1), (0, 0)),
    ],
    ids=["washed out", "dark", "very dark", "pale", "nearly grey", "grey"],
)
def test_faint_photos_get_about_their_share(
    how: Colouring, contrast: tuple[float, float], colour: tuple[float, float]
) -> None:
    """As though the make-up had been worn when the photo was taken, and had faded with it."""
    for seed in (0, 3, 7):
        photo, face = scene(seed)
        palette = palette_of(altered(photo, how), face)
        assert contrast[0] <= palette.contrast <= contrast[1]
        assert colour[0] <= palette.colour <= colour[1]


def test_a_little_less_contrast_or_colour_never_makes_a_jump() -> None:
    photo, face = scene()
    for how in (lambda x, share: 110 + share * (x - 110), lambda x, share: grey(x) + share * (x - grey(x))):
        palettes = [
            palette_of(altered(photo, lambda x, share=share, how=how: how(x, share)), face)  # type: ignore[misc]
            for share in np.arange(1, 0, -0.02)
        ]
        for name in ("contrast", "colour"):
            shares = np.array([getattr(palette, name) for palette in palettes])
            assert np.abs(np.diff(shares)).max() < 0.2
            assert np.diff(shares).max() < 0.05


def test_the_size_of_the_change_does_not_matter() -> None:
    photo, face = scene()
    photo = altered(photo, lambda x: x @ SEPIA.T * 0.8)
    small, large = (fit_palette(torch.full((3, size, size), -0.2), photo, face) for size in (64, 256))
    assert torch.allclose(small.mean((1, 2)), large.mean((1, 2)), atol=0.01)
