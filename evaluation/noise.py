"""What the noise attacks share: their scores, the budget, and the way back into the photo.

Each attack climbs on views in [-1, 1] and stays within `eps` of them in every pixel. All get the surrogates of the
style they are compared with, the same target picture and `STEPS` steps; where a style flees from its owner alone, so do
they.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from diffam_core.faces.canvas import CANVAS_PX, canvas_of, landmarks_in_canvases
from diffam_core.faces.crops import Points
from diffam_core.faces.face import FoundFace, stack_portraits
from diffam_core.faces.paste import paste_change
from diffam_core.images import Photo
from diffam_core.models import Recogniser
from evaluation.subjects import Subjects
from model_store.bundle import Bundle
from model_store.catalog import StyleCard
from protection.refining import aims_of, surrogates_of

STEPS = 20
BATCH = 20
LITERATURE_EPS = 2 * 8 / 255
"""8 of 255 grey levels, on the scale of [-1, 1]."""


class Aim:
    """The surrogates of a task with the target's embeddings and the owners', all constant.

    target: its unit embeddings by recogniser; None where faces only flee from their owners.  views: of the owners.
    points: landmarks in those, for recognisers that cut faces for themselves. Their cosines differ in scale (dlib's lie
    between .9 and 1), so each is weighed by the way from its threshold to 1.
    """

    def __init__(
        self,
        surrogates: Sequence[Recogniser],
        target: Mapping[str, Float[Tensor, " dim"]] | None,
        views: Tensor,
        points: Points | None = None,
    ) -> None:
        self.surrogates, self.target, self.points = surrogates, target, points
        self.weights = [1.0 if r.crop == "portrait" else 1 / (1 - r.thresholds["0.1"]) for r in surrogates]
        with torch.no_grad():
            self.own = [r.embed(views, points) for r in surrogates]

    def nearer(self, x: Tensor) -> Tensor:
        """Mean cosine to the target over the surrogates, or less that to the owner where there is none `(batch,)`."""
        return self._mean(x, is_fleeing=self.target is None)

    def nearer_and_away(self, x: Tensor) -> Tensor:
        """Mean cosine to the target, if there is one, less that to the owner; one pass through the networks."""
        return self._mean(x, is_fleeing=True)

    def _mean(self, x: Tensor, *, is_fleeing: bool) -> Tensor:
        found = []
        for recogniser, own, weight in zip(self.surrogates, self.own, self.weights, strict=True):
            embedding = recogniser.embed(x, self.points)
            near = embedding.new_zeros(()) if self.target is None else embedding @ self.target[recogniser.name]
            found.append(weight * (near - (embedding * own).sum(dim=1) if is_fleeing else near))
        return torch.stack(found).mean(dim=0)

    def start(self, views: Tensor, eps: float, generator: torch.Generator) -> Tensor:
        """Where an attack begins: a random step beside views whose owners it flees from, for there it has no slope."""
        if self.target is not None:
            return views
        beside = (2 * torch.rand(views.shape, generator=generator) - 1).to(views.device)
        return within(views + eps / STEPS * beside.sign(), views, eps)


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
        generator = torch.Generator().manual_seed(0)
        photos = []
        for scene in _scenes(bundle, subjects, task):
            changed = attack(scene.views, scene.aim, eps, generator).detach() - scene.views
            rows = zip(scene.photos, scene.frames, changed.cpu(), strict=True)
            photos += [paste_change(photo, frame, delta) for photo, frame, delta in rows]
        return photos

    return protect


@dataclass(frozen=True)
class _Scene:
    """Faces that are attacked together: their photos, where `views` lie in those, and whom recognisers shall see."""

    photos: Sequence[Photo]
    frames: Sequence[FoundFace]
    views: Tensor
    aim: Aim


def _scenes(bundle: Bundle, subjects: Subjects, task: StyleCard) -> Iterator[_Scene]:
    """What the bundle's recognisers see of all people; or the canvases of refinement, where judges are attacked."""
    models, own = bundle.models, bundle.models.recognisers
    for start in range(0, len(subjects.faces), BATCH):
        some = slice(start, start + BATCH)
        photos, found = subjects.photos[some], subjects.found[some]
        if own:
            surrogates, picture = [own[name] for name in task.surrogates], bundle.targets[task.identity].aim
            target = {r.name: r.embed(picture.to(models.device))[0] for r in surrogates}
            yield _Scene(photos, found, subjects.views[some], Aim(surrogates, target, subjects.views[some]))
        else:
            frames = [canvas_of(face) for face in found]
            views = stack_portraits(photos, frames, CANVAS_PX).to(models.device)
            aim = Aim(
                surrogates_of(bundle, task),
                aims_of(bundle, task),
                views,
                landmarks_in_canvases(found).to(models.device),
            )
            yield _Scene(photos, frames, views, aim)
