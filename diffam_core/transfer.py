"""Adversarial make-up transfer: fine-tunes a style so that faces wear a reference and recognisers are misled.

Two stages from the same loop: make-up alone, once per reference; then, from its weights, with the recognisers. Full
weights or LoRA, whichever was added. A run that is stopped and resumed equals one that was not.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from diffam_core import losses
from diffam_core.composite import change, low_pass
from diffam_core.generation import generate, latents
from diffam_core.histogram import colour_table
from diffam_core.images import shrink
from diffam_core.losses import REGION_WEIGHTS, VisualBar, Weights
from diffam_core.models import Models, Process, Recogniser
from diffam_core.networks.parser import region
from diffam_core.tuning import Epoch, Keep, OnLoss, Terms, Tuning, ignore_loss, weighted
from diffam_core.views import random_view

Objective = Literal["impersonate", "dodge", "both"]
Mode = Literal["lora", "full"]
AT_ONCE = 32
"""Portraits in one pass of the networks while training is prepared."""
CHECKPOINTED_PX = 128
"""From this size on reverse steps are computed again on the way back: at 256 pixels each would keep 2.8 GB a face."""
Latents = Callable[[Models, Tensor], Tensor]
"""`latents(models, portraits)`: `diffam_core.generation.latents`, or a cache in front of it."""


@dataclass(frozen=True)
class StageRecipe:
    """One stage: how long, how fast, and what its loss weighs.

    `learning_rate` falls linearly to `final_rate` of it, or grows with each `epoch`.  views: random views that the
    recognisers see; with 0 they see the composite itself.  regions: what each counts in the histogram term.
    """

    steps: int
    weights: Weights
    learning_rate: float = 2e-3
    final_rate: float = 0.25
    batch: int = 4
    views: int = 2
    bar: VisualBar = field(default_factory=VisualBar)
    precision: Literal["float32", "bfloat16"] = "float32"
    has_gradient_checkpoints: bool = False
    epoch: Epoch | None = None
    regions: dict[str, float] = field(default_factory=lambda: dict(REGION_WEIGHTS))


@dataclass(frozen=True)
class TransferRecipe:
    """Both stages, as the shipped LoRA styles were trained.

    mode: what the learning rates are meant for.  return_timestep, invert_points, denoise_points: the walk in training;
    None is the bundle's.
    """

    makeup: StageRecipe = field(default_factory=lambda: StageRecipe(100, Weights()))
    attack: StageRecipe = field(default_factory=lambda: StageRecipe(240, Weights(impersonate=18.0, dodge=11.0)))
    rank: int = 8
    mode: Mode = "lora"
    return_timestep: int | None = None
    invert_points: int | None = None
    denoise_points: int | None = None

    def with_objective(self, objective: Objective) -> "TransferRecipe":
        """The same recipe, aiming only at the target (the paper), only away from the owner, or both."""
        weights = self.attack.weights
        both = weights.impersonate + weights.dodge
        chosen = {
            "impersonate": replace(weights, impersonate=both, dodge=0.0),
            "dodge": replace(weights, impersonate=0.0, dodge=both),
            "both": weights,
        }[objective]
        return replace(self, attack=replace(self.attack, weights=chosen))

    def with_steps(self, makeup: int, attack: int) -> "TransferRecipe":
        """The same recipe, shorter or longer."""
        return replace(self, makeup=replace(self.makeup, steps=makeup), attack=replace(self.attack, steps=attack))

    def with_mode(self, mode: Mode) -> "TransferRecipe":
        """The same recipe for LoRA, or for full weights, which learn at a tenth of the rate."""
        if mode == self.mode:
            return self
        slower = 10.0 if mode == "full" else 0.1
        makeup, attack = (replace(s, learning_rate=s.learning_rate / slower) for s in (self.makeup, self.attack))
        return replace(self, makeup=makeup, attack=attack, mode=mode)

    def walk(self, process: Process) -> Process:
        """The process that this recipe trains with, in a bundle that protects with `process`."""
        return replace(
            process,
            return_timestep=self.return_timestep or process.return_timestep,
            invert_points=self.invert_points or process.invert_points,
            denoise_points=self.denoise_points or process.denoise_points,
        )


@dataclass(frozen=True)
class ReferenceColours:
    """The reference as the loss sees it: colour tables per region, and the CLIP direction bare -> made up."""

    tables: dict[str, Float[Tensor, "3 points"]]
    direction: Float[Tensor, " dim"]


@torch.no_grad()
def read_colours(
    models: Models,
    made_up: Float[Tensor, "1 3 size size"],
    bare: Float[Tensor, "1 3 size size"],
    regions: Float[Tensor, "1 channels size size"],
) -> ReferenceColours:
    """A reference's pictures in [-1, 1] and region masks as targets of the loss."""
    size = models.portrait_px
    made_up, bare, masks = shrink(made_up, size), shrink(bare, size), shrink(regions, size) > 0.5
    tables = {name: colour_table(made_up[0], region(masks, name)[0, 0]) for name in REGION_WEIGHTS}
    pair = models.clip.embed_images(torch.cat([made_up, bare]))
    return ReferenceColours(tables, pair[0] - pair[1])


