"""The DDIM walk: one formula both ways."""

import pytest
import torch
from diffusers import DDIMInverseScheduler, DDIMScheduler
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from diffam_core.diffusion import alpha_bars, ddim_step, denoise, grid, invert, noised

ALPHA_BAR = alpha_bars()


def test_the_schedule_is_the_papers_linear_one() -> None:
    betas = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    direct = 1.0
    for beta in betas[:61]:
        direct *= 1 - float(beta)
    assert float(ALPHA_BAR[60]) == pytest.approx(direct, rel=1e-6)


@given(t=st.integers(0, 999), s=st.integers(0, 999), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=40)
def test_the_same_eps_inverts_and_returns(t: int, s: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    x, eps = (torch.randn(2, 3, 8, 8, generator=generator, dtype=torch.float64) for _ in range(2))
    alpha_t, alpha_s = float(ALPHA_BAR[t]), float(ALPHA_BAR[s])
    there = ddim_step(x, eps, alpha_t, alpha_s)
    assert torch.allclose(ddim_step(there, eps, alpha_s, alpha_t), x, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("scheduler", [DDIMScheduler, DDIMInverseScheduler])
@pytest.mark.parametrize("timestep", [20, 60, 300, 980])
def test_a_step_is_the_one_that_diffusers_takes(scheduler: type, timestep: int) -> None:
    theirs = scheduler(beta_start=1e-4, beta_end=0.02, clip_sample=False)
    theirs.set_timesteps(50)  # 20 timesteps apart
    generator = torch.Generator().manual_seed(timestep)
    x, eps = (torch.randn(2, 3, 8, 8, generator=generator) for _ in range(2))
    clean, noisy = float(ALPHA_BAR[timestep - 20]), float(ALPHA_BAR[timestep])
    ours = ddim_step(x, eps, noisy, clean) if scheduler is DDIMScheduler else ddim_step(x, eps, clean, noisy)
    assert torch.allclose(theirs.step(eps, timestep, x).prev_sample, ours, atol=1e-5)


def bent(x: Tensor, timesteps: Tensor) -> Tensor:
    """A noise predictor whose answer depends on picture and timestep."""
    return (3 * x + timesteps[:, None, None, None] / 50).sin()


def test_noise_is_laid_on_as_diffusers_does() -> None:
    generator = torch.Generator().manual_seed(5)
    x_0, noise = (torch.randn(3, 3, 4, 4, generator=generator) for _ in range(2))
    timesteps = torch.tensor([0, 60, 999])
    expected = DDIMScheduler(num_train_timesteps=1000, beta_start=1e-4, beta_end=0.02).add_noise(x_0, noise, timesteps)
    assert torch.allclose(noised(x_0, noise, alpha_bars()[timesteps]), expected, atol=1e-6)
    assert torch.allclose(noised(x_0[1:2], noise[1:2], alpha_bars()[60]), expected[1:2], atol=1e-6)


def test_a_walk_is_the_one_that_diffusers_takes_there_and_back() -> None:
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    known = {"beta_start": 1e-4, "beta_end": 0.02, "clip_sample": False}
    back, there = DDIMScheduler(**known), DDIMInverseScheduler(**known)
    back.set_timesteps(50)
    there.set_timesteps(50)
    latent, clean = x, x
    # The inverse step towards t is asked for by t, while the noise is that of where the picture stands.
    for timestep in (20, 40, 60):
        predicted = bent(latent, torch.full((2,), timestep - 20))
        latent = there.step(predicted, timestep, latent).prev_sample
    for timestep in (60, 40, 20):
        clean = back.step(bent(clean, torch.full((2,), timestep)), timestep, clean).prev_sample
    assert torch.allclose(invert(bent, x, ALPHA_BAR, 60, 4), latent, atol=1e-5)
    assert torch.allclose(denoise(bent, x, ALPHA_BAR, 60, 4), clean, atol=1e-5)


def test_a_walk_there_and_back_with_constant_noise_ends_where_it_began() -> None:
    noise = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))

    def eps(x: Tensor, _: Tensor) -> Tensor:
        return noise.expand_as(x)

    x_0 = torch.rand(2, 3, 8, 8) * 2 - 1
    latent = invert(eps, x_0, ALPHA_BAR, 60, 6)
    assert not torch.allclose(latent, x_0, atol=1e-2)
    assert torch.allclose(denoise(eps, latent, ALPHA_BAR, 60, 3), x_0, atol=1e-5)


@pytest.mark.parametrize(("points", "depth", "expected"), [(6, 60, [0, 12, 24, 36, 48, 60]), (3, 60, [0, 30, 60])])
def test_the_grid_is_evenly_spaced_from_clean_to_depth(points: int, depth: int, expected: list[int]) -> None:
    assert grid(points, depth) == expected


def test_more_points_than_timesteps_take_each_timestep_once() -> None:
    assert grid(20, 4) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("points", "depth"), [(1, 60), (6, 0)])
def test_a_grid_without_a_step_is_refused(points: int, depth: int) -> None:
    with pytest.raises(ValueError, match="no step to take"):
        grid(points, depth)


def test_each_forward_pass_is_reported_once() -> None:
    seen: list[tuple[int, int]] = []
    invert(
        lambda x, _: torch.zeros_like(x),
        torch.zeros(1, 3, 4, 4),
        ALPHA_BAR,
        60,
        6,
        lambda step, steps: seen.append((step, steps)),
    )
    assert seen == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]
