"""Changes as make-up lays them on: the same left and right, in the hue of the skin, never more than is allowed."""

import pytest
import torch
from torch import Tensor

from diffam_core.refining.allowance import Allowance, lightness
from diffam_core.refining.shading import Shading, Touch

SIDE, BATCH = 64, 2
POINTS = torch.tensor([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])
"""A face whose middle is the canvas's."""
BROWN = torch.tensor([0.5, 0.1, -0.2])


def shading(
    points: Tensor = POINTS, skin: Tensor = BROWN, roughness: float = 0.5, touch: Touch | None = None
) -> Shading:
    canvases = skin.view(1, 3, 1, 1).expand(BATCH, 3, SIDE, SIDE)
    one = torch.ones(BATCH, 1, SIDE, SIDE)
    allowance = Allowance(0.2 * one, roughness * one)
    return Shading.of(canvases, points.expand(BATCH, 5, 2), allowance, torch.full((BATCH,), 25.0), touch or Touch())


def latent() -> Tensor:
    return 3 * torch.randn(BATCH, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


def test_left_and_right_change_alike() -> None:
    change = shading().change(latent())
    assert change.abs().mean() > 1e-3
    assert torch.allclose(change, change.flip(-1), atol=1e-5)


def test_a_tilted_face_changes_alike_along_its_own_axis() -> None:
    turned = (POINTS - 0.5).flip(-1) * torch.tensor([1.0, -1.0]) + 0.5  # lies on its side: its halves are up and down
    change = shading(turned).change(latent())
    assert torch.allclose(change, change.flip(-2), atol=1e-5)
    assert not torch.allclose(change, change.flip(-1), atol=1e-3)


def test_a_nose_that_points_aside_hardly_moves_the_axis() -> None:
    aside = POINTS + torch.tensor([[0.0, 0], [0, 0], [0.08, 0], [0, 0], [0, 0]])
    moved = (shading(aside).mirror - shading().mirror).abs().max()
    assert 0 < moved < 0.16 * 0.25


def turned(aside: float) -> Tensor:
    """The face with its nose that far aside, in eye distances."""
    return POINTS + aside * torch.tensor([[0.0, 0], [0, 0], [0.4, 0], [0, 0], [0, 0]])


def test_the_further_a_face_turns_the_less_do_its_halves_change_alike() -> None:
    changes = [shading(turned(aside)).change(latent()) for aside in (0.1, 0.275, -0.45)]
    front, half, side = (float((each - each.flip(-1)).abs().mean() / each.abs().mean()) for each in changes)
    assert front < 0.2
    assert 0.6 < half < 0.8 * side


def test_a_face_seen_from_the_side_changes_little_more_than_half_as_much() -> None:
    front, half, side = (float(shading(turned(aside)).allowance.most.max()) for aside in (0.1, 0.275, 0.45))
    assert (front, half, side) == pytest.approx((0.2, 0.16, 0.12))


def test_shades_have_the_hue_of_the_skin() -> None:
    grey = latent().mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)
    change = shading().change(grey)
    skin = (BROWN + 1) / 2
    red, green, blue = change.abs().mean(dim=(0, 2, 3))
    assert abs(red / green - skin[0] / skin[1]) < 0.1
    assert red > green > blue


def test_lightness_never_changes_more_than_is_allowed() -> None:
    change = shading(touch=Touch(chroma=1, fine=0.001, coarse=0.001)).change(100 * latent())
    assert lightness(change).abs().max() <= 0.2 + 1e-5
    assert lightness(change).abs().max() > 0.19


def test_colour_beside_the_skins_own_is_as_much_as_chroma_says() -> None:
    def colours(chroma: float) -> Tensor:
        change = shading(skin=torch.zeros(3), touch=Touch(chroma=chroma)).change(latent())
        return (change - lightness(change)).abs().mean()

    assert colours(0) < 1e-6
    assert abs(colours(0.2) / colours(0.1) - 2) < 1e-3


def test_smooth_skin_gets_softer_shades_than_texture() -> None:
    def steepness(roughness: float) -> Tensor:
        change = shading(roughness=roughness).change(latent())
        return change.diff(dim=-1).abs().mean() / change.abs().mean()

    assert steepness(0) < 0.6 * steepness(1)


def test_black_skin_has_a_hue() -> None:
    assert torch.isfinite(shading(skin=torch.full((3,), -1.0)).change(latent())).all()
