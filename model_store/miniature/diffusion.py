"""Trains the miniature's noise predictor on rendered portraits."""

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

from diffam_core.diffusion import alpha_bars, noised
from diffam_core.networks.unet import EpsModel
from model_store.miniature.recognition import Progress
from model_store.rendered.portraits import Portraits, batches, damage, flip, to_float

UNSHUFFLE = 2
CONFIG: dict[str, object] = {
    "sample_size": 32,
    "in_channels": 12,
    "out_channels": 12,
    "layers_per_block": 1,
    "block_out_channels": [48, 80, 128],
    "down_block_types": ["DownBlock2D", "DownBlock2D", "AttnDownBlock2D"],
    "up_block_types": ["AttnUpBlock2D", "UpBlock2D", "UpBlock2D"],
    "attention_head_dim": 32,
    "norm_num_groups": 16,
}
STEPS, BATCH, SEED = 2000, 16, 5


def _timesteps(n: int, generator: torch.Generator) -> Tensor:
    """Where the method works, often: half in [0, 80), most of the rest in [80, 350), a few above."""
    where = torch.rand(n, generator=generator)
    low = torch.rand(n, generator=generator) * 80
    middle = 80 + torch.rand(n, generator=generator) * 270
    high = 350 + torch.rand(n, generator=generator) * 650
    return torch.where(where < 0.5, low, torch.where(where < 0.95, middle, high)).long()


def build_unet() -> EpsModel:
    """The untrained noise predictor, initialised by `SEED`."""
    torch.manual_seed(SEED)
    return EpsModel(UNSHUFFLE, CONFIG)


def train_unet(portraits: Portraits, progress: Progress, steps: int = STEPS) -> EpsModel:
    """Plain eps loss; a third of the pictures damaged like photographs; returns the averaged weights (EMA)."""
    network = build_unet().to(memory_format=torch.channels_last)
    average = copy.deepcopy(network).eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(SEED)
    alpha_bar = alpha_bars()
    optimiser = torch.optim.AdamW(network.parameters(), 1e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-3, steps, pct_start=0.05)
    for step, rows in enumerate(batches(len(portraits.people), BATCH, steps, generator)):
        x_0 = flip(to_float(portraits.images[rows]), generator)
        x_0[: BATCH // 3] = damage(x_0[: BATCH // 3], generator)
        timesteps = _timesteps(BATCH, generator)
        noise = torch.randn(x_0.shape, generator=generator)
        x_t = noised(x_0, noise, alpha_bar[timesteps])
        with torch.autocast("cpu", torch.bfloat16):
            predicted = network(x_t.to(memory_format=torch.channels_last), timesteps)
        loss = functional.mse_loss(predicted.float(), noise)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        decay = min(0.998, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(average.parameters()), [p.detach() for p in network.parameters()], 1 - decay)
        if step % 100 == 0 or step == steps - 1:
            progress(step + 1, steps, float(loss.detach()))
    return average
