"""Invert and make up: what the diffusion model does to a batch of portraits."""

from collections.abc import Callable
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from diffam_core.diffusion import Eps, denoise, invert
from diffam_core.models import Models
from diffam_core.styles import predictor, predictor_at

OnStep = Callable[[int, int], None]
"""`on_step(step, steps)` after each forward pass; what it raises ends the work."""


def silent(_step: int, _steps: int) -> None:
    """Tell nobody."""


def within(on_step: OnStep, part: int, parts: int) -> OnStep:
    """Steps of one of several equal parts, counted in the whole."""
    return lambda step, steps: on_step(part * steps + step, parts * steps)


@cache
def has_bfloat16(device_type: str) -> bool:
    """Whether a "cpu" or "cuda" device of this machine computes in bfloat16; others only imitate it, slowly."""
    if device_type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def autocast(models: Models) -> torch.autocast:
    """The precision that the bundle asks for, where the device has it; for inference, around what is below."""
    kind = models.device.type
    return torch.autocast(kind, torch.bfloat16, enabled=models.process.precision == "bfloat16" and has_bfloat16(kind))


@torch.no_grad()
def latents(
    models: Models, portraits: Float[Tensor, "batch 3 size size"], on_step: OnStep | None = None
) -> Float[Tensor, "batch 3 size size"]:
    """The latents of portraits in [-1, 1], inverted with the base model."""
    eps, process = predictor(models.eps, None), models.process
    return invert(eps, portraits, process.alpha_bar, process.return_timestep, process.invert_points, on_step)


def generate(
    models: Models,
    latent: Float[Tensor, "batch 3 size size"],
    style: str | None,
    on_step: OnStep | None = None,
    is_saving_memory: bool = False,
    strengths: Float[Tensor, " batch"] | None = None,
) -> Float[Tensor, "batch 3 size size"]:
    """Portraits denoised with a style, or with None by the base model (the reconstruction); differentiable.

    is_saving_memory: gradient checkpointing, each reverse step is computed again on the way back.
    strengths: how much of the style each row wears, in [0, 1]; all of it without them. The base model ignores them.
    """
    process = models.process
    eps: Eps
    if style is None or strengths is None:
        eps = predictor(models.eps, style)
    else:
        eps = predictor_at(models.eps, style, strengths)

    def remembered(x_t: Tensor, timesteps: Tensor) -> Tensor:
        predicted: Tensor = checkpoint(eps, x_t, timesteps, use_reentrant=False)
        return predicted

    denoiser = remembered if is_saving_memory else eps
    return denoise(denoiser, latent, process.alpha_bar, process.return_timestep, process.denoise_points, on_step)
