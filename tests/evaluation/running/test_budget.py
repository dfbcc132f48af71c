"""Noise is allowed as much as leaves its photos as like the original as those that it is compared with."""

from dataclasses import replace

import numpy as np
import pytest

from evaluation.judge import VisibleCost
from evaluation.method import Equal
from evaluation.running.budget import TRIED_EPS, Trial, match_eps, wanted_of

COST = VisibleCost(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def cost_of(eps: float) -> VisibleCost:
    """What noise costs whose error is its budget's."""
    return replace(COST, first_ssim=1 - 3 * eps**1.5, first_psnr_db=float(-20 * np.log10(eps / 2)))


@pytest.mark.parametrize("equal", ["ssim", "psnr"])
@pytest.mark.parametrize("eps", [0.02, 0.05, 0.2])
def test_the_budget_is_the_one_whose_photos_cost_the_same(equal: Equal, eps: float) -> None:
    trials = [Trial(tried, cost_of(tried)) for tried in TRIED_EPS]
    assert match_eps(trials, equal, wanted_of([cost_of(eps)], equal)) == pytest.approx(eps)


def test_what_is_wanted_is_the_mean_of_all_that_noise_is_compared_with() -> None:
    assert wanted_of([replace(COST, first_ssim=value) for value in (0.9, 0.96)], "ssim") == pytest.approx(0.93)
    assert wanted_of([replace(COST, first_psnr_db=value) for value in (36.0, 40.0)], "psnr") == pytest.approx(38)
