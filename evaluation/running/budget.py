"""How much noise may change: as much as leaves its photos as like the original as those of `diffam`."""

from typing import NamedTuple

import numpy as np

from diffam_core.faces.face import stack_portraits
from evaluation.judge import MATCHING_FACES, VisibleCost, visible_cost
from evaluation.method import Equal, Method
from evaluation.noise import LITERATURE_EPS
from evaluation.subjects import Subjects, save_and_open
from model_store.bundle import Bundle
from model_store.catalog import StyleCard

TRIED_EPS = (LITERATURE_EPS / 2, LITERATURE_EPS)


class Trial(NamedTuple):
    """A budget on the scale of [-1, 1], and what it cost the first people."""

    eps: float
    cost: VisibleCost


def tried(bundle: Bundle, subjects: Subjects, method: Method, task: StyleCard) -> list[Trial]:
    """What two budgets cost a noise method."""
    few, trials = subjects.first(MATCHING_FACES), list[Trial]()
    for eps in TRIED_EPS:
        finished = [save_and_open(photo) for photo in method.protect(bundle, few, task, eps)]
        views = stack_portraits(finished, few.found, bundle.models.view_px)
        trials.append(Trial(eps, visible_cost(bundle.models, few, finished, views)))
    return trials


def match_eps(trials: list[Trial], equal: Equal, wanted: float) -> float:
    """The budget whose photos have this SSIM, or PSNR in dB: log(1 - SSIM) and PSNR are linear in log eps."""
    (x_0, y_0), (x_1, y_1) = ((np.log(trial.eps), _line(equal, _first(trial.cost, equal))) for trial in trials)
    return float(np.exp(x_0 + (_line(equal, wanted) - y_0) * (x_1 - x_0) / (y_1 - y_0)))


def wanted_of(costs: list[VisibleCost], equal: Equal) -> float:
    """The SSIM or PSNR of what noise is compared with."""
    return float(np.mean([_first(cost, equal) for cost in costs]))


def _first(cost: VisibleCost, equal: Equal) -> float:
    return cost.first_ssim if equal == "ssim" else cost.first_psnr_db


def _line(equal: Equal, value: float) -> float:
    return float(np.log(1 - value)) if equal == "ssim" else value