@dataclass(frozen=True)
class Prepared:
    """Everything about the training photos that no step changes; computed once.

    own: what each surrogate makes of them.
    """

    photos: Float[Tensor, "batch 3 view view"]
    portraits: Float[Tensor, "batch 3 size size"]
    latents: Float[Tensor, "batch 3 size size"]
    reconstructions: Float[Tensor, "batch 3 size size"]
    face: Float[Tensor, "batch 1 size size"]
    regions: dict[str, Bool[Tensor, "batch 1 size size"]]
    clip: Float[Tensor, "batch dim"]
    own: dict[str, Float[Tensor, "batch _"]]

    def rows(self, rows: Int[Tensor, " chosen"]) -> "Prepared":
        """The photos of one step."""
        return Prepared(
            self.photos[rows],
            self.portraits[rows],
            self.latents[rows],
            self.reconstructions[rows],
            self.face[rows],
            {name: region[rows] for name, region in self.regions.items()},
            self.clip[rows],
            {name: own[rows] for name, own in self.own.items()},
        )


@torch.no_grad()
def prepare(
    models: Models,
    photos: Float[Tensor, "batch 3 view view"],
    surrogates: list[Recogniser],
    invert: Latents = latents,
) -> Prepared:
    """Latents, reconstructions, masks and own embeddings of photos in [-1, 1]."""
    portraits = shrink(photos, models.portrait_px)
    parts = portraits.split(AT_ONCE)
    inverted = torch.cat([invert(models, part) for part in parts])
    probabilities = torch.cat([models.parser(part).sigmoid() for part in parts])
    return Prepared(
        photos=photos,
        portraits=portraits,
        latents=inverted,
        reconstructions=torch.cat([generate(models, part, None) for part in inverted.split(AT_ONCE)]),
        face=region(probabilities, "face"),
        regions={name: region(probabilities, name) > 0.5 for name in REGION_WEIGHTS},
        clip=torch.cat([models.clip.embed_images(part) for part in parts]),
        own={r.name: torch.cat([r.embed(part) for part in photos.split(AT_ONCE)]) for r in surrogates},
    )


@dataclass(frozen=True)
class Attack:
    """What the second stage adds: the recognisers to mislead and the target's picture."""

    surrogates: list[Recogniser]
    aim: Float[Tensor, "1 3 side side"]


@dataclass(frozen=True)
class Lesson:
    """What a style is to learn: a reference's make-up, on whom, and against whom; without `attack` make-up alone."""

    colours: ReferenceColours
    data: Prepared
    attack: Attack | None = None


