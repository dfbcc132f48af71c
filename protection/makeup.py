"""The tensors of a batch: every chosen face is inverted once, and wears each look of its photo from that latent."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from diffam_core.composite import face_channel, region_weights
from diffam_core.faces.face import FoundFace, cut_portrait
from diffam_core.generation import generate, latents
from diffam_core.images import Photo
from diffam_core.models import Models
from model_store.bundle import Bundle, style_name
from protection.plan import Variant
from protection.strength import Choice, choose_strength

OnStep = Callable[[int, int], None]
MAX_ROWS = 16
"""Portraits in one forward pass at most: a group photo must not exhaust the accelerator."""


@dataclass(frozen=True, eq=False)
class Face:
    """A face with what is computed once for all its candidates, a batch of one each.

    regions: the parser's probabilities `(1, 4, s, s)`.  mask: the face among them `(1, 1, s, s)`.
    """

    photo: Photo
    found: FoundFace
    latent: Tensor
    reconstruction: Tensor
    regions: Tensor

    @property
    def mask(self) -> Tensor:
        """The face's probability `(1, 1, s, s)`."""
        return face_channel(self.regions)


@dataclass(frozen=True, eq=False)
class Wearing:
    """What a variant changes on a face, `residual (1, 3, s, s)`, and how its strength was chosen."""

    face: Face
    variant: Variant
    residual: Tensor
    choice: Choice


def prepare(models: Models, faces: Sequence[tuple[Photo, FoundFace]], on_step: OnStep) -> list[Face]:
    """Cut out, invert, reconstruct and parse every face."""
    cut = [cut_portrait(photo, face, models.portrait_px) for photo, face in faces]
    portraits = torch.cat(cut).to(models.device)
    parts = portraits.split(MAX_ROWS)
    latent = torch.cat([latents(models, part, within(on_step, i, len(parts))) for i, part in enumerate(parts)])
    reconstruction = torch.cat([generate(models, part, None) for part in latent.split(MAX_ROWS)])
    regions = torch.cat([models.parser(part).sigmoid() for part in parts])
    rows = zip(latent.split(1), reconstruction.split(1), regions.split(1), strict=True)
    return [Face(photo, found, *row) for (photo, found), row in zip(faces, rows, strict=True)]


def make_up(bundle: Bundle, looks: Sequence[tuple[Face, Variant]], on_step: OnStep) -> list[Wearing]:
    """Put every look on its face, in the order given. Faces that wear the same style share forward passes."""
    choices = [_choose(bundle, face, look) for face, look in looks]
    by_style: dict[str, list[int]] = {}
    for row, (_, look) in enumerate(looks):
        by_style.setdefault(_adapter(look), []).append(row)
    passes = [
        (style, rows[start : start + MAX_ROWS])
        for style, rows in by_style.items()
        for start in range(0, len(rows), MAX_ROWS)
    ]
    worn: dict[int, Wearing] = {}
    for number, (style, rows) in enumerate(passes):
        faces = [looks[row][0] for row in rows]
        latent = torch.cat([face.latent for face in faces])
        strengths = latent.new_tensor([choices[row].strength for row in rows])
        made_up = generate(bundle.models, latent, style, within(on_step, number, len(passes)), strengths=strengths)
        for row, face, picture in zip(rows, faces, made_up.split(1), strict=True):
            worn[row] = Wearing(*looks[row], picture - face.reconstruction, choices[row])
    return [worn[row] for row in range(len(looks))]


def _choose(bundle: Bundle, face: Face, look: Variant) -> Choice:
    """The strength that was asked for, or the least that passes on recognisers which the style never met."""
    if look.strength != "auto":
        return Choice(look.strength)
    held_out = [name for name in bundle.models.recognisers if look.style.role_of(name) == "held_out"]
    return choose_strength(
        bundle.models, face.photo, face.found, face.latent, face.reconstruction, face.mask, _adapter(look), held_out,
        region_weights(face.regions, look.regions),
    )  # fmt: skip


def _adapter(look: Variant) -> str:
    return style_name(look.style.reference, look.style.target)


def within(on_step: OnStep, part: int, parts: int) -> OnStep:
    """Steps of one of several equal parts, counted in the whole."""
    return lambda step, steps: on_step(part * steps + step, parts * steps)
