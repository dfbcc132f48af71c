"""What a refinement may change: nothing outside of the face, more where make-up goes and where the eye sees less."""

from dataclasses import fields, replace

import torch
from torch import Tensor

from diffam_core.refining.allowance import Budgets, FaceRegions, allow, blur, lightness
from tests.drawn_regions import drawn_regions

SIDE = 160
EYES_PX = torch.tensor([40.0, 32.0])


def noisy(spread: float) -> Tensor:
    return spread * torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


def regions() -> FaceRegions:
    return drawn_regions(EYES_PX, SIDE)


def test_outside_of_the_face_and_at_its_edge_nothing_is_allowed() -> None:
    drawn = regions()
    most = allow(noisy(0.3), drawn, EYES_PX, Budgets()).most
    assert most[drawn.outline == 0].eq(0).all()
    edge = (drawn.outline > 0) & (torch.nn.functional.max_pool2d((drawn.outline == 0).float(), 3, 1, 1) > 0)
    assert most[drawn.outline > 0].mean() > 0
    assert most[edge].max() < 0.25 * most.max()


def test_no_region_gets_more_than_its_budget() -> None:
    drawn = regions()
    budgets = Budgets(amplitude=0.2, lids=0.9, lips=0.3, cheeks=0.8, brows=0.6, skin=0.5, shut=0.1)
    most = allow(noisy(0.5), drawn, EYES_PX, budgets).most
    assert most.max() <= 0.2 * 0.9 + 1e-6
    for name in ("lips", "brows"):
        inside = blur(getattr(drawn, name), 0.02 * EYES_PX) > 0.98
        assert 0 < most[inside].max() <= 0.2 * getattr(budgets, name) * 1.05
    for name in ("eyeballs", "mouth"):
        assert most[getattr(drawn, name) > 0.99].max() <= 0.2 * 0.1 + 1e-6


def test_texture_may_change_more_than_smooth_skin() -> None:
    smooth, rough = (allow(noisy(spread), regions(), EYES_PX, Budgets()) for spread in (0.0, 0.5))
    assert smooth.roughness.max() < 0.01
    assert rough.roughness.mean() > 0.9
    inside = smooth.most > 0
    assert (rough.most[inside] > 1.4 * smooth.most[inside]).float().mean() > 0.9


def test_every_picture_of_a_batch_is_blurred_by_its_own_width() -> None:
    pictures, sigma_px = noisy(0.5), torch.tensor([0.8, 5.0])
    both = blur(pictures, sigma_px)
    for index in range(2):
        alone = blur(pictures[index : index + 1], sigma_px[index : index + 1])
        assert torch.allclose(both[index : index + 1], alone, atol=1e-6)
    assert torch.allclose(blur(torch.full_like(pictures, 0.3), sigma_px), torch.tensor(0.3))
    assert both[1].std() < 0.3 * both[0].std()


def test_lightness_keeps_the_scale_of_grey_pictures() -> None:
    grey = torch.linspace(-1, 1, SIDE).expand(1, 3, SIDE, SIDE)
    assert torch.allclose(lightness(grey), grey[:, :1], atol=1e-6)


def test_a_parser_may_leave_regions_empty() -> None:
    drawn = regions()
    nothing = {field.name: torch.zeros_like(drawn.lips) for field in fields(drawn) if field.name != "outline"}
    most = allow(noisy(0.3), replace(drawn, **nothing), EYES_PX, Budgets(skin=0.4)).most
    assert torch.isfinite(most).all()
    assert 0 < most.max() <= Budgets().amplitude * 0.4 + 1e-6


def test_a_dark_face_may_change_less_and_no_face_loses_more_than_half() -> None:
    light, dark, darkest = (
        allow(torch.full_like(noisy(0), tone), regions(), EYES_PX, Budgets()).most for tone in (0.3, -0.5, -1.0)
    )
    inside = light > 0
    assert torch.allclose(dark[inside] / light[inside], torch.tensor(0.25 / 0.35), atol=1e-4)
    assert torch.allclose(darkest[inside] / light[inside], torch.tensor(0.5), atol=1e-4)


def test_lips_and_what_is_next_to_them_change_in_softer_shades() -> None:
    drawn = regions()
    roughness = allow(noisy(0.5), drawn, EYES_PX, Budgets()).roughness
    beside = (torch.nn.functional.max_pool2d(drawn.lips, 5, 1, 2) > 0.9) & (drawn.lips < 0.1)
    assert roughness[drawn.lips > 0.9].mean() < 0.05
    assert roughness[beside].mean() < 0.6
    assert roughness.median() > 0.9