def makeup_terms(
    models: Models,
    colours: ReferenceColours,
    batch: Prepared,
    small: Float[Tensor, "batch 3 size size"],
    weights: Mapping[str, float] = REGION_WEIGHTS,
) -> Terms:
    """L_MT of composites in the portraits' size, `small`."""
    moved = models.clip.embed_images(small) - batch.clip
    return {
        "histogram": losses.histogram(small, batch.regions, colours.tables, weights),
        "direction": losses.direction(moved, colours.direction),
    }


def visual_terms(
    models: Models,
    batch: Prepared,
    small: Float[Tensor, "batch 3 size size"],
    residual: Float[Tensor, "batch 3 size size"],
) -> Terms:
    """L_vis, and what keeps the network's residual calm."""
    smooth = low_pass(residual)
    seen = losses.as_seen(smooth, batch.portraits)
    bare = losses.bare_places(batch.face, batch.regions["lips"], batch.regions["eyes"])
    return {
        "perceptual": losses.perceptual(models.perceptual, small, batch.portraits),
        "l1": losses.l1(small, batch.portraits),
        "total_variation": losses.total_variation(smooth),
        "outside": losses.outside(residual, batch.face),
        "bare_skin": losses.bare_skin(seen, bare),
        "colour_cast": losses.colour_cast(seen, bare),
    }


def bar_terms(
    bar: VisualBar, weights: Weights, batch: Prepared, composite: Float[Tensor, "batch 3 view view"]
) -> Terms:
    """How far composites lie below the visual bar; only what has a weight."""
    terms: Terms = {}
    if weights.psnr_hinge:
        terms["psnr_hinge"] = losses.psnr_hinge(composite, batch.photos, bar.psnr_db)
    if weights.ssim_hinge:
        terms["ssim_hinge"] = losses.ssim_hinge(composite, batch.photos, bar.ssim)
    return terms


def attack_terms(
    attack: Attack,
    aims: Mapping[str, Float[Tensor, " _"]],
    batch: Prepared,
    composite: Float[Tensor, "batch 3 view view"],
    views: int,
    generator: torch.Generator,
) -> Terms:
    """L_adv on random views, with 0 on the composite itself: towards the target, and away from the owner."""
    impersonate, dodge = [], []
    for view in [random_view(composite, generator) for _ in range(views)] or [composite]:
        for recogniser in attack.surrogates:
            seen = recogniser.embed(view)
            impersonate.append(losses.impersonate(seen, aims[recogniser.name]))
            dodge.append(losses.dodge(seen, batch.own[recogniser.name]))
    return {"impersonate": torch.stack(impersonate).mean(), "dodge": torch.stack(dodge).mean()}


def tune(
    models: Models,
    tuning: Tuning,
    recipe: StageRecipe,
    lesson: Lesson,
    on_loss: OnLoss = ignore_loss,
    keep: Keep | None = None,
) -> None:
    """Run a stage to its end."""
    data, attack = lesson.data, lesson.attack
    with torch.no_grad():
        aims = {r.name: r.embed(attack.aim)[0] for r in attack.surrogates} if attack else {}
    is_large = models.portrait_px >= CHECKPOINTED_PX

    def weigh(generator: torch.Generator) -> tuple[Tensor, Terms]:
        rows = tuning.rows(len(data.photos), recipe.batch).to(data.photos.device)
        batch = data.rows(rows)
        with torch.autocast(models.device.type, torch.bfloat16, enabled=recipe.precision == "bfloat16"):
            generated = generate(
                models, batch.latents, tuning.style, is_saving_memory=recipe.has_gradient_checkpoints or is_large
            )
        residual = generated.float() - batch.reconstructions
        composite = (batch.photos + change(residual, batch.face, batch.photos.shape[-1])).clamp(-1, 1)
        small = shrink(composite, models.portrait_px)
        terms = makeup_terms(models, lesson.colours, batch, small, recipe.regions)
        terms |= visual_terms(models, batch, small, residual)
        if attack:
            terms |= attack_terms(attack, aims, batch, composite, recipe.views, generator)
        terms |= bar_terms(recipe.bar, recipe.weights, batch, composite)
        return weighted(recipe.weights, terms), terms

    tuning.run(weigh, on_loss, keep)
