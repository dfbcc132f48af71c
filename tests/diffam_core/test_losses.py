"""The terms of both losses against sums by hand, and the table that names them against what is there."""

import inspect
import re
from dataclasses import fields

import pytest
import torch
from torch import Tensor

from diffam_core import losses
from diffam_core.histogram import colour_table
from diffam_core.losses import RemovalWeights, Weights

ROW = re.compile(r"^\| (?:[^|]*\| )?(\w+) \| `(\w+)` \| .* \| ([\d.]+) \|$", re.MULTILINE)
NO_TERM = {"as_seen", "bare_places"}


def table() -> list[tuple[str, str, float]]:
    """Term, function and weight of every row of the module's docstring."""
    return [(term, function, float(weight)) for term, function, weight in ROW.findall(losses.__doc__ or "")]


def test_the_table_names_every_term_that_has_a_weight_and_its_weight() -> None:
    default = {
        (field.name, float(field.default))
        for weights in (RemovalWeights, Weights)
        for field in fields(weights)
        if isinstance(field.default, float)
    }
    assert {(term, weight) for term, _, weight in table()} == default


def test_the_table_names_every_function_that_is_a_term() -> None:
    own = {
        name
        for name, _ in inspect.getmembers(losses, inspect.isfunction)
        if inspect.unwrap(getattr(losses, name)).__module__ == "diffam_core.losses"
    }
    assert {function for _, function, _ in table()} == own - NO_TERM


def unit(*rows: tuple[float, ...]) -> Tensor:
    """Unit vectors of these directions."""
    return torch.nn.functional.normalize(torch.tensor(rows, dtype=torch.float32))


def test_a_direction_costs_nothing_along_what_is_wanted_and_two_against_it() -> None:
    wanted = torch.tensor([0.0, 2.0])
    assert losses.direction(torch.tensor([[0.0, 5.0]]), wanted) == pytest.approx(0)
    assert losses.direction(torch.tensor([[0.0, -5.0], [1.0, 0.0]]), wanted) == pytest.approx((2 + 1) / 2)


def test_identity_and_impersonation_are_one_less_the_mean_cosine() -> None:
    seen, own = unit((1.0, 0.0), (3.0, 4.0)), unit((1.0, 0.0), (1.0, 0.0))
    assert losses.identity(seen, own) == pytest.approx(1 - (1 + 0.6) / 2)
    assert losses.impersonate(seen, own[0]) == pytest.approx(1 - (1 + 0.6) / 2)


def test_dodging_asks_for_no_more_than_a_stranger() -> None:
    own = unit((1.0, 0.0), (1.0, 0.0))
    assert losses.dodge(unit((-1.0, 0.0), (0.0, 1.0)), own) == 0
    assert losses.dodge(unit((1.0, 0.0), (0.0, 1.0)), own) == pytest.approx(0.5)


def test_bareness_tolerates_a_little_make_up_and_a_standard_deviation_beyond_bare() -> None:
    assert losses.bareness(torch.tensor([[0.2, -1.0], [0.0, 0.1]])) == 0
    assert losses.bareness(torch.tensor([[1.2, -2.0]])) == pytest.approx((1.0 + 1.0) / 2)


def test_a_picture_in_the_colours_of_the_reference_costs_nothing_and_a_region_without_weight_neither() -> None:
    picture = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    mask = torch.zeros(1, 1, 16, 16, dtype=torch.bool)
    mask[..., 4:12, 4:12] = True
    own, other = colour_table(picture[0], mask[0, 0]), colour_table(picture[0] * 0.2 + 0.5, mask[0, 0])
    regions = {"lips": mask}
    assert losses.histogram(picture, regions, {"lips": own}, {"lips": 1.0}) < 0.02
    apart = losses.histogram(picture, regions, {"lips": other}, {"lips": 1.0})
    assert apart > 0.2
    assert losses.histogram(picture, regions, {"lips": other}, {"lips": 2.0}) == pytest.approx(2 * float(apart))
    assert losses.histogram(picture, regions, {"lips": other}, {}) == 0


def test_total_variation_counts_steps_across_and_down() -> None:
    steps = torch.tensor([[0.0, 1.0], [0.0, 1.0]]).expand(1, 3, 2, 2)
    assert losses.total_variation(steps) == pytest.approx(0.5)
    assert losses.total_variation(torch.full((1, 3, 4, 4), 0.7)) == 0


def test_only_what_lies_outside_the_face_must_be_silent() -> None:
    face = torch.zeros(1, 1, 2, 2)
    face[..., 0] = 1.0
    residual = torch.full((1, 3, 2, 2), -0.4)
    assert losses.outside(residual, face) == pytest.approx(0.2)
    assert losses.outside(residual, torch.ones(1, 1, 2, 2)) == 0


def test_a_change_of_dark_skin_is_seen_more_than_one_of_light_skin() -> None:
    change = torch.full((1, 3, 4, 4), 0.1)
    dark, light = (losses.as_seen(change, torch.full((1, 3, 4, 4), level)) for level in (-0.8, 0.8))
    assert float(dark.mean()) == pytest.approx(0.1 / (0.1 + losses.DARK))
    assert float(light.mean()) == pytest.approx(0.1 / (0.9 + losses.DARK))


def test_skin_around_the_lips_counts_three_times_and_make_up_places_not_at_all() -> None:
    lips, eyes = (torch.zeros(1, 1, 64, 64, dtype=torch.bool) for _ in range(2))
    lips[..., 40:44, 28:36] = True
    eyes[..., 20:24, 28:36] = True
    places = losses.bare_places(torch.ones(1, 1, 64, 64), lips, eyes)[0, 0]
    assert (places[42, 30], places[22, 30], places[38, 30], places[10, 10]) == (0, 0, 3, 1)
    assert losses.bare_places(torch.zeros(1, 1, 64, 64), lips, eyes).max() == 0


def test_grey_skin_has_no_cast_and_a_tint_has() -> None:
    where = torch.ones(1, 1, 2, 2)
    grey = torch.full((1, 3, 2, 2), 0.3)
    assert losses.colour_cast(grey, where) == pytest.approx(0, abs=1e-12)
    assert losses.bare_skin(grey, where) == pytest.approx(0.09)
    red = torch.tensor([0.3, 0.0, 0.0]).view(1, 3, 1, 1).expand(1, 3, 2, 2)
    assert losses.colour_cast(red, where) == pytest.approx((0.04 + 0.01 + 0.01) / 3)


def test_hinges_push_back_below_the_bar_alone() -> None:
    before = torch.zeros(1, 3, 16, 16)
    after = before + 0.2  # 20 dB: the mean square is a hundredth of the range of 2, squared
    assert losses.psnr_hinge(after, before, 28.5) == pytest.approx(8.5, abs=1e-4)
    assert losses.psnr_hinge(after, before, 19.0) == 0
    noise = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1)) - 0.5
    assert losses.ssim_hinge(noise, noise, 0.94) == 0
    assert 0 < losses.ssim_hinge(noise + 0.3 * noise.flip(-1), noise, 0.94) < 94


def test_a_tensor_of_another_shape_is_refused_in_the_test_run() -> None:
    with pytest.raises(TypeError):
        losses.identity(torch.zeros(3, 8), torch.zeros(4, 8))
    with pytest.raises(TypeError):
        losses.outside(torch.zeros(1, 3, 8, 8), torch.zeros(1, 2, 8, 8))
