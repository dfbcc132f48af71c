"""How a make-up style learns: on the walk of the base model, what painting adds and nothing else."""

from pathlib import Path

import pytest
import torch

from diffam_core.diffusion import alpha_bars, cleaned, ddim_step, noised
from diffam_core.networks.unet import EpsModel
from diffam_core.styles import add_style, predictor
from model_store.portrait.diffusion import RETURN_TIMESTEP
from model_store.portrait.portraits import Portraits
from model_store.portrait.styling import RANK, Walks, changes, walk
from model_store.portrait.walking import TIMESTEPS, StylePace, Walked, laid_on, learn_change
from model_store.training.stages import OnStep
from tests.model_store.portrait.conftest import Face, wide_of

UNET = {
    "in_channels": 12, "out_channels": 12, "layers_per_block": 1, "block_out_channels": [8, 8], "norm_num_groups": 4,
    "down_block_types": ["DownBlock2D", "DownBlock2D"], "up_block_types": ["UpBlock2D", "UpBlock2D"],
}  # fmt: skip


def small() -> EpsModel:
    torch.manual_seed(0)
    return EpsModel(2, UNET).eval().requires_grad_(False)


@pytest.fixture
def walks(face: Face) -> tuple[Walks, Portraits, torch.Tensor]:
    """Two views of a face on a tiny network's walk, its picture and its points."""
    wide, points = wide_of(face)
    portraits = Portraits(wide, ("ai/female_00",))
    return walk(small(), portraits, 2, lambda *_: None), portraits, points


def test_a_change_that_every_step_guesses_is_laid_on_by_as_much_as_told_when_the_next_one_begins() -> None:
    generator, alpha_bar = torch.Generator().manual_seed(0), alpha_bars()
    bare, change = torch.rand(2, 1, 3, 8, 8, generator=generator).unbind()
    noise = torch.randn(1, 3, 8, 8, generator=generator)
    first, second = TIMESTEPS
    assert first == RETURN_TIMESTEP
    assert laid_on(first) == 0
    x_t = noised(bare, noise, alpha_bar[first])
    eps = (x_t - alpha_bar[first].sqrt() * (bare + change)) / (1 - alpha_bar[first]).sqrt()
    assert torch.allclose(cleaned(x_t, eps, alpha_bar[[first]]), bare + change, atol=1e-5)
    after = ddim_step(x_t, eps, alpha_bar[first], alpha_bar[second])
    expected = noised(bare, noise, alpha_bar[second]) + alpha_bar[second].sqrt() * laid_on(second) * change
    assert torch.allclose(after, expected, atol=1e-5)


def test_views_of_a_painted_face_differ_from_its_bare_twin_on_the_make_up_alone(
    walks: tuple[Walks, Portraits, torch.Tensor],
) -> None:
    walked, portraits, points = walks
    changed = changes(portraits, points, walked, "evening").abs().amax(1)
    assert changed.shape == (2, 128, 128)
    assert float(changed.amax()) > 0.3
    assert float((changed[:, :8] > 0.01).float().mean()) == 0
    assert len(set(walked.seeds.tolist())) == 2


def test_a_style_learns_in_which_direction_to_change_and_goes_on_where_it_was_stopped(
    walks: tuple[Walks, Portraits, torch.Tensor], tmp_path: Path
) -> None:
    walked: Walked = walks[0].walked
    wanted, course = torch.full((2, 3, 128, 128), 0.2), StylePace(25, 0.02)

    def learned(on_step: OnStep) -> dict[str, torch.Tensor]:
        return learn_change((small(), RANK), walked, wanted, tmp_path, on_step, course)

    weights = learned(lambda *_: None)
    again = learned(lambda *_: pytest.fail("it is finished"))
    assert all(torch.equal(weights[key], again[key]) for key in weights)
    eps = small()
    add_style(eps, "worn", RANK, weights)
    x_t, timesteps = walked.x_t[:, 0], torch.full((2,), RETURN_TIMESTEP)
    with torch.no_grad():
        guess = cleaned(x_t, predictor(eps, "worn")(x_t, timesteps), alpha_bars()[timesteps])
    assert float((guess - walked.x_0[:, 0]).mean()) > 0.004  # an untrained style: 0
