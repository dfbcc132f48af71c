"""Trains the miniature's five recognisers, and finds the thresholds they are used with."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from diffam_core.networks.recognisers import ARCHITECTURES
from model_store.miniature.dataset import SEEDS, Portraits, batches, damage, flip, population, to_float

IDENTITIES, PICTURES, SIZE_PX = 1400, 12, 64
CALIBRATION_IDENTITIES = 300
FALSE_ACCEPT_RATES = (0.1, 0.01, 0.001)
Progress = Callable[[int, int, float], None]
"""`progress(step, steps, loss)`, called now and then while training."""


@dataclass(frozen=True)
class RecogniserRecipe:
    """How one recogniser is built and trained. `margin` is additive angular (ArcFace) or, on the cosine, CosFace's."""

    kind: str
    input_px: int
    arguments: dict[str, Any]
    steps: int
    scale: float
    margin: float
    angular: bool = False
    learning_rate: float = 3e-3
    weight_decay: float = 5e-4
    bfloat16: bool = True
    seed: int = field(default=0)


RECIPES = {
    "ir152": RecogniserRecipe(
        "ir", 64, {"widths": [32, 64, 128], "depths": [3, 4, 3], "stem_stride": 2, "squeeze": False},
        steps=4200, scale=32, margin=0.25, angular=True,
    ),
    "irse50": RecogniserRecipe(
        "ir", 56, {"widths": [32, 72, 112], "depths": [2, 2, 2], "stem_stride": 2, "squeeze": True},
        steps=4200, scale=32, margin=0.25, angular=True, seed=1,
    ),
    "facenet": RecogniserRecipe(
        "inception", 72, {"widths": [24, 64, 128], "depths": [0, 2, 2], "branch": 32}, 3400, 28, 0.15, seed=2
    ),
    "mobile_face": RecogniserRecipe(
        "mobile", 56, {"widths": [40, 80, 128], "depths": [2, 3, 2], "side": 4}, 3600, 32, 0.12, bfloat16=False, seed=3
    ),
    "vit": RecogniserRecipe(
        "transformer", 64, {"width": 128, "depth": 6, "heads": 4, "tokens": 64}, 3000, 32, 0.15,
        learning_rate=1e-3, weight_decay=0.05, seed=4,
    ),
}  # fmt: skip


def build(recipe: RecogniserRecipe) -> nn.Module:
    """The untrained network of a recipe, initialised by its seed."""
    torch.manual_seed(recipe.seed)
    return ARCHITECTURES[recipe.kind](**recipe.arguments)


def _margin_logits(cosine: Tensor, people: Tensor, recipe: RecogniserRecipe) -> Tensor:
    own = functional.one_hot(people, cosine.shape[1]).bool()
    if recipe.angular:
        angle = torch.acos(cosine.clamp(-1 + 1e-6, 1 - 1e-6))
        harder = torch.cos((angle + recipe.margin).clamp(max=math.pi))
    else:
        harder = cosine - recipe.margin
    return recipe.scale * torch.where(own, harder, cosine)


def train_recogniser(recipe: RecogniserRecipe, portraits: Portraits, progress: Progress, batch: int = 64) -> nn.Module:
    """Train on `portraits`; the margin grows in over the first third, which small networks need to start at all."""
    network = build(recipe).to(memory_format=torch.channels_last)
    generator = torch.Generator().manual_seed(recipe.seed)
    centres = nn.Parameter(0.05 * torch.randn(int(portraits.people.max()) + 1, 128, generator=generator))
    parameters = [*network.parameters(), centres]
    optimiser = torch.optim.AdamW(parameters, recipe.learning_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.learning_rate, recipe.steps, pct_start=0.08)
    network.train()
    for step, rows in enumerate(batches(len(portraits.people), batch, recipe.steps, generator)):
        x = damage(flip(to_float(portraits.images[rows]), generator), generator)
        x = resize(x, recipe.input_px).to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bfloat16):
            embedding = network(x)
        cosine = functional.normalize(embedding.float()) @ functional.normalize(centres).T
        ramp = min(1.0, 3 * step / recipe.steps)
        eased = RecogniserRecipe(**{**recipe.__dict__, "margin": recipe.margin * ramp})
        people = portraits.people[rows]
        loss = functional.cross_entropy(_margin_logits(cosine, people, eased), people)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 5.0)
        optimiser.step()
        schedule.step()
        if step % 100 == 0 or step == recipe.steps - 1:
            progress(step + 1, recipe.steps, float(loss.detach()))
    return network.eval()


def training_portraits() -> Portraits:
    """The people every network of the miniature learns from."""
    return population(IDENTITIES, PICTURES, SEEDS["train"], SIZE_PX)


def resize(x: Tensor, side_px: int) -> Tensor:
    """Bilinear with antialiasing: what a stranger's system does to a face before looking at it."""
    return x if x.shape[-1] == side_px else functional.interpolate(x, side_px, mode="bilinear", antialias=True)


@torch.inference_mode()
def embed_all(network: nn.Module, images: Tensor, input_px: int) -> Tensor:
    """Unit embeddings `(n, 128)` of uint8 portraits."""
    rows = [network(resize(to_float(part), input_px)) for part in images.split(128)]
    return functional.normalize(torch.cat(rows).float())


def verification(embeddings: Tensor, people: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines of all pairs of the same person, and of all pairs of different people."""
    cosine = embeddings @ embeddings.T
    upper = torch.ones_like(cosine).triu(1).bool()
    same = people[:, None] == people[None, :]
    return cosine[same & upper], cosine[~same & upper]


def calibrate(embeddings: Tensor, people: Tensor) -> list[float]:
    """Thresholds at `FALSE_ACCEPT_RATES`: the cosines that this share of pairs of different people exceeds."""
    _, impostor = verification(embeddings, people)
    ranked = impostor.sort(descending=True).values
    return [float(ranked[max(0, int(len(ranked) * rate) - 1)]) for rate in FALSE_ACCEPT_RATES]


def true_accept_rates(embeddings: Tensor, people: Tensor, thresholds: list[float]) -> list[float]:
    """Share of same-person pairs above each threshold."""
    genuine, _ = verification(embeddings, people)
    return [float((genuine > threshold).float().mean()) for threshold in thresholds]
