"""A whole photo's faces are refined: the right pixels change, and nobody's company changes them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from diffam_core.faces.face import FoundFace
from diffam_core.faces.framing import Framing
from diffam_core.images import Photo, decode_photo
from diffam_core.losses import VisualBar
from diffam_core.networks.parser import CHANNELS, DETAILS
from diffam_core.refining.photo import Dressed, refine_photo
from diffam_core.refining.refinement import Refinement
from tests.diffam_core.refining.test_refinement import FIVE, surrogates
from tests.drawn_regions import drawn_regions
from tests.people import shot

SIDE, EYE_MIDDLE = 160, (0.5, 0.42)
FRAMING = Framing((0.5, 0.46), 0.28)
SETTINGS = Refinement(steps=2, check_every=1, margin=9, bar=VisualBar(0, -1))


def told() -> Tensor:
    """What a parser would tell of a portrait that has its regions where they usually are."""
    drawn = drawn_regions(torch.tensor([0.28 * 64]), 64, FRAMING.eye_middle)
    masks = {"lips": drawn.lips, "eyes": drawn.lids, "skin": drawn.outline, "face": drawn.outline} | vars(drawn)
    return torch.cat([masks[name] for name in (*CHANNELS, *DETAILS)], dim=1)


def dressed(original: Photo, made_up: Photo, lefts: list[int], beside: int = 0) -> Dressed:
    """A photo with faces that begin so far from the left."""
    return Dressed(original, made_up, [face_at(left) for left in lefts], [told() for _ in lefts], beside)


def face_at(left: float) -> FoundFace:
    middle = np.array(EYE_MIDDLE) * SIDE - 0.5 + (left, 0)
    points = [tuple((middle + 0.18 * SIDE * np.array(place)).tolist()) for place in FIVE]
    others = dict(zip(("nose", "left_mouth", "right_mouth"), points[2:], strict=True))
    return FoundFace((0, 0, SIDE, SIDE), points[0], points[1], FRAMING, others=others)


def pair() -> tuple[Photo, Photo]:
    """Two people side by side, and the same with reddened faces."""
    original = np.concatenate([decode_photo(shot(person, 0, SIDE)) for person in (0, 1)], axis=1)
    red = original.astype(np.int16)
    red[50:120, :, 0] += 12
    return original, red.clip(0, 255).astype(np.uint8)


def test_every_face_changes_within_its_outline_and_the_rest_keeps_its_bytes() -> None:
    original, made_up = pair()
    refined = refine_photo(dressed(original, made_up, [0, SIDE]), surrogates(), SETTINGS)
    moved = (refined != made_up).any(axis=2)
    for left in (0, SIDE):
        y, x = np.mgrid[:SIDE, :SIDE] + 0.5
        away = ((x / SIDE - EYE_MIDDLE[0]) / 0.18 / 1.15) ** 2 + (((y / SIDE - EYE_MIDDLE[1]) / 0.18 - 0.55) / 1.6) ** 2
        part = moved[:, left : left + SIDE]
        assert part[away < 0.5].mean() > 0.5
        assert not part[away > 1.3].any()


def test_a_face_is_refined_alike_whoever_stands_beside_it() -> None:
    original, made_up = pair()
    both = refine_photo(dressed(original, made_up, [0, SIDE]), surrogates(), SETTINGS)
    one = refine_photo(dressed(original, made_up, [SIDE]), surrogates(), SETTINGS)
    assert np.array_equal(one[:, :SIDE], made_up[:, :SIDE])
    assert np.abs(one[:, SIDE:].astype(int) - both[:, SIDE:]).max() <= 1
    assert not np.array_equal(one, made_up)


def test_faces_of_one_photo_share_its_bar() -> None:
    original, _ = pair()

    def psnr_db(bar: VisualBar) -> float:
        refined = refine_photo(dressed(original, original, [0, SIDE]), surrogates(), replace(SETTINGS, bar=bar))
        return float(10 * np.log10(255**2 / np.square(refined.astype(float) - original).mean()))

    assert psnr_db(SETTINGS.bar) < 38
    assert 39.8 < psnr_db(VisualBar(40, -1)) < 41.5


def test_faces_that_are_refined_elsewhere_take_their_part_of_the_bar() -> None:
    original, _ = pair()

    def error(beside: int) -> float:
        refined = refine_photo(
            dressed(original, original, [0], beside), surrogates(), replace(SETTINGS, bar=VisualBar(40, -1))
        )
        return float(np.square(refined.astype(float) - original).mean())

    assert error(1) == pytest.approx(255**2 / 10**4 / 2, rel=0.05)
    assert error(0) > 1.5 * error(1)


def test_a_face_changes_no_more_the_more_there_is_around_it() -> None:
    def moved(times: int) -> float:
        beside = (times - 1) * SIDE
        original = np.pad(decode_photo(shot(0, 0, SIDE)), ((0, beside), (0, beside), (0, 0)), mode="edge")
        settings = replace(SETTINGS, bar=VisualBar(50, -1))
        refined = refine_photo(dressed(original, original, [0]), surrogates(), settings)
        return float(np.square(refined.astype(float) - original).sum())

    assert moved(6) == pytest.approx(moved(4), rel=0.05)  # of each photo the face's cut is less than four fifths
