"""Histogram matching: exact in the region, silent outside, never an alias."""

import numpy as np
import pytest
import torch

from diffam_core.histogram import colour_table, match_colours


def test_a_matched_region_has_the_references_histogram() -> None:
    generator = torch.Generator().manual_seed(1)
    reference = torch.rand(3, 40, 40, generator=generator).square()
    picture = torch.rand(2, 3, 32, 32, generator=generator)
    everywhere = torch.ones(2, 1, 32, 32, dtype=torch.bool)
    table = colour_table(reference, torch.ones(40, 40, dtype=torch.bool))
    matched = match_colours(picture, everywhere, table)
    quantiles = np.linspace(0.02, 0.98, 25)
    for row in matched:
        got = np.quantile(row.flatten(1).numpy(), quantiles, axis=1)
        wanted = np.quantile(reference.flatten(1).numpy(), quantiles, axis=1)
        assert np.abs(got - wanted).max() < 0.01


def test_matching_keeps_the_order_of_brightness() -> None:
    picture = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    table = torch.linspace(-1, 1, 64).expand(3, 64)
    matched = match_colours(picture, torch.ones(1, 1, 16, 16, dtype=torch.bool), table)
    assert torch.equal(picture.flatten(2).argsort(), matched.flatten(2).argsort())


def test_pixels_outside_the_region_and_the_input_itself_stay_as_they_are() -> None:
    picture = torch.rand(1, 3, 16, 16, requires_grad=True)
    before = picture.detach().clone()
    region = torch.zeros(1, 1, 16, 16, dtype=torch.bool)
    region[..., 4:8, 4:8] = True
    matched = match_colours(picture, region, torch.full((3, 64), 5.0))
    outside = ~region.expand_as(matched)
    assert torch.equal(matched[outside], before[outside])
    assert (matched[~outside] == 5.0).all()
    assert torch.equal(picture.detach(), before)
    (picture - matched).abs().mean().backward()  # the released code aliased here: loss and gradient were 0
    assert picture.grad is not None
    assert float(picture.grad.abs().sum()) > 0


def test_a_region_the_reference_does_not_show_is_refused() -> None:
    with pytest.raises(ValueError, match="shows nothing"):
        colour_table(torch.rand(3, 8, 8), torch.zeros(8, 8, dtype=torch.bool))
