"""Trains the miniature's five recognisers, and finds the thresholds they are used with."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from diffam_core.networks.recognisers import ARCHITECTURES
from model_store.rendered.portraits import SEEDS, Portraits, batches, damage, flip, population, to_float

IDENTITIES, PICTURES, SIZE_PX = 1400, 12, 64
CALIBRATION_IDENTITIES = 300
BATCH = 64
FALSE_ACCEPT_RATES = (0.1, 0.01, 0.001)
Progress = Callable[[int, int, float], None]
"""`progress(step, steps, loss)`, called now and then while training."""


@dataclass(frozen=True)
class RecogniserRecipe:
    """How one recogniser is built and trained. `margin` is additive angular (ArcFace) or, on the cosine, CosFace's."""

    kind: str
    input_px: int
    arguments: dict[str, object]
    steps: int
    scale: float
    margin: float
    angular: bool = False
    learning_rate: float = 3e-3
    weight_decay: float = 5e-4
    bfloat16: bool = True
    seed: int = 0
    refine_steps: int = 0


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
        "inception", 72, {"widths": [24, 64, 128], "depths": [0, 2, 2], "branch": 32}, 3400, 28, 0.15, seed=2,
        refine_steps=3000,
    ),
    "mobile_face": RecogniserRecipe(
        "mobile", 56, {"widths": [40, 80, 128], "depths": [2, 3, 2], "side": 4}, 3600, 32, 0.12, bfloat16=False, seed=3,
        refine_steps=2400,
    ),
    "vit": RecogniserRecipe(
        "transformer", 64, {"stem": [24, 48], "width": 128, "depth": 3, "heads": 4, "tokens": 64},
        steps=3600, scale=32, margin=0.15, learning_rate=1.5e-3, weight_decay=0.02, seed=4,
    ),
}  # fmt: skip


def build(recipe: RecogniserRecipe) -> nn.Module:
    """The untrained network of a recipe, initialised by its seed."""
    torch.manual_seed(recipe.seed)
    return ARCHITECTURES[recipe.kind](**recipe.arguments)


def _margin_logits(cosine: Tensor, people: Tensor, recipe: RecogniserRecipe, margin: float) -> Tensor:
    own = functional.one_hot(people, cosine.shape[1]).bool()
    if recipe.angular:
        angle = torch.acos(cosine.clamp(-1 + 1e-6, 1 - 1e-6))
        harder = torch.cos((angle + margin).clamp(max=math.pi))
    else:
        harder = cosine - margin
    return recipe.scale * torch.where(own, harder, cosine)


def train_recogniser(recipe: RecogniserRecipe, portraits: Portraits, progress: Progress) -> nn.Module:
    """Train on `portraits`, then once more from where that ended if the recipe says `refine_steps`."""
    network = build(recipe).to(memory_format=torch.channels_last)
    generator = torch.Generator().manual_seed(recipe.seed)
    centres = 0.05 * torch.randn(int(portraits.people.max()) + 1, 128, generator=generator)
    _cycle(network, centres, recipe, portraits, progress)
    if recipe.refine_steps:
        refine(network, recipe, portraits, progress)
    return network.eval()


def refine(network: nn.Module, recipe: RecogniserRecipe, portraits: Portraits, progress: Progress) -> None:
    """A second cycle at a third of the learning rate, whole margin, class centres at the mean of their pictures."""
    embeddings = embed_all(network.eval(), portraits.images, recipe.input_px)
    centres = torch.zeros(int(portraits.people.max()) + 1, 128).index_add_(0, portraits.people, embeddings)
    second = replace(recipe, steps=recipe.refine_steps, learning_rate=recipe.learning_rate / 3, seed=recipe.seed + 100)
    _cycle(network, functional.normalize(centres), second, portraits, progress, margin_grows=False)


def _cycle(
    network: nn.Module,
    centres: Tensor,
    recipe: RecogniserRecipe,
    portraits: Portraits,
    progress: Progress,
    margin_grows: bool = True,
) -> None:
    """One one-cycle run; a growing margin reaches its size after a third, which small networks need to start at all."""
    generator = torch.Generator().manual_seed(recipe.seed)
    class_centres = nn.Parameter(centres)
    parameters = [*network.parameters(), class_centres]
    optimiser = torch.optim.AdamW(parameters, recipe.learning_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.learning_rate, recipe.steps, pct_start=0.08)
    network.train()
    for step, rows in enumerate(batches(len(portraits.people), BATCH, recipe.steps, generator)):
        x = damage(flip(to_float(portraits.images[rows]), generator), generator)
        x = resize(x, recipe.input_px).to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bfloat16):
            embedding = network(x)
        cosine = functional.normalize(embedding.float()) @ functional.normalize(class_centres).T
        share = min(1.0, 3 * step / recipe.steps) if margin_grows else 1.0
        people = portraits.people[rows]
        loss = functional.cross_entropy(_margin_logits(cosine, people, recipe, share * recipe.margin), people)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 5.0)
        optimiser.step()
        schedule.step()
        if step % 100 == 0 or step == recipe.steps - 1:
            progress(step + 1, recipe.steps, float(loss.detach()))


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
