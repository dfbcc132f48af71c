"""Refinement on small recognisers that nobody trained: its bounds, when it stops, and that it minds its own face."""

from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor, nn

from diffam_core.faces.crops import CropName, mirrored
from diffam_core.faces.face import FoundFace
from diffam_core.faces.framing import Framing
from diffam_core.faces.paste import paste_change
from diffam_core.images import decode_photo, to_pixels, to_portrait
from diffam_core.losses import VisualBar
from diffam_core.models import Recogniser
from diffam_core.networks.recognisers import ARCHITECTURES
from diffam_core.refining.allowance import Budgets, allow, lightness
from diffam_core.refining.refinement import Refined, Refinement, Sitters, refine, strength_within
from tests.drawn_regions import drawn_regions
from tests.people import shot

SIDE, EYES_MIDDLE = 160, (0.5, 0.42)
"""Of photos, and where `shot` draws the eyes."""
FIVE = ((-0.5, 0), (0.5, 0), (0, 0.6), (-0.4, 1.1), (0.4, 1.1))
"""Landmarks from between the eyes, in eye distances."""
NO_BAR = VisualBar(0, -1)
ENDLESS = Refinement(steps=6, check_every=2, margin=9, bar=NO_BAR)
TINT = torch.tensor([0.06, -0.03, 0.0])[:, None, None]


@cache
def sitters(count: int = 2) -> Sitters:
    """Rendered people whose whole photo is the canvas, with reddened cheeks and lips."""
    photos = torch.cat([to_portrait(decode_photo(shot(person, 0, SIDE))) for person in range(count)])
    eyes_px = torch.full((count,), 0.18 * SIDE)
    regions = drawn_regions(eyes_px, SIDE, EYES_MIDDLE)
    points = (torch.tensor(EYES_MIDDLE) + 0.18 * torch.tensor(FIVE)).expand(count, -1, -1)
    made_up = (photos + TINT * (regions.cheeks + regions.lips)).clamp(-1, 1)
    return Sitters(photos, made_up, points, regions, eyes_px, torch.ones(count))


def only(index: int) -> Sitters:
    whole = sitters()
    part = slice(index, index + 1)
    regions = type(whole.regions)(**{name: mask[part] for name, mask in vars(whole.regions).items()})
    parts = (whole.original[part], whole.made_up[part], whole.points[part])
    return Sitters(*parts, regions, whole.eyes_px[part], whole.share[part])


class Untrained(nn.Module):
    """A small network whose embeddings begin at what it makes of grey: else all faces are one to it."""

    def __init__(self) -> None:
        super().__init__()
        self.network = ARCHITECTURES["mobile"](widths=[8, 16, 16], depths=[1, 1, 1], side=4)

    def forward(self, x: Tensor) -> Tensor:
        difference: Tensor = self.network(x) - self.network(torch.zeros_like(x))
        return difference


@cache
def recogniser(seed: int, crop: CropName) -> Recogniser:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = Untrained()
    network.eval().requires_grad_(False)
    return Recogniser(f"thin{seed}", network, 64, {"0.1": 0.9}, crop)


def surrogates() -> list[Recogniser]:
    return [recogniser(1, "arcface"), recogniser(2, "dlib")]


