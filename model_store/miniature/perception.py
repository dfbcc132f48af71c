"""Trains what judges pictures in the miniature: the LPIPS trunk, the face parser and CLIP."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from diffam_core.networks.clip import Clip
from diffam_core.networks.parser import FaceParser
from diffam_core.networks.perceptual import build_perceptual
from model_store.miniature.recognition import SIZE_PX, Progress
from model_store.rendered.captions import BANK, truths
from model_store.rendered.people import IDENTITY, NUISANCE, take
from model_store.rendered.portraits import (
    SEEDS,
    Portraits,
    batches,
    damage,
    flip,
    render_portraits,
    sample_faces,
    to_float,
    to_uint8,
)
from model_store.training.small_clip import build_clip

TRUNK, TRUNK_STEPS = "squeeze", 1500
PARSER_WIDTHS, PARSER_STEPS = [24, 48, 72], 800
CLIP_STEPS, CLIP_SEED = 2200, 8
VISION: dict[str, object] = {
    "image_size": 64, "patch_size": 8, "width": 128, "head_width": 32, "layers": 4, "mlp_ratio": 2.0,
}  # fmt: skip


def _optimise(network: nn.Module, loss: Tensor, optimiser: torch.optim.Optimizer, schedule: Any) -> None:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimiser.step()
    schedule.step()


def _one_cycle(network: nn.Module, rate: float, steps: int) -> tuple[torch.optim.Optimizer, Any]:
    optimiser = torch.optim.AdamW(network.parameters(), rate, weight_decay=0.01)
    return optimiser, torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, steps, pct_start=0.08)


def train_perceptual(portraits: Portraits, progress: Progress, steps: int = TRUNK_STEPS) -> nn.Module:
    """LPIPS whose trunk learned to name every number a face was drawn from: shape, pose, light, hair, make-up."""
    torch.manual_seed(6)
    generator = torch.Generator().manual_seed(6)
    lpips = build_perceptual(TRUNK, calibrated=False)
    trunk = lpips.get_submodule("net")
    trunk.requires_grad_(True)
    names = [*IDENTITY, *NUISANCE, "lips_strength", "shadow_strength", "blush_strength"]
    answers = torch.stack([portraits.faces[name].float() for name in names], dim=1)
    colours = ("lips_colour", "shadow_colour", "background_a", "background_b", "cloth")
    answers = torch.cat([answers, *(portraits.faces[name] for name in colours)], dim=1)
    answers = (answers - answers.mean(0)) / answers.std(0)
    model = nn.ModuleList([trunk, nn.Linear(512, answers.shape[1])])
    optimiser, schedule = _one_cycle(model, 1e-3, steps)
    for step, rows in enumerate(batches(len(answers), 48, steps, generator)):
        x = damage(to_float(portraits.images[rows]), generator)
        with torch.autocast("cpu", torch.bfloat16):
            deepest = trunk(lpips.get_submodule("scaling_layer")(x))[-1]
        predicted = model[1](deepest.float().mean(dim=(2, 3)))
        loss = functional.smooth_l1_loss(predicted, answers[rows])
        _optimise(model, loss, optimiser, schedule)
        if step % 100 == 0 or step == steps - 1:
            progress(step + 1, steps, float(loss.detach()))
    return lpips.eval().requires_grad_(False)


def train_parser(progress: Progress, steps: int = PARSER_STEPS, people: int = 3000) -> FaceParser:
    """Learns the renderer's exact masks from damaged pictures of people of its own."""
    torch.manual_seed(7)
    generator = torch.Generator().manual_seed(7)
    network = FaceParser(PARSER_WIDTHS).to(memory_format=torch.channels_last)
    images, masks = [], []
    faces = sample_faces(torch.arange(people), SEEDS["train"], generator)
    for rows in torch.arange(people).split(100):
        drawn = render_portraits(take(faces, rows), SIZE_PX, generator, jitter=2.0)
        images.append(to_uint8(drawn.image))
        masks.append((torch.cat([drawn.lips, drawn.eyes, drawn.skin, drawn.face], dim=1) * 255).byte())
    pictures, truth = torch.cat(images), torch.cat(masks)
    optimiser, schedule = _one_cycle(network, 3e-3, steps)
    weight = torch.tensor([4.0, 4.0, 1.0, 1.0]).view(1, 4, 1, 1)
    for step, rows in enumerate(batches(people, 32, steps, generator)):
        both = flip(torch.cat([to_float(pictures[rows]), truth[rows].float() / 255], dim=1), generator)
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(damage(both[:, :3], generator).to(memory_format=torch.channels_last))
        loss = functional.binary_cross_entropy_with_logits(logits.float(), both[:, 3:], weight=weight)
        _optimise(network, loss, optimiser, schedule)
        if step % 100 == 0 or step == steps - 1:
            progress(step + 1, steps, float(loss.detach()))
    return network.eval()


def train_clip(portraits: Portraits, progress: Progress) -> Clip:
    """The bundle's CLIP: make-up, skin and hair in words."""
    network = build_clip(BANK, VISION, CLIP_SEED)
    captioned = Captioned(portraits.images, list(BANK), truths(portraits.faces))
    return train_captions(network, captioned, torch.Generator().manual_seed(CLIP_SEED), progress)


@dataclass(frozen=True)
class Captioned:
    """Pictures, uint8 `(n, 3, s, s)`, and which caption is true of which: `(n, len(captions))` of 0 and 1."""

    images: Tensor
    captions: list[str]
    truth: Tensor


def train_captions(
    network: Clip, captioned: Captioned, generator: torch.Generator, progress: Progress, steps: int = CLIP_STEPS
) -> Clip:
    """Sigmoid loss over a bank of captions, each true or false of each picture (SigLIP's loss, several positives)."""
    images, captions, truth = captioned.images, captioned.captions, captioned.truth
    bias = nn.Parameter(torch.tensor(-2.0))
    scale = nn.Parameter(torch.tensor(2.3))
    model = nn.ModuleDict({"clip": network})
    model.register_parameter("bias", bias)
    model.register_parameter("scale", scale)
    optimiser, schedule = _one_cycle(model, 1e-3, steps)
    for step, rows in enumerate(batches(len(truth), 64, steps, generator)):
        x = flip(to_float(images[rows]), generator)
        x[:32] = damage(x[:32], generator)
        asked = torch.randperm(len(captions), generator=generator)[:64]
        with torch.autocast("cpu", torch.bfloat16):
            seen = network.embed_images(x)
            texts = network.embed_texts([captions[i] for i in asked])
        logits = seen.float() @ texts.float().T * scale.exp() + bias
        loss = functional.binary_cross_entropy_with_logits(logits, truth[rows][:, asked])
        _optimise(model, loss, optimiser, schedule)
        if step % 100 == 0 or step == steps - 1:
            progress(step + 1, steps, float(loss.detach()))
    return network.eval().requires_grad_(False)
