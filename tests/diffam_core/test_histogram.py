"""Histogram matching: exact in the region, silent outside, never an alias, and skimage's up to stated differences."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage.exposure import match_histograms
from torch import Tensor

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


def in_skimage(pixels: Tensor, reference: Tensor) -> NDArray[np.float64]:
    """`pixels (3, n)` with the histograms of `reference (3, m)`, as skimage matches them: a picture one pixel high."""
    return np.asarray(match_histograms(pixels.double().numpy(), reference.double().numpy(), channel_axis=0))


def places(colours: NDArray[np.float64], reference: Tensor) -> NDArray[np.float64]:
    """Where colours stand among the reference's, per channel: 0 for its darkest pixel, m - 1 for its brightest."""
    steps = np.arange(reference.shape[1])
    rows = zip(colours, reference.double().sort(dim=1).values.numpy(), strict=True)
    return np.stack([np.interp(row, known, steps) for row, known in rows])


def strip(pixels: Tensor, table: Tensor) -> NDArray[np.float64]:
    """`pixels (3, n)` matched by us, as a picture one pixel high."""
    everywhere = torch.ones(1, 1, 1, pixels.shape[1], dtype=torch.bool)
    return match_colours(pixels[None, :, None], everywhere, table)[0, :, 0].double().numpy()


def whole_table(reference: Tensor) -> Tensor:
    """The table that has an entry for every pixel of a reference `(3, m)`."""
    everywhere = torch.ones(1, reference.shape[1], dtype=torch.bool)
    return colour_table(reference[:, None], everywhere, reference.shape[1])


@pytest.mark.parametrize(("count", "known"), [(500, 500), (500, 2000), (2000, 500)])
def test_with_a_table_of_every_pixel_a_match_is_skimages_up_to_the_place_in_a_share(count: int, known: int) -> None:
    generator = torch.Generator().manual_seed(count + known)
    pixels = torch.rand(3, count, generator=generator).square()
    reference = torch.randn(3, known, generator=generator).tanh()
    ours, theirs = strip(pixels, whole_table(reference)), in_skimage(pixels, reference)
    # We send the pixel of rank r (of n, from 0) to place (r + 1/2) (m - 1) / n of the reference's m, the middle of the
    # pixel's share, skimage to (r + 1) m / n - 1, its upper end. The difference runs from m / 2n - 1 to m / 2n.
    tolerance = max(known / (2 * count), 1 - known / (2 * count))
    assert np.abs(places(ours, reference) - places(theirs, reference)).max() <= tolerance + 1e-3


def test_the_regions_of_a_batch_match_as_skimage_matches_their_pixels_alone_to_a_step_of_the_table() -> None:
    generator = torch.Generator().manual_seed(3)
    reference, seen = torch.randn(3, 48, 48, generator=generator).tanh(), torch.rand(48, 48, generator=generator) < 0.4
    pictures = torch.rand(2, 3, 40, 40, generator=generator) * 2 - 1
    region = torch.rand(2, 1, 40, 40, generator=generator) < torch.tensor([0.2, 0.7])[:, None, None, None]
    colours = reference[:, seen]
    matched = match_colours(pictures, region, colour_table(reference, seen))
    for picture, mask, ours in zip(pictures, region[:, 0], matched, strict=True):
        theirs = in_skimage(picture[:, mask], colours)
        apart = np.abs(places(ours[:, mask].double().numpy(), colours) - places(theirs, colours)).max()
        # The table has 64 colours and is straight between them.
        assert apart <= colours.shape[1] * (1 / 63 + 1 / (2 * int(mask.sum())))
        assert np.abs(ours[:, mask].numpy() - theirs).mean() < 0.01


def test_of_equal_pixels_the_brightest_gets_the_colour_that_skimage_gives_them_all() -> None:
    generator = torch.Generator().manual_seed(4)
    pixels = (torch.rand(3, 600, generator=generator) * 8).floor()
    reference = torch.randn(3, 600, generator=generator).tanh()
    ours = places(strip(pixels, whole_table(reference)), reference)
    theirs = places(in_skimage(pixels, reference), reference)
    for channel in range(3):
        below = -1.0
        for level in range(8):
            equal = pixels[channel].numpy() == level
            (one,) = np.unique(theirs[channel, equal].round(6))
            assert ours[channel, equal].max() == pytest.approx(one, abs=0.5 + 1e-3)
            assert ours[channel, equal].min() > below  # the others share what lies between
            below = one


def test_where_the_reference_repeats_colours_a_match_is_skimages_to_one_level_of_grey() -> None:
    generator = torch.Generator().manual_seed(5)
    pixels = torch.rand(3, 3000, generator=generator)
    reference = (torch.rand(3, 3000, generator=generator) * 40).floor()
    ours, theirs = strip(pixels, whole_table(reference)), in_skimage(pixels, reference)
    # skimage slopes up to a repeated colour from the one below it; we stay on it for all its share.
    assert np.abs(ours - theirs).max() <= 1 + 1e-3
