"""Measures a miniature bundle on rendered people that nobody trained on; every figure of its card comes from here."""

from collections.abc import Callable
from typing import TypedDict, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from diffam_core.diffusion import denoise, noised
from diffam_core.errors import DiffAMError
from diffam_core.faces.cascades import CascadeDetector
from diffam_core.generation import generate, latents
from diffam_core.images import to_pixels
from diffam_core.models import Models
from diffam_core.networks.parser import CHANNELS
from diffam_core.score import DECISION_FAR
from diffam_core.styles import predictor
from model_store.bundle import Bundle
from model_store.miniature.recognition import calibrate, embed_all, true_accept_rates, verification
from model_store.miniature.removal import measure_removal
from model_store.rendered.captions import prompts
from model_store.rendered.people import (
    LIP_COLOURS,
    SHADOW_COLOURS,
    sample_identities,
    sample_makeup,
    sample_nuisance,
    take,
)
from model_store.rendered.portraits import population, render_portraits, sample_faces, to_float
from model_store.rendered.renderer import FRAMING, Frame, render

MEASURING_SEEDS = 1_000_000
"""Added to the caller's seed: no person met in training has such a seed."""
Found = TypeVar("Found")
OnMeasure = Callable[[str, int, int], None]


class Figures(TypedDict):
    """What was measured, by part; of the recognisers by name."""

    recognisers: dict[str, dict[str, float]]
    unet: dict[str, float]
    clip: dict[str, float]
    parser: dict[str, float]
    detector: dict[str, float]
    removal: dict[str, float]


