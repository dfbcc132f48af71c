"""A last touch to a face in make-up: what recognisers react to most, within what make-up could do.

A residual in the photo's own pixels is optimised over random views until every surrogate takes the face for somebody
else. Momentum and diverse inputs are those of MI-FGSM (Dong et al., CVPR 2018) and DI-FGSM (Xie et al., CVPR 2019);
networks that waver are in the spirit of DFANet (Zhong and Deng, IEEE TIFS 2021), with noise in place of dropout.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from diffam_core.faces.crops import Points
from diffam_core.losses import VisualBar
from diffam_core.models import FalseAcceptRate, Recogniser
from diffam_core.refining.allowance import Budgets, Canvases, FaceRegions, allow
from diffam_core.refining.shading import Shading, Touch
from diffam_core.refining.wavering import wavering
from diffam_core.score import ssim
from diffam_core.views import random_handling

PerFace = Float[Tensor, " batch"]
Aims = Mapping[str, Float[Tensor, " _"]]
"""A target's unit embeddings, by recogniser."""
SECANTS = 4
"""Steps to the strength that the bar allows."""


@dataclass(frozen=True)
class Sitters:
    """Faces to refine: their canvases in [-1, 1] before and in make-up, and what is known of each.

    points: landmarks in the canvases.  eyes_px: pixels between the eyes.  share: of the whole photo that the canvas is
    as large as; above 1 where the canvas reaches over its borders.
    """

    original: Canvases
    made_up: Canvases
    points: Points
    regions: FaceRegions
    eyes_px: PerFace
    share: PerFace


@dataclass(frozen=True)
class Refinement:
    """How far a refinement goes.

    steps: at most; every `check_every` of them asks whether it is done.  stride: of the first step, before bounds.
    landing: share of it that the last ones are long.  asked: surrogates in each step, in turn; momentum remembers the
    others.
    margin: a surrogate has failed when a face lies that far below the threshold at `far`, in parts of the way from
    there to the owner.  touch: how a change is laid on.  bar: of the whole photo against the original.
    landmark_jitter, crop_jitter: of a view's landmarks, each alone and all together, in eye distances.
    waver: of a surrogate's channels in each step, in parts of their size: what fools one set of weights alone is lost.
    seed: of the random views.
    """

    steps: int = 28
    check_every: int = 4
    stride: float = 0.05
    landing: float = 0.1
    momentum: float = 0.7
    asked: int = 2
    far: FalseAcceptRate = "0.1"
    margin: float = 0.25
    touch: Touch = field(default_factory=Touch)
    landmark_jitter: float = 0.012
    crop_jitter: float = 0.04
    waver: float = 0.06
    budgets: Budgets = field(default_factory=Budgets)
    bar: VisualBar = field(default_factory=lambda: VisualBar(36.5, 0.985))
    seed: int = 0


class Refined(NamedTuple):
    """What to add to the made-up canvases, and after how many steps each face was done."""

    change: Canvases
    steps: Int[Tensor, " batch"]


def refine(
    sitters: Sitters,
    surrogates: Sequence[Recogniser],
    generators: Sequence[torch.Generator],
    settings: Refinement,
    aims: Aims | None = None,
) -> Refined:
    """Refine faces away from their owners, and with `aims` towards a target. No other recogniser is asked.

    generators: one per face, so that nobody's result depends on whom a batch is shared with.
    """
    faces = _Faces.read(sitters, surrogates, settings)
    latent, velocity, change = (torch.zeros_like(faces.made_up) for _ in range(3))
    steps, going = torch.zeros(len(latent), dtype=torch.int64), torch.arange(len(latent))
    for step in range(1, settings.steps + 1):
        now, chances = faces.only(going), [generators[index] for index in going.tolist()]
        asked = _in_turn(surrogates, step, settings.asked)
        slope = _slope(now, latent[going], _Chase(asked, chances, settings, aims or {}))
        velocity[going] = settings.momentum * velocity[going] + _unit(slope)
        latent[going] -= _stride(settings, step) * _unit(velocity[going])
        whole = now.shading.change(latent[going])
        strength = _strength_within_psnr(settings.bar.psnr_db, now, whole)
        latent[going] *= strength[:, None, None, None]  # a change that saturates costs most for what it does
        if step % settings.check_every == 0 or step == settings.steps:
            change[going] = _added(now.made_up, whole, strength)
            steps[going] = step
            going = going[~_is_done(now, change[going], _Chase(surrogates, chances, settings, aims or {}))]
            if not len(going):
                break
    strength = strength_within(settings.bar, faces.original, faces.made_up, change, faces.share)
    return Refined(_added(faces.made_up, change, strength), steps)


