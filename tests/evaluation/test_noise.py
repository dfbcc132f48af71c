"""The noise attacks obey their budget and do what they are compared for; two of them against torchattacks."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torchattacks
from torch import Tensor, nn

from diffam_core.faces.face import stack_portraits
from diffam_core.models import Models, Recogniser
from diffam_core.score import embed
from evaluation.methods import METHODS, mi_fgsm, pgd, ti_dim, tip_im
from evaluation.methods.tip_im import mmd
from evaluation.noise import STEPS, Aim, Attack
from evaluation.subjects import Subjects, save_and_open
from model_store.bundle import Bundle

EPS = 2 * 8 / 255
ATTACKS = {"pgd": pgd.attack, "mi_fgsm": mi_fgsm.attack, "ti_dim": ti_dim.attack, "tip_im": tip_im.attack}


@pytest.fixture(scope="module")
def aim(bundle: Bundle, subjects: Subjects) -> Aim:
    models: Models = bundle.models
    surrogates = [models.recognisers[name] for name in ("irse50", "mobile_face")]
    return Aim(surrogates, {r.name: r.embed(bundle.targets["bruno"].aim)[0] for r in surrogates}, subjects.views)


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_an_attack_leads_its_surrogates_to_the_target_within_its_budget(
    attack: Attack, aim: Aim, subjects: Subjects
) -> None:
    changed = attack(subjects.views, aim, EPS, torch.Generator().manual_seed(0))
    assert float((changed - subjects.views).abs().max()) <= EPS + 1e-6
    assert float(changed.abs().max()) <= 1
    with torch.inference_mode():
        assert float((aim.nearer(changed) - aim.nearer(subjects.views)).min()) > 0.3


def test_tip_im_leaves_the_owner_further_behind_than_the_target_alone_demands(aim: Aim, subjects: Subjects) -> None:
    generator = torch.Generator().manual_seed(0)
    own = []
    for attack in (mi_fgsm.attack, tip_im.attack):
        changed = attack(subjects.views, aim, EPS, generator)
        with torch.inference_mode():
            cosines = [(r.embed(changed) * e).sum(dim=1) for r, e in zip(aim.surrogates, aim.own, strict=True)]
            own.append(float(torch.stack(cosines).mean()))
    assert own[1] < own[0]


def test_the_discrepancy_of_a_batch_with_itself_is_zero_and_grows_with_the_change(subjects: Subjects) -> None:
    x = subjects.views
    assert float(mmd(x, x)) == pytest.approx(0, abs=1e-6)
    assert 0 < float(mmd(x + 0.1, x)) < float(mmd(x + 0.4, x))


def test_noise_survives_the_way_into_the_finished_file(bundle: Bundle, subjects: Subjects) -> None:
    task = bundle.catalog.styles[0]
    photos = [save_and_open(photo) for photo in METHODS["ti_dim"].protect(bundle, subjects, task, 2 * EPS)]
    surrogate = task.surrogates[0]
    target = bundle.models.recognisers[surrogate].embed(bundle.targets[task.identity].aim)[0]
    before, after = (
        embed(bundle.models, stack_portraits(files, subjects.found, bundle.models.view_px))[surrogate] @ target
        for files in (subjects.photos, photos)
    )
    assert float((after - before).mean()) > 0.2


class Small(nn.Module):
    """A recogniser's network, untrained; bent, so that signs of slopes change on the way. In double precision."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 8, 5, 2), nn.Linear(8 * 6 * 6, 6)
        generator = torch.Generator().manual_seed(1)
        for weights in self.parameters():
            weights.data = 0.3 * torch.randn(weights.shape, generator=generator)
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        return Tensor(self.last(self.first(x.double()).tanh().flatten(1)))


class Doubt(nn.Module):
    """A classifier of two classes, "somebody else" and "the target", for which the aim's score speaks.

    Cross entropy with the label "somebody else" is log(1 + exp(score)): to climb it is to climb the score, as its slope
    is the score's times a positive number per picture, which neither a sign nor MI-FGSM's norm can tell.
    """

    def __init__(self, aim: Aim) -> None:
        super().__init__()
        self.aim, self.anchor = aim, nn.Parameter(torch.zeros(1))  # torchattacks asks a parameter for its device

    def forward(self, pictures: Tensor) -> Tensor:
        score = self.aim.nearer(2 * pictures - 1)
        return torch.stack([torch.zeros_like(score), score], dim=1)


@pytest.mark.parametrize("eps", [EPS, 0.3])
@pytest.mark.parametrize(
    ("attack", "known", "step"),
    [(pgd.attack, torchattacks.PGD, 2.5 / STEPS), (mi_fgsm.attack, torchattacks.MIFGSM, 1 / STEPS)],
    ids=["pgd", "mi_fgsm"],
)
def test_an_attack_ends_where_that_of_torchattacks_ends(
    attack: Attack, known: Callable[..., Any], step: float, eps: float
) -> None:
    generator = torch.Generator().manual_seed(0)
    views, target = (torch.rand(count, 3, 16, 16, generator=generator) * 2 - 1 for count in (4, 1))
    small = Recogniser("small", Small(), 16, {})
    aim = Aim([small], {"small": small.embed(target)[0]}, views)
    ours = attack(views, aim, eps, torch.Generator().manual_seed(7))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)  # the same draws for the start; pictures in [0, 1] have half the budget
        somebody_else = torch.zeros(4, dtype=torch.long)
        theirs = known(Doubt(aim), eps=eps / 2, alpha=step * eps / 2, steps=STEPS)((views + 1) / 2, somebody_else)
    apart = (ours - (2 * theirs - 1)).abs() > 1e-5
    # Rounding chooses the sign of a slope, or of a sum of slopes, that is zero.
    assert float(apart.float().mean()) < 0.005
    assert float(((ours - views).abs() < 0.99 * eps).float().mean()) > 0.2  # not all pushed to the edge of the budget
