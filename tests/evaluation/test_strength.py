"""More of a style is seen more and protects more, and `auto` wears no more than it must."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from diffam_core.faces.face import FoundFace, cut_portrait, native_px
from diffam_core.faces.paste import paste_change
from evaluation.strength import STRENGTHS, Point, least_passing, sweep
from evaluation.subjects import Subjects
from model_store.bundle import Bundle
from model_store.catalog import StyleCard
from protection.measuring.survival import PROFILES, treat
from protection.plan import Variant
from protection.strength import around, choose_strength


@pytest.fixture(scope="module")
def style(bundle: Bundle) -> StyleCard:
    return bundle.find_style("ember", "celia")


@pytest.fixture(scope="module")
def points(bundle: Bundle, subjects: Subjects, style: StyleCard) -> list[Point]:
    """The sweep: whole photos, composited and compressed one after the other."""
    return sweep(bundle, subjects, style)


def test_strength_zero_changes_no_pixel(points: list[Point]) -> None:
    assert points[0].strength == 0
    assert float(points[0].rms.max()) == 0


def test_more_strength_is_more_visible_on_every_face(points: list[Point]) -> None:
    assert (torch.stack([point.rms for point in points]).diff(dim=0) > 0).all()


@pytest.mark.parametrize("treatment", ["clean", "jpeg75"])
def test_more_strength_protects_more(points: list[Point], treatment: str) -> None:
    own = [torch.stack([*point.own[treatment].values()]).mean() for point in points]
    target = [torch.stack([*point.target[treatment].values()]).mean() for point in points]
    assert own == sorted(own, reverse=True)
    assert target == sorted(target)


def test_auto_takes_the_first_strength_of_the_sweep_that_passes(
    bundle: Bundle, subjects: Subjects, style: StyleCard, points: list[Point]
) -> None:
    least = least_passing(bundle, points)
    assert None in least
    assert len(set(least)) > 2
    for row, expected in enumerate(least):
        choice = choose_strength(bundle.models, subjects.faces[row], Variant(style, "auto"))
        assert choice.passes == (expected is not None)
        assert choice.strength == (expected or 1.0)
        assert [trial.strength for trial in choice.tried] == list(STRENGTHS[1:])
        assert not any(trial.passes for trial in choice.tried if trial.strength < choice.strength)
        for trial, point in zip(choice.tried, points[1:], strict=True):
            swept = {name: float(own[row]) for name, own in point.own["jpeg75"].items()}
            assert trial.own_match == pytest.approx(swept, abs=2e-3)


def test_a_bar_that_nothing_passes_is_said_and_the_whole_style_is_worn(
    bundle: Bundle, subjects: Subjects, style: StyleCard
) -> None:
    everybody = replace(style, surrogates=tuple(bundle.models.recognisers))  # nobody is left to judge
    choice = choose_strength(bundle.models, subjects.faces[0], Variant(everybody, "auto"))
    assert (choice.strength, choice.passes) == (1.0, False)


@pytest.mark.parametrize("subsampling", ["jpeg75", "messenger"])
@pytest.mark.parametrize("corner", [(0, 0), (37, 21), (150, 90)])
def test_a_face_is_compressed_with_its_surroundings_as_in_the_whole_photo(
    subjects: Subjects, corner: tuple[int, int], subsampling: str
) -> None:
    x, y = corner
    whole, face = np.ascontiguousarray(subjects.photos[0][y:, x:]), subjects.found[0]
    shifted = FoundFace(
        face.box,
        (face.left_eye[0] - x, face.left_eye[1] - y),
        (face.right_eye[0] - x, face.right_eye[1] - y),
        face.framing,
    )
    delta = 0.3 * torch.ones(3, native_px(shifted, 64), native_px(shifted, 64))
    part, moved = around(whole, shifted)
    assert part.size < whole.size or corner == (150, 90)
    seen = [
        cut_portrait(treat(paste_change(photo, f, delta), PROFILES[subsampling]), f, 64)
        for photo, f in ((whole, shifted), (part, moved))
    ]
    assert float((seen[0] - seen[1]).abs().max()) < 1e-6
