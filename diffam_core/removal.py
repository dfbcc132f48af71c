"""Text-guided make-up removal: a style that turns a made-up portrait into its bare twin (DiffAM eq. 4-8).

Two objectives of one loop. `direction` is the paper's: the picture moves in CLIP along "with make-up" -> "without". A
direction has no magnitude and a single critic is easily fooled, so `critics` asks several for an absolute answer: as
bare as bare pictures are, and not barer. Both may start from a style that only knows bare faces.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from diffam_core import losses
from diffam_core.composite import change, face_probability
from diffam_core.diffusion import denoise, invert
from diffam_core.generation import OnStep
from diffam_core.images import shrink
from diffam_core.losses import RemovalWeights
from diffam_core.models import Models, Process, Recogniser
from diffam_core.networks.clip import Clip
from diffam_core.styles import has_style, predictor
from diffam_core.tuning import Epoch, Keep, OnLoss, Terms, Tuning, ignore_loss, weighted

REMOVAL = "removal"
"""The name of the style that removes make-up."""
REMOVAL_BASE = "removal-base"
"""The full style that inverts where removal has a network of its own, as in the paper; else the base model does."""
RemovalObjective = Literal["direction", "critics"]


@dataclass(frozen=True)
class Critic:
    """Judges pictures by texts: per pair of phrases (made up, bare), how much more the first fits than the second.

    view: what it looks at, from portraits.  axes: text embeddings' differences.  mean, spread: of the raw scores on
    bare pictures; scores are standardised by them.
    """

    clip: Clip
    view: Callable[[Tensor], Tensor]
    axes: Float[Tensor, "pairs dim"]
    mean: Float[Tensor, " pairs"]
    spread: Float[Tensor, " pairs"]

    def score(self, portraits: Float[Tensor, "batch 3 size size"]) -> Float[Tensor, "batch pairs"]:
        """0 looks like the average bare picture, 1 a standard deviation more made up; differentiable."""
        raw = self.clip.embed_images(self.view(portraits)) @ self.axes.T
        return (raw - self.mean) / self.spread


@torch.no_grad()
def make_critic(
    clip: Clip,
    view: Callable[[Tensor], Tensor],
    pairs: list[tuple[list[str], list[str]]],
    bare: Float[Tensor, "portraits 3 size size"],
) -> Critic:
    """A critic from a CLIP, pairs of prompts (made up, bare), and bare portraits to standardise on."""

    def said(prompts: list[str]) -> Tensor:
        return functional.normalize(clip.embed_texts(prompts).mean(dim=0), dim=0)

    axes = torch.stack([said(made_up) - said(without) for made_up, without in pairs])
    raw = torch.cat([clip.embed_images(view(part)) for part in bare.split(64)]) @ axes.T
    return Critic(clip, view, axes, raw.mean(dim=0), raw.std(dim=0).clamp(min=1e-4))


@dataclass(frozen=True)
class RemovalRecipe:
    """How removal is trained: objective, length, rate, weights and prompts (made up, bare) of the direction.

    bare_batch: how many bare portraits each step must leave alone; with 0 the term `keep_bare` is left out.
    """

    objective: RemovalObjective = "critics"
    steps: int = 200
    learning_rate: float = 1e-3
    final_rate: float = 0.25
    batch: int = 4
    bare_batch: int = 2
    weights: RemovalWeights = field(default_factory=RemovalWeights)
    made_up_prompts: tuple[str, ...] = ("face with makeup",)
    bare_prompts: tuple[str, ...] = ("face without makeup",)
    epoch: Epoch | None = None


def remove_makeup(
    models: Models,
    views: Float[Tensor, "batch 3 size size"],
    process: Process,
    style: str = REMOVAL,
    on_step: OnStep | None = None,
) -> Float[Tensor, "batch 3 size size"]:
    """Bare twins of faces in [-1, 1] of any size, changed on the face only; differentiable in the style's weights.

    The networks work on portraits of their own size; the change is composited into the views as make-up is.

    process: removal's own depth; make-up sits deeper than the shallow walk of the transfer reaches.
    """
    portraits = shrink(views, models.portrait_px)
    return _apply(models, views, _start(models, portraits, process, on_step), process, style)


@dataclass(frozen=True)
class _Start:
    """What no training step changes: latents, what the base model makes of them, and where the face is."""

    latents: Float[Tensor, "batch 3 size size"]
    same: Float[Tensor, "batch 3 size size"]
    face: Float[Tensor, "batch 1 size size"]

    def rows(self, rows: Int[Tensor, " chosen"]) -> "_Start":
        return _Start(self.latents[rows], self.same[rows], self.face[rows])


@torch.no_grad()
def _start(models: Models, portraits: Tensor, process: Process, on_step: OnStep | None = None) -> _Start:
    eps = predictor(models.eps, REMOVAL_BASE if has_style(models.eps, REMOVAL_BASE) else None)
    depth = process.return_timestep
    parts = []
    for part in portraits.split(32):
        latents = invert(eps, part, process.alpha_bar, depth, process.invert_points, on_step)
        same = denoise(eps, latents, process.alpha_bar, depth, process.denoise_points)
        parts.append((latents, same, face_probability(models.parser, part)))
    return _Start(*(torch.cat(column) for column in zip(*parts, strict=True)))


def _apply(models: Models, views: Tensor, start: _Start, process: Process, style: str) -> Tensor:
    eps = predictor(models.eps, style)
    bare = denoise(eps, start.latents, process.alpha_bar, process.return_timestep, process.denoise_points)
    return (views + change(bare - start.same, start.face, views.shape[-1])).clamp(-1, 1)


@dataclass(frozen=True)
class RemovalLesson:
    """What removal learns from: made-up portraits and, of other people, bare ones that must stay as they are.

    made_up, bare: in [-1, 1]; never pairs.  identity: the recogniser of the identity term.
    critics: of the objective that asks them.
    """

    made_up: Float[Tensor, "worn 3 size size"]
    bare: Float[Tensor, "plain 3 size size"]
    identity: Recogniser
    critics: Sequence[Critic] = ()


def tune_removal(
    models: Models,
    tuning: Tuning,
    recipe: RemovalRecipe,
    lesson: RemovalLesson,
    on_loss: OnLoss = ignore_loss,
    keep: Keep | None = None,
) -> None:
    """Fine-tune a removal style to the end of its recipe.

    models: with the process that removal walks in training, which is not the one that it protects with.
    """
    process, made_up, bare, identity = models.process, lesson.made_up, lesson.bare, lesson.identity
    worn = _start(models, made_up, process)
    plain = _start(models, bare, process) if recipe.bare_batch else None
    with torch.no_grad():
        seen = torch.cat([models.clip.embed_images(part) for part in made_up.split(32)])
        own = torch.cat([identity.embed(part) for part in made_up.split(32)])
        texts = [
            models.clip.embed_texts(list(prompts)).mean(dim=0)
            for prompts in (recipe.bare_prompts, recipe.made_up_prompts)
        ]
        wanted = texts[0] - texts[1]

    def weigh(generator: torch.Generator) -> tuple[Tensor, Terms]:
        rows = tuning.rows(len(made_up), recipe.batch).to(made_up.device)
        x = made_up[rows]
        x_hat = _apply(models, x, worn.rows(rows), process, tuning.style)
        terms: Terms = {}
        if recipe.objective == "direction":
            terms["direction"] = losses.direction(models.clip.embed_images(x_hat) - seen[rows], wanted)
        else:
            terms["critics"] = losses.bareness(torch.cat([critic.score(x_hat) for critic in lesson.critics], dim=1))
        terms["identity"] = losses.identity(identity.embed(x_hat), own[rows])
        terms["perceptual"] = losses.perceptual(models.perceptual, x_hat, x)
        terms["l1"] = losses.l1(x_hat, x)
        terms["total_variation"] = losses.total_variation(x_hat - x)
        if plain is not None:
            others = torch.randperm(len(bare), generator=generator)[: recipe.bare_batch].to(made_up.device)
            kept = _apply(models, bare[others], plain.rows(others), process, tuning.style)
            terms["keep_bare"] = losses.l1(kept, bare[others])
        return weighted(recipe.weights, terms), terms

    tuning.run(weigh, on_loss, keep)
