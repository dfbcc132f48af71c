"""Trains and measures make-up removal in the miniature: a bare prior, critics that read captions, and the style itself.

Nothing here sees a made-up picture beside its bare twin except `measure_removal`, which judges by the rendered truth.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from diffam_core.diffusion import noised
from diffam_core.losses import RemovalWeights
from diffam_core.models import Models, Process
from diffam_core.networks.clip import Clip
from diffam_core.removal import (
    REMOVAL,
    Critic,
    RemovalLesson,
    RemovalRecipe,
    make_critic,
    remove_makeup,
)
from diffam_core.styles import add_style, predictor, remove_style, style_parameters, style_weights
from model_store.bundle import load_models
from model_store.catalog import read_manifest
from model_store.miniature.perception import Captioned, train_captions
from model_store.miniature.recognition import SIZE_PX, Progress
from model_store.rendered.captions import TEMPLATES, Judge, prompts, wears, wears_colour, within, without
from model_store.rendered.people import LIP_COLOURS, SHADOW_COLOURS, Face, bare, take
from model_store.rendered.portraits import (
    SEEDS,
    batches,
    damage,
    draw_portraits,
    flip,
    portrait_frame,
    render_portraits,
    sample_faces,
    to_float,
    to_uint8,
)
from model_store.rendered.renderer import render
from model_store.training.checkpoints import Checkpoints
from model_store.training.fine_tuning import Form, fine_tune_removal
from model_store.training.small_clip import build_clip

RANK, RETURN_TIMESTEP, POINTS = 16, 400, 8
PRIOR_STEPS, PRIOR_BATCH, PRIOR_RATE = 1200, 16, 2e-3
RECIPE = RemovalRecipe(
    steps=120, learning_rate=2e-4, weights=RemovalWeights(critics=1.0, identity=3.0, l1=4.0, keep_bare=40.0)
)
SHARE = 0.45
"""Of the way from the bare prior to the tuned style: further removes more and begins to paint bare faces."""
PEOPLE, TRAINING_FACES, AT_ONCE = 3000, 192, 100
IDENTITY = "irse50"
PRIOR, CRITICS = "bare-prior", ("critic-face", "critic-parts")
STAGES = (PRIOR, *CRITICS, REMOVAL)


def process_of(models: Models) -> Process:
    """How deep removal walks, with the bundle's schedule."""
    return Process(models.process.alpha_bar, RETURN_TIMESTEP, POINTS, POINTS)


