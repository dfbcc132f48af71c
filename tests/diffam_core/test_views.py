"""Random views: what strangers make of a picture stays a picture of the same person, by chance that is repeatable."""

import pytest
import torch
from torch import Tensor

from diffam_core.views import random_view

SEEDS = range(12)
"""Enough for every treatment to come up, alone and with others."""


def chance(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def portraits() -> Tensor:
    """Two soft pictures, in [-0.8, 0.8]."""
    coarse = torch.rand(2, 3, 4, 4, generator=chance(0)) * 1.6 - 0.8
    return torch.nn.functional.interpolate(coarse, 64, mode="bicubic").clamp(-0.8, 0.8)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_view_is_the_picture_nearly(portraits: Tensor, seed: int) -> None:
    view = random_view(portraits, chance(seed))
    assert view.shape == portraits.shape
    assert 0 < (view - portraits).abs().mean() < 0.15


def test_the_same_chance_gives_the_same_view_and_another_another(portraits: Tensor) -> None:
    assert torch.equal(random_view(portraits, chance(3)), random_view(portraits, chance(3)))
    assert not torch.equal(random_view(portraits, chance(3)), random_view(portraits, chance(4)))


def test_faces_of_a_batch_are_cropped_each_on_its_own(portraits: Tensor) -> None:
    one, other = random_view(portraits[:1].expand(2, -1, -1, -1), chance(1))
    assert (one - other).abs().mean() > 0.005


@pytest.mark.parametrize("seed", SEEDS)
def test_a_spot_moves_by_no_more_than_another_aligner_would(seed: int) -> None:
    """4 % of the side for the shift, 6 % of the way from the middle for the zoom, and what a blur adds."""
    spot = torch.full((1, 3, 64, 64), -1.0)
    spot[..., 46:50, 14:18] = 1.0
    light = (random_view(spot, chance(seed))[0].mean(dim=0) + 0.6).clamp(min=0)
    place = torch.arange(64) + 0.5
    row, column = (float((light.sum(dim=side) * place).sum() / light.sum()) for side in (1, 0))
    assert (row, column) == pytest.approx((48, 16), abs=0.04 * 64 + 0.07 * 16 + 1)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_loss_on_a_view_reaches_the_picture(portraits: Tensor, seed: int) -> None:
    x = portraits.clone().requires_grad_(True)
    random_view(x, chance(seed)).square().mean().backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
    assert (x.grad.abs().sum(dim=1) > 0).float().mean() > 0.5
