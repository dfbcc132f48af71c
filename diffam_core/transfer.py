"""Adversarial make-up transfer: fine-tunes a LoRA style so that faces wear a reference and recognisers are misled.

The loss is the paper's L = L_MT + L_adv + L_vis, measured on the composite that users get (not on the bare portrait),
plus what the miniature needs to stay clean: total variation, silence outside the face, and a hinge at a visual bar.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from diffam_core.composite import change, face_probability, low_pass
from diffam_core.histogram import colour_table, match_colours
from diffam_core.models import Models, Recogniser
from diffam_core.protect import generate, latents
from diffam_core.styles import style_parameters
from diffam_core.views import random_view

REGION_WEIGHTS = {"lips": 1.0, "eyes": 1.0, "skin": 0.05}
OnLoss = Callable[[str, int, int, dict[str, float]], None]
"""`on_loss(stage, step, steps, terms)` after each step."""


@dataclass(frozen=True)
class TransferRecipe:
    """Weights and lengths of the two stages: make-up alone, then with the recognisers."""

    makeup_steps: int = 100
    attack_steps: int = 140
    batch: int = 4
    learning_rate: float = 2e-3
    final_rate: float = 0.25
    views: int = 3
    histogram: float = 6.0
    direction: float = 0.4
    perceptual: float = 1.0
    l1: float = 3.0
    total_variation: float = 25.0
    outside: float = 5.0
    bare_skin: float = 30.0
    impersonate: float = 11.0
    dodge: float = 6.0
    psnr_bar_db: float = 28.0
    psnr_hinge: float = 2.0


@dataclass(frozen=True)
class Look:
    """The reference as the loss sees it: colour tables per region, and the CLIP direction bare -> made up."""

    tables: dict[str, Tensor]
    direction: Tensor


@dataclass(frozen=True)
class Prepared:
    """Everything about the training photos that no step changes; computed once."""

    photos: Tensor
    portraits: Tensor
    latents: Tensor
    reconstructions: Tensor
    face: Tensor
    regions: dict[str, Tensor]
    clip: Tensor
    own: dict[str, Tensor]


def _small(x: Tensor, size: int) -> Tensor:
    return functional.interpolate(x, size, mode="area")


@torch.no_grad()
def read_look(models: Models, made_up: Tensor, bare: Tensor, regions: Tensor) -> Look:
    """A reference's pictures `(1, 3, s, s)` in [-1, 1] and region masks `(1, 4, s, s)` as targets of the loss."""
    size = models.portrait_px
    made_up, bare, masks = _small(made_up, size), _small(bare, size), _small(regions, size) > 0.5
    tables = {name: colour_table(made_up[0], masks[0, index]) for index, name in enumerate(REGION_WEIGHTS)}
    pair = models.clip.embed_images(torch.cat([made_up, bare]))
    return Look(tables, pair[0] - pair[1])


@torch.no_grad()
def prepare(models: Models, photos: Tensor, surrogates: list[Recogniser]) -> Prepared:
    """Latents, reconstructions, masks and own embeddings of photos `(n, 3, view, view)` in [-1, 1]."""
    portraits = _small(photos, models.portrait_px)
    parts = [latents(models, part) for part in portraits.split(32)]
    inverted = torch.cat(parts)
    reconstructions = torch.cat([generate(models, part, None) for part in parts])
    probabilities = models.parser(portraits).sigmoid()
    return Prepared(
        photos=photos,
        portraits=portraits,
        latents=inverted,
        reconstructions=reconstructions,
        face=face_probability(models.parser, portraits),
        regions={name: probabilities[:, i : i + 1] > 0.5 for i, name in enumerate(REGION_WEIGHTS)},
        clip=models.clip.embed_images(portraits),
        own={r.name: torch.cat([r.embed(part) for part in photos.split(32)]) for r in surrogates},
    )


