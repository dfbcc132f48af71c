"""The change that goes back into the photo: smooth inside, exactly nothing outside."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diffam_core.composite import REGIONS, Region, change, feather, low_pass, region_weights
from diffam_core.faces.face import FoundFace, cut_portrait, portrait_transform
from diffam_core.faces.paste import paste_change
from diffam_core.networks import parser as face_parser
from diffam_core.networks.parser import region
from model_store.bundle import load_models
from model_store.catalog import BUNDLES, read_manifest
from model_store.rendered.portraits import render_portraits, sample_faces
from model_store.rendered.renderer import FRAMING


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
    face = FoundFace((0, 0, 1, 1), (x - half[0], y - half[1]), (x + half[0], y + half[1]), FRAMING)
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
    portrait = cut_portrait(photo, FoundFace((0, 0, 1, 1), (100.0, 120.0), (180.0, 120.0), FRAMING), 64)[0, 0]
    bright = (portrait > 0.2).nonzero().float().mean(dim=0) + 0.5
    assert bright[1] / 64 == pytest.approx(0.5, abs=0.01)
    assert bright[0] / 64 == pytest.approx(0.46, abs=0.015)


@pytest.fixture(scope="module")
def faces() -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """What the shipped parser says of eight rendered strangers, and where their regions truly are."""
    generator = torch.Generator().manual_seed(0)
    picture = render_portraits(sample_faces(torch.arange(8), 31_000_000, generator, wearing=0.0), 64, generator)
    folder = BUNDLES / "mini"
    with torch.no_grad():
        regions = load_models(folder, read_manifest(folder)).parser(picture.image).sigmoid()
    truth = {name: getattr(picture, name) > 0.5 for name in face_parser.CHANNELS}
    return regions, truth


def test_the_weights_of_all_regions_add_up_to_one(faces: tuple[torch.Tensor, dict[str, torch.Tensor]]) -> None:
    parts = [region_weights(faces[0], {name}) for name in sorted(REGIONS)]
    assert all(float(part.min()) >= 0 and float(part.max()) <= 1 for part in parts)
    assert torch.allclose(torch.stack(parts).sum(dim=0), torch.ones_like(parts[0]), atol=1e-6)
    for name in REGIONS:
        rest = region_weights(faces[0], REGIONS - {name})
        assert torch.allclose(rest, 1 - region_weights(faces[0], {name}), atol=1e-6)


def test_all_regions_together_are_the_whole_change_to_the_last_bit(
    faces: tuple[torch.Tensor, dict[str, torch.Tensor]],
) -> None:
    residual = torch.randn(8, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    face = region(faces[0], "face")
    weights = region_weights(faces[0], REGIONS)
    assert torch.equal(change(residual, face, 256, weights), change(residual, face, 256))


@pytest.mark.parametrize("left_out", sorted(REGIONS))
def test_a_region_that_is_left_out_keeps_its_pixels_and_the_others_change(
    faces: tuple[torch.Tensor, dict[str, torch.Tensor]], left_out: Region
) -> None:
    regions, truth = faces
    residual = torch.full((8, 3, 64, 64), 40 / 127.5)  # a strong make-up: 40 grey levels everywhere
    delta = change(residual, region(regions, "face"), 256, region_weights(regions, REGIONS - {left_out})).abs() * 127.5
    for name in REGIONS:
        inside = torch.nn.functional.interpolate(truth[name].float(), 256, mode="nearest") > 0
        if name == "skin":  # away from lips and eyes, whose make-up ends softly on it
            near = torch.nn.functional.max_pool2d((truth["lips"] | truth["eyes"]).float(), 17, 1, 8)
            inside &= torch.nn.functional.interpolate(near, 256, mode="nearest") == 0
        levels = delta[inside.expand_as(delta)]
        if name == left_out:
            assert float(levels.mean()) < 0.2
            assert float((levels > 2).float().mean()) < 0.02
        else:
            assert float(levels.mean()) > 30
