"""How much faster a fine-tuning step is than the same step written as the released code writes it.

    python -m benchmarks.fine_tuning_step [--steps 5] [--json FILE]

Both sides do one step of the attack stage for four portraits of 64 pixels, with the same networks, surrogates and
views, side by side in one run. The other side follows what the method's notes say of the released code: one portrait at
a time, histograms matched pixel by pixel in Python, frozen networks that collect gradients, and the target, text and
owner embeddings computed again in every step.
"""

import argparse
import json
import platform
import statistics
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import torch
from torch import Tensor

from cli.commit import commit
from diffam_core.composite import change, face_probability
from diffam_core.generation import generate, latents
from diffam_core.images import shrink
from diffam_core.losses import REGION_WEIGHTS
from diffam_core.models import Models
from diffam_core.networks.parser import region
from diffam_core.styles import add_full_style, add_style, remove_style
from diffam_core.transfer import (
    Attack,
    Lesson,
    Prepared,
    ReferenceColours,
    StageRecipe,
    TransferRecipe,
    attack_terms,
    bar_terms,
    prepare,
    read_colours,
    tune,
    visual_terms,
)
from diffam_core.tuning import Tuning, weighted
from model_store.bundle import Bundle, open_bundle
from model_store.catalog import BUNDLES
from model_store.rendered.portraits import SEEDS, draw_portraits

PORTRAITS = 4
SURROGATES = ("irse50", "facenet", "mobile_face")


def match_in_loops(picture: Tensor, region: Tensor, table: Tensor) -> Tensor:
    """Histogram matching of one picture `(3, h, w)`, a pixel at a time."""
    matched = picture.detach().clone()
    rows, columns = (places.tolist() for places in torch.nonzero(region, as_tuple=True))
    for channel in range(3):
        values = sorted((float(matched[channel, y, x]), y, x) for y, x in zip(rows, columns, strict=True))
        for rank, (_, y, x) in enumerate(values):
            place = (rank + 0.5) / len(values) * (table.shape[1] - 1)
            low = min(int(place), table.shape[1] - 2)
            share = place - low
            matched[channel, y, x] = float(table[channel, low]) * (1 - share) + float(table[channel, low + 1]) * share
    return matched


def released_step(
    models: Models, tuning: Tuning, recipe: StageRecipe, colours: ReferenceColours, attack: Attack, photo: Tensor
) -> None:
    """One step for one portrait; nothing is prepared ahead but the latent, as there."""
    surrogates, optimiser = attack.surrogates, tuning.optimiser
    portrait = shrink(photo, models.portrait_px)
    with torch.no_grad():
        latent = latents(models, portrait)
        base = generate(models, latent, None)
    face = face_probability(models.parser, portrait).detach()
    probabilities = models.parser(portrait).sigmoid()
    regions = {name: region(probabilities, name) > 0.5 for name in REGION_WEIGHTS}
    aims = {r.name: r.embed(attack.aim)[0] for r in surrogates}
    own = {r.name: r.embed(photo) for r in surrogates}
    batch = Prepared(photo, portrait, latent, base, face, regions, models.clip.embed_images(portrait), own)
    residual = generate(models, latent, tuning.style) - base
    composite = (photo + change(residual, face, photo.shape[-1])).clamp(-1, 1)
    small = shrink(composite, models.portrait_px)
    histogram = small.new_zeros(())
    for name, weight in REGION_WEIGHTS.items():
        where = regions[name][0, 0]
        target = match_in_loops(small[0], where, colours.tables[name])
        apart = (small[0] - target).abs() * where
        histogram = histogram + weight * apart.sum() / (3 * where.sum().clamp(min=8))
    moved = models.clip.embed_images(small) - batch.clip
    terms = {"histogram": histogram, "direction": 1 - torch.cosine_similarity(moved, colours.direction[None]).mean()}
    terms |= visual_terms(models, batch, small, residual)
    terms |= attack_terms(attack, aims, batch, composite, recipe.views, tuning.generator)
    terms |= bar_terms(recipe.bar, recipe.weights, batch, composite)
    optimiser.zero_grad()
    weighted(recipe.weights, terms).backward()
    optimiser.step()


def unfreeze(bundle: Bundle, frozen: bool) -> None:
    """Let the frozen networks collect gradients, or not."""
    models = bundle.models
    for network in (models.clip, models.perceptual, models.parser, *(r.network for r in models.recognisers.values())):
        network.requires_grad_(not frozen)


def measure(steps: int) -> dict[str, float]:
    """Seconds per step of four portraits, taken in turns: all weights as there, and LoRA, which is our default."""
    torch.set_num_threads(1)  # neither side profits from a second core at this size, and busy ones add noise
    bundle = open_bundle(BUNDLES / "mini")
    models, recipe = bundle.models, replace(TransferRecipe().attack, steps=2, learning_rate=2e-4)
    picture = bundle.references["rose"]
    colours = read_colours(models, picture.made_up, picture.bare, picture.regions)
    attack = Attack([models.recognisers[name] for name in SURROGATES], bundle.targets["aurora"].aim)
    photos = draw_portraits(PORTRAITS, SEEDS["portraits"], models.view_px)
    lesson = Lesson(colours, prepare(models, photos, attack.surrogates), attack)
    ours: dict[str, list[float]] = {"full": [], "lora": []}
    theirs: list[float] = []
    for _ in range(steps):
        for mode, times in ours.items():
            if mode == "full":
                add_full_style(models.eps, "bench")
            else:
                add_style(models.eps, "bench", 8)
            ends: list[float] = []
            tune(
                models, Tuning(models.eps, "bench", recipe, 0), recipe, lesson,
                lambda _step, _steps, _terms, ends=ends: ends.append(perf_counter()),  # type: ignore[misc]
            )  # fmt: skip
            times.append(ends[1] - ends[0])
            remove_style(models.eps, "bench")
        add_full_style(models.eps, "bench")
        tuning = Tuning(models.eps, "bench", recipe, 0)
        unfreeze(bundle, frozen=False)
        started = perf_counter()
        for row in range(PORTRAITS):
            released_step(models, tuning, recipe, colours, attack, photos[row : row + 1])
        theirs.append(perf_counter() - started)
        unfreeze(bundle, frozen=True)
        remove_style(models.eps, "bench")
    released_s = statistics.median(theirs)
    full_s, lora_s = (statistics.median(ours[mode]) for mode in ("full", "lora"))
    return {
        "released_s": released_s, "full_s": full_s, "lora_s": lora_s,
        "times_faster_full": released_s / full_s, "times_faster_lora": released_s / lora_s,
    }  # fmt: skip


def main() -> None:
    """Measure, print, and write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    figures = measure(arguments.steps)
    facts = figures | {"steps": arguments.steps, "commit": commit(), "machine": platform.platform()}
    print(json.dumps(facts, indent=2))  # noqa: T201
    if arguments.json:
        arguments.json.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
