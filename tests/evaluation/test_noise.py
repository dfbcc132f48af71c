"""The noise attacks obey their budget and do what they are compared for."""

import pytest
import torch

from diffam_core.faces.face import stack_portraits
from diffam_core.models import Models
from diffam_core.score import embed
from evaluation.methods import METHODS, mi_fgsm, pgd, ti_dim, tip_im
from evaluation.methods.tip_im import mmd
from evaluation.noise import Aim, Attack
from evaluation.subjects import Subjects, save_and_open
from model_store.bundle import Bundle

EPS = 2 * 8 / 255
ATTACKS = {"pgd": pgd.attack, "mi_fgsm": mi_fgsm.attack, "ti_dim": ti_dim.attack, "tip_im": tip_im.attack}


@pytest.fixture(scope="module")
def aim(bundle: Bundle, subjects: Subjects) -> Aim:
    models: Models = bundle.models
    surrogates = [models.recognisers[name] for name in ("irse50", "mobile_face")]
    return Aim(surrogates, bundle.targets["bruno"].aim, subjects.views)


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_an_attack_leads_its_surrogates_to_the_target_within_its_budget(
    attack: Attack, aim: Aim, subjects: Subjects
) -> None:
    changed = attack(subjects.views, aim, EPS, torch.Generator().manual_seed(0))
    assert float((changed - subjects.views).abs().max()) <= EPS + 1e-6
    assert float(changed.abs().max()) <= 1
    with torch.inference_mode():
        assert float((aim.towards_target(changed) - aim.towards_target(subjects.views)).min()) > 0.3


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
    target = bundle.models.recognisers[surrogate].embed(bundle.targets[task.target].aim)[0]
    before, after = (
        embed(bundle.models, stack_portraits(files, subjects.found, bundle.models.view_px))[surrogate] @ target
        for files in (subjects.photos, photos)
    )
    assert float((after - before).mean()) > 0.2
