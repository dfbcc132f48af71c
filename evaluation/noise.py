"""What the noise attacks share: their scores, the budget, and the way back into the photo.

Each attack climbs on views in [-1, 1] and stays within `eps` of them in every pixel. All get the surrogates of the
style they are compared with, the same target picture and `STEPS` steps.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from diffam_core.faces.paste import paste_change
from diffam_core.images import Photo
from diffam_core.models import Recogniser
from evaluation.subjects import Subjects
from model_store.bundle import Bundle
from model_store.catalog import StyleCard

STEPS = 20
BATCH = 20
LITERATURE_EPS = 2 * 8 / 255
"""8 of 255 grey levels, on the scale of [-1, 1]."""


class Aim:
    """The surrogates of a task with the target's embeddings and the owners', all constant."""

    def __init__(self, surrogates: list[Recogniser], target: Tensor, views: Tensor) -> None:
        self.surrogates = surrogates
        with torch.no_grad():
            self.target = [r.embed(target)[0] for r in surrogates]
            self.own = [r.embed(views) for r in surrogates]

    def towards_target(self, x: Tensor) -> Tensor:
        """Mean cosine to the target over the surrogates `(batch,)`."""
        found = [r.embed(x) @ aim for r, aim in zip(self.surrogates, self.target, strict=True)]
        return torch.stack(found).mean(dim=0)

    def towards_target_away_from_own(self, x: Tensor) -> Tensor:
        """The same less the mean cosine to the owner; one pass through the networks."""
        found = []
        for recogniser, aim, own in zip(self.surrogates, self.target, self.own, strict=True):
            embedding = recogniser.embed(x)
            found.append(embedding @ aim - (embedding * own).sum(dim=1))
        return torch.stack(found).mean(dim=0)


Attack = Callable[[Tensor, Aim, float, torch.Generator], Tensor]
"""`attack(views, aim, eps, generator)` returns the changed views."""


def slope(score: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The gradient of a per-picture score with respect to the pictures."""
    x = x.detach().requires_grad_(True)
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(score(x).sum(), x)
    return gradient


def within(x: Tensor, views: Tensor, eps: float) -> Tensor:
    """The picture nearest to `x` that obeys the budget and is a picture."""
    return (views + (x - views).clamp(-eps, eps)).clamp(-1, 1)


def momentum(velocity: Tensor, gradient: Tensor) -> Tensor:
    """MI-FGSM eq. 6 with decay 1: the sum of gradients, each of L1 norm 1."""
    return velocity + gradient / gradient.abs().mean(dim=(1, 2, 3), keepdim=True).clamp(min=1e-12)


def perturb(attack: Attack) -> Callable[[Bundle, Subjects, StyleCard, float], list[Photo]]:
    """A method's `protect` from an attack on views."""

    def protect(bundle: Bundle, subjects: Subjects, task: StyleCard, eps: float) -> list[Photo]:
        surrogates = [bundle.models.recognisers[name] for name in task.surrogates]
        target = bundle.targets[task.identity].aim.to(bundle.models.device)
        generator = torch.Generator().manual_seed(0)
        changed = []
        for views in subjects.views.split(BATCH):
            aim = Aim(surrogates, target, views)
            changed.append(attack(views, aim, eps, generator).detach() - views)
        deltas = torch.cat(changed)
        return [paste_change(face.photo, face.found, delta) for face, delta in zip(subjects.faces, deltas, strict=True)]

    return protect