def measure_bundle(
    bundle: Bundle, identities: int, seed: int, on_measure: OnMeasure, removals: int | None = None
) -> Figures:
    """The figures of a bundle's networks on `identities` fresh people, as JSON-able numbers.

    on_measure: called before each part.  removals: on how many of them make-up removal is judged, the slowest part;
    None is half of them and at least 96.
    """
    world, models, parts = MEASURING_SEEDS + seed, bundle.models, list(Figures.__annotations__)

    def told(part: str, measure: Callable[[], Found]) -> Found:
        on_measure(part, parts.index(part), len(parts))
        return measure()

    with torch.inference_mode():
        figures = Figures(
            recognisers=told("recognisers", lambda: _recognisers(models, identities, world)),
            unet=told("unet", lambda: _unet(models, identities, world)),
            clip=told("clip", lambda: _clip(models, identities, world)),
            parser=told("parser", lambda: _parser(models, identities, world)),
            detector=told("detector", lambda: _detector(identities, world)),
            removal=told(
                "removal", lambda: measure_removal(models, removals or max(96, identities // 2), world, bundle.removal)
            ),
        )
    on_measure("done", len(parts), len(parts))
    return figures


def _recognisers(models: Models, identities: int, seed: int) -> dict[str, dict[str, float]]:
    """TAR at FAR on the fresh people's own pairs, and the FAR that the shipped threshold really has on them."""
    people = population(identities, 6, seed, models.portrait_px)
    rows = {}
    for name, recogniser in models.recognisers.items():
        embeddings = embed_all(recogniser.network, people.images, recogniser.input_px)
        rates = true_accept_rates(embeddings, people.people, calibrate(embeddings, people.people))
        shipped = recogniser.thresholds[DECISION_FAR]
        genuine, impostor = verification(embeddings, people.people)
        rows[name] = {
            "tar_at_far_0.01": rates[1],
            "tar_at_far_0.001": rates[2],
            "tar_at_shipped_threshold": float((genuine > shipped).float().mean()),
            "far_at_shipped_threshold": float((impostor > shipped).float().mean()),
        }
    return rows


def _unet(models: Models, identities: int, seed: int) -> dict[str, float]:
    generator = torch.Generator().manual_seed(seed)
    x_0 = to_float(population(identities, 1, seed, models.portrait_px).images)
    noise = torch.randn(x_0.shape, generator=generator)
    alpha_bar = models.process.alpha_bar
    base = predictor(models.eps, None)  # whatever style was worn last
    figures = {}
    for timestep in (60, 300):
        x_t = noised(x_0, noise, alpha_bar[timestep])
        eps = torch.cat([base(part, torch.full((len(part),), timestep)) for part in x_t.split(50)])
        figures[f"eps_mse_t{timestep}"] = float(functional.mse_loss(eps, noise))
    x_t = noised(x_0, noise, alpha_bar[60])
    back = torch.cat([denoise(base, part, alpha_bar, 60, 6) for part in x_t.split(50)]).clamp(-1, 1)
    figures["noise_to_face_psnr_t60_db"] = float(_psnr_db(back, x_0).mean())
    figures["doing_nothing_psnr_t60_db"] = float(_psnr_db(x_t.clamp(-1, 1), x_0).mean())
    same = torch.cat([generate(models, latents(models, part), None) for part in x_0.split(50)])
    figures["reconstruction_psnr_db"] = float(_psnr_db(same, x_0).mean())
    return figures


def _psnr_db(a: Tensor, b: Tensor) -> Tensor:
    return 10 * torch.log10(4 / (a - b).square().mean(dim=(1, 2, 3)).clamp(min=1e-10))


def _clip(models: Models, identities: int, seed: int) -> dict[str, float]:
    people = population(identities, 2, seed, models.portrait_px)
    images = torch.cat([models.clip.embed_images(to_float(part)) for part in people.images.split(100)])

    def said(phrase: str) -> Tensor:
        return functional.normalize(models.clip.embed_texts(prompts(phrase)).mean(dim=0), dim=0)

    worn = people.faces["lips_strength"] > 0
    seen = images @ said("face with makeup") > images @ said("face without makeup")
    figures = {"zero_shot_makeup": float((seen == worn).float().mean())}
    for part, noun, colours in (("lips", "lipstick", LIP_COLOURS), ("shadow", "eyeshadow", SHADOW_COLOURS)):
        texts = torch.stack([said(f"face with {colour} {noun}") for colour in colours])
        guess = (images[worn] @ texts.T).argmax(dim=1)
        figures[f"zero_shot_{noun}_colour"] = float((guess == people.faces[f"{part}_name"][worn]).float().mean())
    return figures


def _parser(models: Models, identities: int, seed: int) -> dict[str, float]:
    generator = torch.Generator().manual_seed(seed)
    drawn = render_portraits(sample_faces(torch.arange(identities), seed, generator), models.portrait_px, generator)
    guess = torch.cat([models.parser(part) for part in drawn.image.split(50)]) > 0
    figures = {}
    for index, name in enumerate(CHANNELS):
        truth = getattr(drawn, name)[:, 0] > 0.5
        both = (guess[:, index] & truth).sum(dim=(1, 2)).float()
        either = (guess[:, index] | truth).sum(dim=(1, 2)).clamp(min=1)
        figures[f"iou_{name}"] = float((both / either).mean())
    return figures


def _detector(identities: int, seed: int) -> dict[str, float]:
    """Recall on frontal faces (head turned at most a third as far as in training) in photos of 256 to 1024 pixels."""
    generator = torch.Generator().manual_seed(seed)
    found, errors, total = 0, [], 0
    for size in (256, 512, 1024):
        count = max(1, identities // 3)
        faces = sample_identities(count, seed + size) | sample_nuisance(count, generator)
        faces |= sample_makeup(count, generator)
        faces |= {"yaw": faces["yaw"] / 3, "pitch": faces["pitch"] / 3}
        distance = 0.12 + 0.14 * torch.rand(count, generator=generator)
        for row in range(count):
            one = torch.ones(1)
            frame = Frame(one * 0.5, one * FRAMING.eye_middle[1], distance[row] * one, one * 0)
            photo = to_pixels(render(take(faces, torch.tensor([row])), size, frame, generator).image[0])
            total += 1
            try:
                face = CascadeDetector(FRAMING).largest(photo)
            except DiffAMError:
                continue
            middle = (np.array(face.left_eye) + np.array(face.right_eye)) / 2
            error = float(np.hypot(*(middle / size - [0.5, FRAMING.eye_middle[1]]))) / float(distance[row])
            found += error < 0.35
            errors.append(error)
    return {"recall": found / total, "median_eye_error_in_eye_distances": float(np.median(errors)), "photos": total}