def train_bare_prior(models: Models, progress: Progress) -> dict[str, Tensor]:
    """LoRA of the noise predictor that knows bare faces only: eps loss on pictures captioned bare."""
    pictures = to_uint8(draw_portraits(PEOPLE, SEEDS["train"] + 100, SIZE_PX, at_once=AT_ONCE))
    generator = torch.Generator().manual_seed(9)
    torch.manual_seed(9)
    add_style(models.eps, REMOVAL, RANK)
    parameters = style_parameters(models.eps, REMOVAL)
    optimiser = torch.optim.AdamW(parameters, PRIOR_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PRIOR_RATE, PRIOR_STEPS, pct_start=0.05)
    alpha_bar = models.process.alpha_bar
    for step, rows in enumerate(batches(len(pictures), PRIOR_BATCH, PRIOR_STEPS, generator)):
        x_0 = flip(to_float(pictures[rows]), generator)
        x_0[: PRIOR_BATCH // 4] = damage(x_0[: PRIOR_BATCH // 4], generator)
        timesteps = (torch.rand(len(rows), generator=generator) * (RETURN_TIMESTEP + 20)).long()
        noise = torch.randn(x_0.shape, generator=generator)
        predicted = predictor(models.eps, REMOVAL)(noised(x_0, noise, alpha_bar[timesteps]), timesteps)
        loss = functional.mse_loss(predicted, noise)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        schedule.step()
        if step % 50 == 0 or step == PRIOR_STEPS - 1:
            progress(step + 1, PRIOR_STEPS, float(loss.detach()))
    weights = style_weights(models.eps, REMOVAL)
    remove_style(models.eps, REMOVAL)
    return weights


def whole(portraits: Tensor) -> Tensor:
    """The first critic's view: the portrait itself."""
    return portraits


def parts(portraits: Tensor) -> Tensor:
    """The second critic's view: eyes above, mouth below, each enlarged to half the picture."""
    size = portraits.shape[-1]

    def crop(top: float, bottom: float, left: float, right: float) -> Tensor:
        box = portraits[..., int(top * size) : int(bottom * size), int(left * size) : int(right * size)]
        return functional.interpolate(box, (SIZE_PX // 2, SIZE_PX), mode="bilinear", antialias=True)

    return torch.cat([crop(0.34, 0.56, 0.20, 0.80), crop(0.62, 0.86, 0.30, 0.70)], dim=-2)


VIEWS: dict[str, Callable[[Tensor], Tensor]] = {"critic-face": whole, "critic-parts": parts}
VISION: dict[str, dict[str, object]] = {
    "critic-face": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 16, "head_width": 32, "patch_size": None},
    "critic-parts": {
        "image_size": 64, "patch_size": 8, "width": 128, "head_width": 32, "layers": 4, "mlp_ratio": 2.0,
    },
}  # fmt: skip
"""Built differently on purpose: what fools convolutions need not fool attention."""


def part_captions() -> dict[str, Judge]:
    """Sentences about one part each: whether it is made up, in which colour, how strongly."""
    phrases: dict[str, Judge] = {}
    for part, where, noun, colours in (
        ("lips", "lips", "lipstick", LIP_COLOURS),
        ("shadow", "eyes", "eyeshadow", SHADOW_COLOURS),
    ):
        phrases[f"bare {where}"] = without(wears(part))
        phrases[f"{where} with {noun}"] = wears(part)
        phrases[f"{where} with strong {noun}"] = within(f"{part}_strength", 0.6, 2.0)
        phrases[f"{where} with light {noun}"] = within(f"{part}_strength", 0.01, 0.4)
        for index, colour in enumerate(colours):
            phrases[f"{where} with {colour} {noun}"] = wears_colour(part, index)
    return {template.format(phrase): judge for phrase, judge in phrases.items() for template in TEMPLATES[:2]}


def _independent_makeup(faces: Face, generator: torch.Generator) -> Face:
    """Parts on and off by themselves, in any strength; a fifth in colours without a name."""
    changed = dict(faces)
    count = len(faces["yaw"])
    for part in ("lips", "shadow"):
        worn = torch.rand(count, generator=generator) < 0.5
        changed[f"{part}_strength"] = worn * (0.15 + 0.85 * torch.rand(count, generator=generator))
        odd = torch.rand(count, generator=generator) < 0.2
        colour = torch.rand(count, 3, generator=generator)
        changed[f"{part}_colour"] = torch.where(odd[:, None], colour, changed[f"{part}_colour"])
        changed[f"{part}_name"] = torch.where(
            odd, torch.full_like(changed[f"{part}_name"], -1), changed[f"{part}_name"]
        )
    return changed


def train_critic(name: str, progress: Progress) -> Clip:
    """A CLIP of its own architecture that reads captions about parts, through its own view of the portrait."""
    seed = 20 + CRITICS.index(name)
    generator = torch.Generator().manual_seed(seed)
    faces = sample_faces(torch.arange(PEOPLE), SEEDS["train"] + 200 + seed, generator, 1.0)
    faces = _independent_makeup(faces, generator)
    images = torch.cat(
        [
            to_uint8(VIEWS[name](render_portraits(take(faces, rows), SIZE_PX, generator).image))
            for rows in torch.arange(PEOPLE).split(100)
        ]
    )
    bank = part_captions()
    truth = torch.stack([judge(faces) for judge in bank.values()], dim=1).float()
    network = build_clip(bank, VISION[name], seed)
    return train_captions(network, Captioned(images, list(bank), truth), generator, progress)


def critics_of(models: Models, work: Path, bare_portraits: Tensor) -> list[Critic]:
    """The bundle's CLIP and the trained critics, standardised on bare portraits."""
    phrase = [(prompts("face with makeup"), prompts("face without makeup"))]
    phrase += [(prompts("face with lipstick"), prompts("face with bare lips"))]
    phrase += [(prompts("face with eyeshadow"), prompts("face with bare eyes"))]
    found = [make_critic(models.clip, whole, phrase, bare_portraits)]
    pairs = [
        ([t.format(f"{where} with {noun}") for t in TEMPLATES[:2]], [t.format(f"bare {where}") for t in TEMPLATES[:2]])
        for where, noun in (("lips", "lipstick"), ("eyes", "eyeshadow"))
    ]
    for name in CRITICS:
        network = build_clip(part_captions(), VISION[name], 0)
        weights = load_file(work / f"{name}.safetensors")
        network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in weights.items()})
        found.append(make_critic(network.eval().requires_grad_(False), VIEWS[name], pairs, bare_portraits))
    return found


