"""Trains the noise predictor of the portrait bundle, and measures it on portraits that it never saw."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from diffam_core.diffusion import alpha_bars, denoise, invert, noised
from diffam_core.generation import has_bfloat16
from diffam_core.networks.unet import EpsModel
from model_store.portrait.learning import Course, learn
from model_store.portrait.portraits import FOLDERS, Portraits, close, halved
from model_store.portrait.views import lit, places, taken
from model_store.rendered.portraits import to_float
from model_store.training.stages import OnStep

UNSHUFFLE = 2
CONFIG: dict[str, object] = {
    "sample_size": 64,
    "in_channels": 12,
    "out_channels": 12,
    "layers_per_block": 1,
    "block_out_channels": [48, 96, 128, 160],
    "down_block_types": ["DownBlock2D", "DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"],
    "up_block_types": ["AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D", "UpBlock2D"],
    "attention_head_dim": 32,
    "norm_num_groups": 16,
}
COURSE, BATCH = Course(steps=1500, learning_rate=1e-3, seed=11), 8
"""An hour on one core without bfloat16."""
RETURN_TIMESTEP, POINTS, DENOISE_POINTS = 60, 6, 3
OFTEN_BELOW, BELOW, OFTEN = 66, 122, 0.65
"""Timesteps that training sees: so often below the first, else below the second. The method works there alone."""
MEASURED_AT = (10, 30, 60, 110)


def build_unet() -> EpsModel:
    """The untrained noise predictor, 6.6 million parameters, initialised by the course's seed."""
    torch.manual_seed(COURSE.seed)
    return EpsModel(UNSHUFFLE, CONFIG)


def train_unet(portraits: Portraits, checkpoints: Path, on_step: OnStep, course: Course = COURSE) -> EpsModel:
    """Plain eps loss over random views of the training side; returns the averaged weights."""
    pictures = halved(portraits.wide[portraits.rows(held_out=False)])
    alpha_bar = alpha_bars()

    def loss(network: nn.Module, generator: torch.Generator) -> Tensor:
        rows = torch.randint(len(pictures), (BATCH,), generator=generator)
        x_0 = lit(taken(to_float(pictures[rows]), places(BATCH, generator)), generator)
        timesteps = _timesteps(BATCH, generator)
        noise = torch.randn(x_0.shape, generator=generator)
        with torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16("cpu")):
            predicted = network(noised(x_0, noise, alpha_bar[timesteps]), timesteps)
        return functional.mse_loss(predicted.float(), noise)

    network = build_unet()
    if has_bfloat16("cpu"):  # slower otherwise: 2.6 against 2.4 s a step on a core with AVX2 alone
        network = network.to(memory_format=torch.channels_last)
    trained = learn(network, course, loss, checkpoints, on_step)
    if not isinstance(trained, EpsModel):
        raise TypeError("the average of a noise predictor is one")
    return trained


def _timesteps(count: int, generator: torch.Generator) -> Tensor:
    often = torch.randint(OFTEN_BELOW, (count,), generator=generator)
    seldom = torch.randint(BELOW, (count,), generator=generator)
    return torch.where(torch.rand(count, generator=generator) < OFTEN, often, seldom)


@torch.no_grad()
def measure_unet(network: EpsModel, portraits: Portraits) -> dict[str, dict[str, float]]:
    """Per folder of held-out people: the mean squared error of eps at timesteps, and the round trip's PSNR in dB."""
    figures = {}
    for folder in FOLDERS:
        rows = portraits.rows(held_out=True, folder=folder)
        if len(rows):
            figures[folder] = _measured(network.eval(), to_float(halved(close(portraits.wide[rows]))))
            figures[folder]["people"] = len(rows)
    return figures


def _measured(network: EpsModel, portraits: Tensor) -> dict[str, float]:
    alpha_bar, generator = alpha_bars(), torch.Generator().manual_seed(1)
    figures: dict[str, float] = {}
    for timestep in MEASURED_AT:
        errors = []
        for x_0 in portraits.split(16):
            noise = torch.randn(x_0.shape, generator=generator)
            predicted = network(noised(x_0, noise, alpha_bar[timestep]), torch.full((len(x_0),), timestep))
            errors.append((predicted - noise).square().mean((1, 2, 3)))
        figures[f"eps_mse_at_{timestep}"] = round(float(torch.cat(errors).mean()), 4)
    ratios = []
    for x_0 in portraits.split(16):
        latent = invert(network, x_0, alpha_bar, RETURN_TIMESTEP, POINTS)
        back = denoise(network, latent, alpha_bar, RETURN_TIMESTEP, POINTS)
        ratios.append(10 * torch.log10(4 / (back - x_0).square().mean((1, 2, 3))))
    return figures | {"round_trip_psnr_db": round(float(torch.cat(ratios).mean()), 2)}
