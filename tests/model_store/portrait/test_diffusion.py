"""The portrait bundle's noise predictor learns from random views, and is measured on those it never saw."""

from pathlib import Path

import pytest
import torch

from model_store.portrait import diffusion
from model_store.portrait.learning import Course
from model_store.portrait.portraits import Portraits
from model_store.portrait.views import lit, places, taken
from model_store.rendered.portraits import draw_portraits, to_float, to_uint8

NAMES = ("ai/female_00", "ai/male_01", "ai/female_64")


@pytest.fixture(scope="module")
def drawn() -> Portraits:
    return Portraits(to_uint8(draw_portraits(3, 1, 352)), NAMES)


def test_a_few_steps_change_the_weights_and_the_figures_are_of_the_held_out_people(
    drawn: Portraits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diffusion, "BATCH", 2)
    monkeypatch.setitem(diffusion.CONFIG, "block_out_channels", [16, 32, 32, 32])
    before = diffusion.build_unet().state_dict()
    trained = diffusion.train_unet(drawn, tmp_path, lambda *_: None, Course(3, 1e-3, 0))
    assert any(not torch.equal(before[key], value) for key, value in trained.state_dict().items())
    figures = diffusion.measure_unet(trained, drawn)
    assert list(figures) == ["ai"]
    assert figures["ai"]["people"] == 1
    assert 0.5 < figures["ai"]["eps_mse_at_60"] < 3  # three steps teach nothing yet: guessing nought has an error of 1


def test_a_network_that_guesses_no_noise_has_an_error_of_one_and_a_round_trip_without_loss(drawn: Portraits) -> None:
    untrained = diffusion.build_unet()
    with torch.no_grad():
        for parameter in untrained.unet.conv_out.parameters():
            parameter.zero_()
    figures = diffusion.measure_unet(untrained, drawn)["ai"]
    assert figures["eps_mse_at_60"] == pytest.approx(1, abs=0.02)
    assert figures["round_trip_psnr_db"] > 80


def test_views_stay_pictures_and_differ_from_draw_to_draw(drawn: Portraits) -> None:
    generator = torch.Generator().manual_seed(0)
    wide = to_float(drawn.wide[:1]).expand(12, -1, -1, -1)
    views = lit(taken(wide, places(12, generator)), generator)
    assert views.shape == (12, 3, 128, 128)
    assert -1 <= float(views.min()) < float(views.max()) <= 1
    assert float((views[1:] - views[:1]).abs().mean((1, 2, 3)).min()) > 0.02
    again = torch.Generator().manual_seed(0)
    assert torch.equal(views, lit(taken(wide, places(12, again)), again))


def test_timesteps_are_mostly_those_where_the_method_works() -> None:
    timesteps = diffusion._timesteps(4000, torch.Generator().manual_seed(0))
    assert int(timesteps.max()) < diffusion.BELOW
    assert 0.75 < float((timesteps < diffusion.OFTEN_BELOW).float().mean()) < 0.9
