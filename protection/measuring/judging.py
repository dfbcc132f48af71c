"""What recognisers of libraries make of a face: they find its landmarks for themselves and look at their own crop."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from diffam_core.faces.crops import Points
from diffam_core.faces.detection import Find
from diffam_core.faces.face import FoundFace, cut_portrait
from diffam_core.faces.framing import Framing
from diffam_core.faces.yunet import portrayed
from diffam_core.images import Photo, to_pixels
from diffam_core.score import VIEWS, Cosines, Embeddings, compare
from model_store.recognisers import Judges

FRAME = Framing((0.5, 0.46), 0.18)
"""Wide enough for every crop, of turned heads, too."""
VIEW_PX = 384
"""Eyes are 69 pixels apart: more than in any crop."""
Look = Callable[[Photo], list[Find]]
"""Faces with five landmarks in a picture; judges look with YuNet."""


@dataclass(frozen=True)
class Sight:
    """A face as judges meet it: a wide view in [-1, 1], and its five landmarks in that, as shares of its side."""

    view: Float[Tensor, "1 3 side side"]
    points: Points


def sight_of(judges: Judges, photo: Photo, face: FoundFace, look: Look | None = None) -> Sight | None:
    """The face where it is expected in a photo, in a view that stands upright; None when no face is found there.

    look: of an observer who looks with something else.
    """
    view = _view(photo, face)
    pixels = to_pixels(view[0])
    nearest = portrayed((look or judges.landmarks.faces)(pixels), FRAME, VIEW_PX)
    if nearest is None:
        return None
    return Sight(view, ((torch.from_numpy(nearest.five_points) + 0.5) / VIEW_PX).float()[None])


def _view(photo: Photo, face: FoundFace) -> Float[Tensor, "1 3 side side"]:
    return cut_portrait(photo, replace(face, framing=FRAME), VIEW_PX)


def meet(judges: Judges, photo: Photo, face: FoundFace, points: Points, look: Look | None = None) -> Sight:
    """The face in another state of its photo; where judges do not see it there, they look where its `points` were."""
    return sight_of(judges, photo, face, look) or Sight(_view(photo, face), points)


class Judged(NamedTuple):
    """What judges make of a face in states of its photo: matches by judge, for each; whether they know the target."""

    matches: list[dict[str, Cosines]]
    knows_target: bool


def judge(
    judges: Judges,
    original: Photo,
    face: FoundFace,
    states: Sequence[tuple[Photo, FoundFace]],
    target: Float[Tensor, "1 3 side side"] | None,
) -> Judged | None:
    """The matches of a face, against the unprotected one as the owner; None when judges see no face in the original.

    states: photos, each with the face as it was met there; where judges do not see it they look where it was.
    target: a portrait in the face's framing, if there is one.
    """
    before = sight_of(judges, original, face)
    if before is None:
        return None
    after = [meet(judges, photo, met, before.points) for photo, met in states]
    aim = None if target is None else sight_of_portrait(judges, target, face.framing)
    found = embed_sights(judges, [before, *after, *([aim] if aim else [])])
    own, seen = ({name: rows[part] for name, rows in found.items()} for part in (slice(1), slice(1, 1 + len(after))))
    aims = {name: rows[-1:] for name, rows in found.items()}
    return Judged(compare(judges.recognisers, own, seen, aims), aim is not None)


def sight_of_portrait(judges: Judges, portrait: Float[Tensor, "1 3 side side"], framing: Framing) -> Sight | None:
    """The face of a portrait in [-1, 1]; None when none is found there."""
    pixels = to_pixels(portrait[0])
    return sight_of(judges, pixels, _framed(framing, pixels.shape[0]))


def _framed(framing: Framing, side_px: int) -> FoundFace:
    """The face of a portrait: eyes where its framing has them."""
    (x, y), half = framing.eye_middle, framing.eye_distance / 2
    left, right = (((x + way * half) * side_px - 0.5, y * side_px - 0.5) for way in (-1, 1))
    return FoundFace((0, 0, side_px, side_px), left, right, framing)


@torch.no_grad()
def embed_sights(judges: Judges, sights: Sequence[Sight]) -> Embeddings:
    """Unit embeddings of faces `(sights, dim)`, by judge."""
    device = next(next(iter(judges.recognisers.values())).network.parameters()).device
    views, points = (torch.cat(parts).to(device) for parts in zip(*((s.view, s.points) for s in sights), strict=True))
    return {
        name: torch.cat([judge.embed(*part) for part in zip(views.split(VIEWS), points.split(VIEWS), strict=True)])
        for name, judge in judges.recognisers.items()
    }
