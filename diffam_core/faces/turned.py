"""Photos that lie on their side or on their head and do not say so: found turned upright, told where they lie.

The photo itself is never turned: only the faces' places say how they lie, and everything that cuts out and pastes
follows the eyes.
"""

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np

from diffam_core.faces.detection import SEARCH_PX, SMALLEST_SHARE, scaled
from diffam_core.faces.face import FoundFace
from diffam_core.images import Photo


@dataclass(frozen=True)
class Turning:
    """When a photo is taken for turned, in scores of a detector.

    sure: an upright face above this stands.  least: the largest score of another turn must reach it before anything
    turned is believed, and lead the upright one by `lead`.
    """

    sure: float
    least: float
    lead: float


@runtime_checkable
class Upright(Protocol):
    """A detector that finds upright faces, and can say how surely a photo shows one."""

    @property
    def turning(self) -> Turning: ...
    def as_it_lies(self, photo: Photo, smallest_share: float) -> list[FoundFace]: ...
    def surest(self, photo: Photo) -> float: ...


def try_turned(
    photo: Photo, upright: list[FoundFace], detector: Upright, smallest_share: float = SMALLEST_SHARE
) -> list[FoundFace]:
    """The faces of a photo that lies turned by a quarter, a half or three quarters, largest first; else `upright`.

    Three quick searches on small copies where `upright`, what was found of the photo as it is, holds no sure face from
    the front, and a thorough one in the turn that convinces, of which profiles are left out.
    """
    turning = detector.turning
    seen = max((face.score for face in upright if _is_frontal(face)), default=0.0)
    if seen > turning.sure:
        return upright
    small, _ = scaled(photo, SEARCH_PX)
    scores = {quarters: detector.surest(_turned(small, quarters)) for quarters in (1, 2, 3)}
    best = max(scores, key=lambda quarters: scores[quarters])
    if scores[best] < max(turning.least, seen + turning.lead):
        return upright
    height, width = photo.shape[:2]
    found = detector.as_it_lies(_turned(photo, best), smallest_share)
    faces = [turn_back(face, best, width, height) for face in found if _is_frontal(face)]
    return [replace(face, notes=(*face.notes, "face_turned")) for face in faces] or upright


def _is_frontal(face: FoundFace) -> bool:
    return face.code != "face_in_profile"


def _turned(photo: Photo, quarters: int) -> Photo:
    return np.ascontiguousarray(np.rot90(photo, quarters))


def quarters_of(face: FoundFace) -> int:
    """How many quarter turns, counter-clockwise, `numpy.rot90` must make for a face to stand nearly upright."""
    return round(face.roll_deg / 90) % 4


def turn_back(face: FoundFace, quarters: int, width: int, height: int) -> FoundFace:
    """A face of `numpy.rot90(photo, quarters)`, where it lies in the photo of that width and height."""

    def back(point: tuple[float, float]) -> tuple[float, float]:
        x, y = point
        return {0: (x, y), 1: (width - 1 - y, x), 2: (width - 1 - x, height - 1 - y), 3: (y, height - 1 - x)}[quarters]

    x, y, w, h = face.box
    corners = np.array([back((x, y)), back((x + w - 1, y + h - 1))])
    left, top = (round(low) for low in corners.min(axis=0))
    across, down = (w, h) if quarters % 2 == 0 else (h, w)
    return replace(
        face,
        box=(left, top, across, down),
        left_eye=back(face.left_eye),
        right_eye=back(face.right_eye),
        others={name: back(point) for name, point in face.others.items()},
    )