class _Chase(NamedTuple):
    """Whom faces run away from and towards, and by what chance they are seen."""

    surrogates: Sequence[Recogniser]
    generators: Sequence[torch.Generator]
    settings: Refinement
    aims: Aims


@dataclass(frozen=True)
class _Faces:
    """What of the sitters an optimisation needs; `own` says by recogniser whom it knows them as."""

    original: Canvases
    made_up: Canvases
    points: Points
    eyes_px: PerFace
    share: PerFace
    shading: Shading
    own: dict[str, Float[Tensor, "batch _"]]

    @classmethod
    @torch.no_grad()
    def read(cls, sitters: Sitters, surrogates: Sequence[Recogniser], settings: Refinement) -> "_Faces":
        """The sitters with what they may change and whom recognisers see in them."""
        allowance = allow(sitters.made_up, sitters.regions, sitters.eyes_px, settings.budgets)
        own = {each.name: each.identify(sitters.original, sitters.points) for each in surrogates}
        s = sitters
        shading = Shading.of(s.made_up, s.points, allowance, s.eyes_px, settings.touch)
        return cls(s.original, s.made_up, s.points, s.eyes_px, s.share, shading, own)

    def only(self, index: Int[Tensor, " some"]) -> "_Faces":
        """Some of them."""
        return _Faces(
            self.original[index],
            self.made_up[index],
            self.points[index],
            self.eyes_px[index],
            self.share[index],
            self.shading.only(index),
            {name: rows[index] for name, rows in self.own.items()},
        )


def _in_turn(surrogates: Sequence[Recogniser], step: int, asked: int) -> list[Recogniser]:
    """Some of the surrogates, other ones in every step."""
    return [surrogates[(step * asked + index) % len(surrogates)] for index in range(min(asked, len(surrogates)))]


def _stride(settings: Refinement, step: int) -> float:
    """Of a step from 1 on: along half a cosine from `stride` down towards its share `landing`."""
    ahead = 0.5 + 0.5 * math.cos(math.pi * (step - 1) / settings.steps)
    return settings.stride * (settings.landing + (1 - settings.landing) * ahead)


def _slope(faces: _Faces, latent: Canvases, chase: _Chase) -> Canvases:
    """The gradient of the faces' likeness in random views with respect to the latent change."""
    latent = latent.requires_grad_(True)
    total = latent.new_zeros(())
    with torch.enable_grad():
        worn = (faces.made_up + faces.shading.change(latent)).clamp(-1, 1)
        pairs = zip(worn, chase.generators, strict=True)
        views = torch.cat([random_handling(face[None], generator) for face, generator in pairs])
        points = _jittered(faces, chase)
        for each in chase.surrogates:
            with wavering(each.network, chase.generators, chase.settings.waver):
                total = total + _likeness(each, each.embed(views, points), faces, chase).sum()
        (slope,) = torch.autograd.grad(total, latent)
    return slope


def _likeness(recogniser: Recogniser, seen: Float[Tensor, "batch dim"], faces: _Faces, chase: _Chase) -> PerFace:
    """How much faces are their owners to a recogniser, less how much the target."""
    own, aim = _matches(recogniser, seen, faces, chase)
    return own if aim is None else own - aim


def _matches(
    recogniser: Recogniser, seen: Float[Tensor, "batch dim"], faces: _Faces, chase: _Chase
) -> tuple[PerFace, PerFace | None]:
    """How much faces are their owners to a recogniser, and the target: 0 at the threshold, 1 is the same."""
    threshold = recogniser.thresholds[chase.settings.far]
    own = ((seen * faces.own[recogniser.name]).sum(dim=1) - threshold) / (1 - threshold)
    if recogniser.name not in chase.aims:
        return own, None
    return own, (seen @ chase.aims[recogniser.name] - threshold) / (1 - threshold)