def chances(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


@cache
def refined(settings: Refinement = ENDLESS) -> Refined:
    return refine(sitters(), surrogates(), chances(1, 2), settings)


@torch.no_grad()
def likeness(who: Recogniser, canvases: Tensor) -> Tensor:
    known = sitters()
    return (who.embed(canvases, known.points) * who.embed(known.original, known.points)).sum(dim=1)


def test_a_change_stays_within_what_is_allowed_and_within_black_and_white() -> None:
    known, change = sitters(), refined().change
    most = allow(known.made_up, known.regions, known.eyes_px, ENDLESS.budgets).most
    assert change.abs().mean() > 1e-4
    inside = (known.made_up + change).abs() < 1  # where a channel is cut off, another may stand out
    assert (lightness(change).abs() <= most + 1e-6)[inside.all(dim=1, keepdim=True)].all()
    assert (known.made_up + change).abs().max() <= 1 + 1e-6


def test_nothing_outside_of_the_face_is_touched_and_eyes_hardly() -> None:
    known, change = sitters(), refined().change
    outside = (known.regions.outline == 0).expand_as(change)
    assert change[outside].eq(0).all()
    eyes = known.regions.eyeballs == 1
    assert lightness(change)[eyes].abs().max() <= 0.2 * ENDLESS.budgets.amplitude + 1e-6


def test_smooth_skin_changes_in_soft_shades_only() -> None:
    known = sitters(1)
    grey = torch.full_like(known.original, 0.2)
    change = refine(replace(known, original=grey, made_up=grey), surrogates(), chances(1), ENDLESS).change
    skin = change[..., 60:110, 50:110]
    assert skin.abs().max() > 0.005
    assert skin.diff(dim=-1).abs().mean() < 0.4 * skin.abs().mean()


def test_every_surrogate_sees_less_of_the_owner() -> None:
    known, change = sitters(), refined().change
    for who in surrogates():
        assert (likeness(who, known.made_up + change) < likeness(who, known.made_up)).all()


def test_a_face_is_left_alone_as_soon_as_all_surrogates_fail_by_the_margin() -> None:
    known, far, margin = sitters(), refined().change, 0.1
    halfway = []
    for who in surrogates():
        started, reached = likeness(who, known.made_up).min(), likeness(who, known.made_up + far).max()
        assert reached < started
        halfway.append(replace(who, thresholds={"0.1": float(started + reached) / 2}))
    found = refine(known, halfway, chances(1, 2), replace(ENDLESS, steps=12, margin=margin))
    seen = torch.cat([to_portrait(to_pixels(x)) for x in known.made_up + found.change])
    hidden = torch.ones(2, dtype=torch.bool)
    for who in halfway:
        threshold = who.thresholds["0.1"]
        hidden &= likeness(who, seen) < threshold - margin * (1 - threshold)
    assert hidden.tolist() == [True, False]
    assert (found.steps < 12).tolist() == [True, False]


def test_without_success_a_refinement_ends_after_its_steps() -> None:
    assert refined().steps.tolist() == [6, 6]


def test_whoever_is_told_of_a_step_can_end_the_work() -> None:
    told = []

    def stop(step: int, steps: int) -> None:
        told.append((step, steps))
        if step == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        refine(sitters(), surrogates(), chances(1, 2), ENDLESS, on_step=stop)
    assert told == [(1, 6), (2, 6)]


def test_a_face_does_not_depend_on_whom_it_shares_a_batch_with() -> None:
    """Up to how a batch rounds; over many steps a rounding may tip a pixel."""
    few = replace(ENDLESS, steps=2)
    together = refined(few).change
    for index in (0, 1):
        alone = refine(only(index), surrogates(), chances(index + 1), few).change[0]
        assert alone.abs().max() > 0.01
        assert ((alone - together[index]).abs() > 1e-4).float().mean() < 1e-3
        assert (alone - together[index]).abs().max() < 1e-3
    assert not torch.allclose(refine(only(0), surrogates(), chances(9), few).change[0], together[0], atol=1e-3)


@pytest.mark.parametrize("bar", [VisualBar(44.0, -1), VisualBar(0, 0.9985)])
def test_the_whole_photo_stays_above_the_bar(bar: VisualBar) -> None:
    from torchmetrics.functional.image import structural_similarity_index_measure

    known, change = sitters(), refined(replace(ENDLESS, bar=bar)).change
    free = refined().change
    assert change.abs().mean() < 0.9 * free.abs().mean()
    for before, after in zip(known.original, known.made_up + change, strict=True):
        one, other = (torch.from_numpy(to_pixels(x)).permute(2, 0, 1)[None] / 255 for x in (before, after))
        assert -10 * torch.log10((one - other).square().mean()) > bar.psnr_db - 0.1
        assert float(structural_similarity_index_measure(one, other, data_range=1.0)) > bar.ssim - 5e-4


def test_of_a_change_that_costs_too_much_nearly_all_that_the_bar_leaves_is_kept() -> None:
    known = sitters()
    grey, change = torch.zeros_like(known.original), 0.02 * known.original
    for times in (1, 1.1, 2):  # in dB above the bar: 0, .8, 6
        bar = VisualBar(float(10 * torch.log10(4 / (change[0] / times).square().mean())) - 1e-3, -1)
        found = strength_within(bar, grey[:1], grey[:1], change[:1], known.share[:1])
        assert 0.96 / times < float(found) <= 1 / times + 1e-3
    assert float(strength_within(VisualBar(40.0, -1), grey[:1], grey[:1] + 0.5, change[:1], known.share[:1])) == 0


def test_later_steps_are_shorter() -> None:
    careful = replace(ENDLESS, stride=0.01, momentum=0)
    landed, even = (refined(replace(careful, landing=landing)).change.abs().mean() for landing in (0.1, 1.0))
    assert 0.4 * even < landed < 0.8 * even


def test_every_step_ends_within_the_bar_not_only_those_that_ask_whether_it_is_done() -> None:
    barred = replace(ENDLESS, bar=VisualBar(44.0, -1))
    often, once = (refined(replace(barred, check_every=every)).change for every in (1, 6))
    assert torch.equal(often, once)


def test_make_up_that_is_below_the_bar_already_gets_nothing_added() -> None:
    assert refined(replace(ENDLESS, steps=2, bar=VisualBar(60.0, 0))).change.abs().max() == 0


def test_a_larger_budget_is_used() -> None:
    small, large = (refined(replace(ENDLESS, budgets=Budgets(amplitude=a / 127.5))).change for a in (5, 20))
    assert large.abs().mean() > 2 * small.abs().mean()


def test_with_a_target_faces_move_towards_it() -> None:
    known = sitters()
    with torch.no_grad():
        aims = {who.name: who.embed(known.original[1:], known.points[1:])[0] for who in surrogates()}
    towards = refine(only(0), surrogates(), chances(1), ENDLESS, aims).change
    away = refine(only(0), surrogates(), chances(1), ENDLESS).change
    for who in surrogates():
        with torch.no_grad():
            seen = who.embed(
                torch.cat([known.made_up[:1] + c for c in (towards, away)]), known.points[:1].repeat(2, 1, 1)
            )
        assert seen[0] @ aims[who.name] > seen[1] @ aims[who.name]


class Brightness(nn.Module):
    """Knows faces by how bright they are."""

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(dim=(1, 2, 3))
        return torch.stack([mean, torch.full_like(mean, 0.3)], dim=1)


def test_who_is_no_more_the_owner_but_not_yet_the_target_goes_on() -> None:
    known = sitters(1)
    day, night = (torch.full_like(known.original, value) for value in (0.8, -0.8))
    who = Recogniser("brightness", Brightness(), 64, {"0.1": 0.0}, "arcface")
    beyond = {who.name: torch.tensor([0.0, -1.0])}  # less alike than the owner is unlike
    settings = replace(ENDLESS, steps=4, margin=0.25)
    sitter = replace(known, original=day, made_up=night)
    assert refine(sitter, [who], chances(1), settings).steps.tolist() == [2]
    assert refine(sitter, [who], chances(1), settings, beyond).steps.tolist() == [4]


def test_what_the_photo_gets_is_what_was_optimised_up_to_rounding() -> None:
    known, change = sitters(), refined().change
    photo = to_pixels(known.made_up[0])
    distance, middle = 0.18 * SIDE, tuple(share * SIDE - 0.5 for share in EYES_MIDDLE)
    framing = Framing(EYES_MIDDLE, 0.18)  # at its own scale a photo is its own canvas
    eyes = ((middle[0] - distance / 2, middle[1]), (middle[0] + distance / 2, middle[1]))
    final = paste_change(photo, FoundFace((0, 0, SIDE, SIDE), *eyes, framing), change[0])
    assert (to_portrait(final)[0] - to_portrait(photo)[0] - change[0]).abs().max() < 0.501 / 127.5


@torch.no_grad()
def test_who_an_owner_is_does_not_depend_on_which_way_a_photo_is_flipped() -> None:
    known = sitters()
    for who in surrogates():
        ways = [(known.original, known.points), (known.original.flip(-1), mirrored(known.points))]
        here, there = (who.identify(*way) for way in ways)
        assert torch.allclose(here, there, atol=1e-5)
        alike = [(here * who.embed(*way)).sum(dim=1) for way in ways]
        assert torch.allclose(alike[0], alike[1], atol=1e-5)
        assert (alike[0] < 1 - 1e-6).all()
        assert torch.allclose(here.norm(dim=1), torch.ones(2))
