"""The change that goes back into the photo: smooth inside, exactly nothing outside."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diffam_core.composite import change, feather, low_pass
from diffam_core.faces import FoundFace, cut_portrait, paste_change, portrait_transform


def _disc(size: int = 64, radius: float = 14.0) -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    return (((x - size / 2) ** 2 + (y - size / 2) ** 2) < radius**2).float()[None, None]


def test_the_feather_is_one_inside_zero_at_the_border_and_never_jumps() -> None:
    mask = feather(_disc())
    assert float(mask[0, 0, 32, 32]) == pytest.approx(1.0)
    assert float(mask[..., 0, :].max()) == float(mask[..., :, -1].max()) == 0
    assert float(mask.diff(dim=-1).abs().max()) < 0.25


def test_a_face_that_fills_the_portrait_still_ends_at_its_border() -> None:
    mask = feather(torch.ones(1, 1, 64, 64))
    assert float(mask[..., 0].abs().max()) == 0


def test_a_larger_portrait_is_feathered_over_the_same_share_of_the_face() -> None:
    assert float(feather(_disc(256, 4 * 14.0)).mean()) == pytest.approx(float(feather(_disc()).mean()), rel=0.12)


def test_nothing_changes_where_the_feather_is_zero() -> None:
    residual = torch.randn(1, 3, 64, 64)
    delta = change(residual, _disc(), 256)
    assert delta.shape == (1, 3, 256, 256)
    untouched = torch.nn.functional.interpolate(feather(_disc()), 256, mode="nearest") == 0
    assert untouched.any()
    assert float(delta[untouched.expand_as(delta)].abs().max()) == 0
    assert float(delta.abs().max()) > 0.1


def test_a_checkerboard_does_not_survive_the_low_pass() -> None:
    y, x = torch.meshgrid(torch.arange(16), torch.arange(16), indexing="ij")
    board = ((x + y) % 2 * 2 - 1).float().expand(1, 3, 16, 16)
    assert float(low_pass(board)[..., 1:-1, 1:-1].abs().max()) < 1e-6


@given(x=st.floats(60, 200), y=st.floats(60, 200), distance=st.floats(15, 70), roll=st.floats(-0.6, 0.6))
@settings(deadline=None, max_examples=25)
def test_a_change_lands_where_the_portrait_was_cut(x: float, y: float, distance: float, roll: float) -> None:
    half = np.array([np.cos(roll), np.sin(roll)]) * distance / 2
    face = FoundFace((0, 0, 1, 1), (x - half[0], y - half[1]), (x + half[0], y + half[1]))
    photo = np.random.default_rng(0).integers(60, 190, (260, 280, 3), dtype=np.uint8)
    delta = torch.zeros(3, 64, 64)
    delta[:, 24:36, 26:38] = 0.4
    pasted = paste_change(photo, face, delta)
    assert pasted.shape == photo.shape
    middle = np.linalg.solve(
        portrait_transform(face, 64)[:, :2], np.array([31.5, 29.5]) - portrait_transform(face, 64)[:, 2]
    )
    column, row = np.rint(middle).astype(int)
    if 0 <= row < 260 and 0 <= column < 280:
        assert np.allclose(pasted[row, column].astype(int) - photo[row, column], 51, atol=1)
    far = np.hypot(*np.meshgrid(np.arange(280) - middle[0], np.arange(260) - middle[1])) > face.side_px * 0.25
    assert np.array_equal(pasted[far], photo[far])


def test_a_portrait_has_the_eyes_in_their_place() -> None:
    photo = np.full((300, 300, 3), 128, dtype=np.uint8)
    photo[118:123, 98:103] = photo[118:123, 178:183] = 255
    portrait = cut_portrait(photo, FoundFace((0, 0, 1, 1), (100.0, 120.0), (180.0, 120.0)), 64)[0, 0]
    bright = (portrait > 0.2).nonzero().float().mean(dim=0) + 0.5
    assert bright[1] / 64 == pytest.approx(0.5, abs=0.01)
    assert bright[0] / 64 == pytest.approx(0.46, abs=0.015)