@torch.no_grad()
def _is_done(faces: _Faces, change: Canvases, chase: _Chase) -> Bool[Tensor, " batch"]:
    """Whether every surrogate fails, and takes faces for the target, by a margin: on the pixels as they are rounded."""
    pixels = ((faces.made_up + change + 1) * 127.5).round() / 127.5 - 1
    done = torch.ones(len(pixels), dtype=torch.bool)
    for each in chase.surrogates:
        if not bool(done.any()):
            break
        own, aim = _matches(each, each.embed(pixels, faces.points), faces, chase)
        done &= (own < -chase.settings.margin).cpu()
        if aim is not None:
            done &= (aim > chase.settings.margin).cpu()
    return done


def _jittered(faces: _Faces, chase: _Chase) -> Points:
    """Landmarks as another detector might find them."""
    settings, moved = chase.settings, []
    for points, eyes_px, generator in zip(faces.points, faces.eyes_px, chase.generators, strict=True):
        reach = float(eyes_px) / faces.made_up.shape[-1]
        alone, together = torch.randn(5, 2, generator=generator), torch.randn(4, generator=generator)
        middle, lean, zoom = points.mean(dim=0), settings.crop_jitter * together[2], settings.crop_jitter * together[3]
        turn = torch.tensor([[1 + zoom, lean], [-lean, 1 + zoom]])
        shift = reach * (settings.landmark_jitter * alone + settings.crop_jitter * together[:2])
        moved.append((points - middle) @ turn.to(points) + middle + shift.to(points))
    return torch.stack(moved)


def _added(made_up: Canvases, change: Canvases, strength: PerFace) -> Canvases:
    """What of a change at a strength fits between black and white."""
    return (made_up + strength[:, None, None, None] * change).clamp(-1, 1) - made_up


def _unit(x: Canvases) -> Canvases:
    """Per face of mean size 1."""
    return x / x.abs().mean(dim=(1, 2, 3), keepdim=True).clamp(min=1e-12)


@torch.no_grad()
def _strength_within_psnr(psnr_db: float, faces: _Faces, change: Canvases) -> PerFace:
    """The largest share in [0, 1] of a change that keeps the whole photo above a PSNR, but for what black and white cut
    off: the error grows as a square of it."""
    made_up = faces.made_up - faces.original
    a, b, c = (
        faces.share * (x * y).mean(dim=(1, 2, 3)) for x, y in ((change, change), (change, made_up), (made_up, made_up))
    )
    left = 4 * 10 ** (-psnr_db / 10) - c
    strength = ((b.square() + a * left).clamp(min=0).sqrt() - b) / a.clamp(min=1e-12)
    return torch.where(left > 0, strength.clamp(0, 1), torch.zeros_like(strength))


@torch.no_grad()
def strength_within(bar: VisualBar, original: Canvases, made_up: Canvases, change: Canvases, share: PerFace) -> PerFace:
    """Nearly the largest share in [0, 1] of a change with which the whole photo is above the bar; 0 where none is."""
    at_one = _spent(bar, original, made_up + change, share)
    if bool((at_one <= 1).all()):
        return torch.ones_like(share)
    low, at_low = torch.zeros_like(share), _spent(bar, original, made_up, share)
    for _ in range(SECANTS):
        ahead = (1 - at_low).clamp(min=0) / (at_one - at_low).clamp(min=1e-9)
        low = low + (1 - low) * ahead.clamp(max=1)  # a square lies below its secants
        at_low = _spent(bar, original, made_up + _added(made_up, change, low), share)
    return torch.where(at_one <= 1, 1, low)


def _spent(bar: VisualBar, original: Canvases, worn: Canvases, share: PerFace) -> PerFace:
    """What a change costs of what the bar leaves for a whole photo; about as the square of its strength."""
    error = (worn - original).square().mean(dim=(1, 2, 3)) * share
    return torch.maximum(error / (4 * 10 ** (-bar.psnr_db / 10)), (1 - ssim(worn, original)) * share / (1 - bar.ssim))