def _makeup_terms(models: Models, look: Look, data: Prepared, rows: Tensor, small: Tensor) -> dict[str, Tensor]:
    histogram = small.new_zeros(())
    for name, weight in REGION_WEIGHTS.items():
        region = data.regions[name][rows]
        apart = (small - match_colours(small, region, look.tables[name])).abs() * region
        histogram = (
            histogram + weight * (apart.sum(dim=(1, 2, 3)) / (3 * region.sum(dim=(1, 2, 3)).clamp(min=8))).mean()
        )
    moved = models.clip.embed_images(small) - data.clip[rows]
    direction = 1 - functional.cosine_similarity(moved, look.direction[None], dim=1, eps=1e-4)
    return {"histogram": histogram, "direction": direction.mean()}


def _visual_terms(models: Models, data: Prepared, rows: Tensor, small: Tensor, residual: Tensor) -> dict[str, Tensor]:
    smooth = low_pass(residual)
    variation = (smooth.diff(dim=-1).abs().mean() + smooth.diff(dim=-2).abs().mean()) / 2
    return {
        "perceptual": models.perceptual(small, data.portraits[rows]).mean(),
        "l1": (small - data.portraits[rows]).abs().mean(),
        "total_variation": variation,
        "outside": (residual.abs() * (1 - data.face[rows])).mean(),
        "bare_skin": (smooth.square() * data.regions["skin"][rows]).mean(),
    }


def _attack_terms(
    surrogates: list[Recogniser],
    aims: dict[str, Tensor],
    data: Prepared,
    rows: Tensor,
    composite: Tensor,
    views: int,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    impersonate, dodge = [], []
    for _ in range(views):
        view = random_view(composite, generator)
        for recogniser in surrogates:
            embedding = recogniser.embed(view)
            impersonate.append((1 - embedding @ aims[recogniser.name]).mean())
            dodge.append((embedding * data.own[recogniser.name][rows]).sum(dim=1).clamp(min=0).mean())
    return {"impersonate": torch.stack(impersonate).mean(), "dodge": torch.stack(dodge).mean()}


def train_style(
    models: Models,
    style: str,
    look: Look,
    aim: Tensor,
    data: Prepared,
    surrogates: list[Recogniser],
    recipe: TransferRecipe,
    seed: int,
    on_loss: OnLoss,
) -> None:
    """Train the adapter `style` (already added) in place. `aim`: the target's picture `(1, 3, s, s)`."""
    generator = torch.Generator().manual_seed(seed)
    parameters = style_parameters(models.eps, style)
    with torch.no_grad():
        aims = {r.name: r.embed(aim)[0] for r in surrogates}
    for stage, steps in (("make-up", recipe.makeup_steps), ("attack", recipe.attack_steps)):
        optimiser = torch.optim.Adam(parameters, recipe.learning_rate)
        schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, recipe.final_rate, steps)
        for step in range(steps):
            rows = torch.randperm(len(data.photos), generator=generator)[: recipe.batch]
            generated = generate(models, data.latents[rows], style)
            residual = generated - data.reconstructions[rows]
            photos = data.photos[rows]
            delta = change(generated, data.reconstructions[rows], data.face[rows], photos.shape[-1])
            composite = (photos + delta).clamp(-1, 1)
            small = _small(composite, models.portrait_px)
            terms = _makeup_terms(models, look, data, rows, small) | _visual_terms(models, data, rows, small, residual)
            if stage == "attack":
                terms |= _attack_terms(surrogates, aims, data, rows, composite, recipe.views, generator)
            error = (composite - photos).square().mean(dim=(1, 2, 3))
            psnr_db = 10 * torch.log10(4 / error.clamp(min=1e-8))
            terms["psnr_hinge"] = (recipe.psnr_bar_db - psnr_db).clamp(min=0).mean()
            loss = torch.stack([getattr(recipe, name) * term for name, term in terms.items()]).sum()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 5.0)
            optimiser.step()
            schedule.step()
            values = {name: float(term.detach()) for name, term in terms.items()}
            on_loss(stage, step + 1, steps, values | {"psnr_db": float(psnr_db.detach().mean())})
    for parameter in parameters:
        parameter.requires_grad_(False)