def train_removal(work: Path, recipe: RemovalRecipe, progress: Progress) -> dict[str, Tensor]:
    """The removal style: begins at the bare prior, goes on with the recipe's objective."""
    models = load_models(work / "bundle", read_manifest(work / "bundle"))
    plain = draw_portraits(TRAINING_FACES, SEEDS["train"] + 300, SIZE_PX, at_once=AT_ONCE)
    worn = draw_portraits(TRAINING_FACES, SEEDS["train"] + 301, SIZE_PX, wearing=1.0, at_once=AT_ONCE)
    prior = {k: v.float() for k, v in load_file(work / f"{PRIOR}.safetensors").items()}

    def report(step: int, steps: int, terms: dict[str, float]) -> None:
        progress(step, steps, terms[recipe.objective])

    critics = critics_of(models, work, plain) if recipe.objective == "critics" else []
    lesson, form = RemovalLesson(worn, plain, models.recognisers[IDENTITY], critics), Form(30, rank=RANK, start=prior)
    models = replace(models, process=process_of(models))
    tuned = fine_tune_removal(models, recipe, lesson, form, Checkpoints(work / "training"), report)
    return {key: torch.lerp(prior[key], tuned[key], SHARE) for key in prior}


def train_stage_of(work: Path, stage: str, progress: Progress) -> dict[str, Tensor]:
    """The weights of a stage: `bare-prior`, one of `CRITICS`, or `removal`."""
    if stage == PRIOR:
        return train_bare_prior(load_models(work / "bundle", read_manifest(work / "bundle")), progress)
    if stage in CRITICS:
        return train_critic(stage, progress).state_dict()
    return train_removal(work, RECIPE, progress)


@torch.inference_mode()
def measure_removal(models: Models, count: int, seed: int, process: Process | None = None) -> dict[str, float]:
    """Removal judged by the rendered truth on `count` fresh people.

    `distance`: mean absolute difference to the true bare face on lips and eye areas, in grey levels of 255.
    """
    process = process or process_of(models)
    generator = torch.Generator().manual_seed(seed)
    faces = sample_faces(torch.arange(count), seed, generator, 1.0)
    faces |= {"noise": torch.zeros(count)}  # else two pictures of one face differ by their noise
    frame = portrait_frame(count, generator)
    worn, plain = render(faces, SIZE_PX, frame), render(bare(faces), SIZE_PX, frame)
    region = ((worn.lips + worn.eyes) > 0.5).float()

    def distance(x: Tensor, y: Tensor) -> Tensor:
        return 127.5 * ((x - y).abs() * region).sum(dim=(1, 2, 3)) / (3 * region.sum(dim=(1, 2, 3)))

    def psnr_db(x: Tensor) -> Tensor:
        return 10 * torch.log10(4 / (x - plain.image).square().mean(dim=(1, 2, 3)).clamp(min=1e-10))

    removed = torch.cat([remove_makeup(models, part, process) for part in worn.image.split(32)])
    again = torch.cat([remove_makeup(models, part, process) for part in plain.image.split(32)])
    before, after = distance(worn.image, plain.image), distance(removed, plain.image)
    judge = models.recognisers["vit"]
    cosine = (judge.embed(removed) * judge.embed(worn.image)).sum(dim=1)
    return {
        "photos": count,
        "distance_before": float(before.mean()),
        "distance_after": float(after.mean()),
        "change": float(after.mean() / before.mean() - 1),
        "improved": float((after < before).float().mean()),
        "psnr_before_db": float(psnr_db(worn.image).mean()),
        "psnr_after_db": float(psnr_db(removed).mean()),
        "identity": float(cosine.mean()),
        "change_of_bare": float(distance(again, plain.image).mean()),
    }
