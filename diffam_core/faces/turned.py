"""Photos that lie on their side or on their head and do not say so: found turned upright, told where they lie.

The photo itself is never turned: only the faces' places say how they lie, and everything that cuts out and pastes
follows the eyes.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

import numpy as np

from diffam_core.faces.detection import SEARCH_PX, SMALLEST_SHARE, bounded
from diffam_core.faces.face import FoundFace
from diffam_core.images import Photo

TURNED_SCORE = 2.1
"""`Check` must see this much of the largest face in the photo turned upright, before anything turned is believed.

87 photos of people cut below the mouth, in three turns each, score at most 1.86; of 48 faces that lay on their side, 39
score 2.18 and more.
"""


SURE_SCORE, LEAD = 2.5, 0.5
"""An upright face with the first stands; one with less yields to a turned one that leads it by the second.

Upside down, 18 of 56 people (40 pictures, 16 renderings) were taken for upright ones, chin for forehead; with this, 5
are. Upright, a wrong turn led 3 of them, by 0.43 at most.
"""


@runtime_checkable
class Upright(Protocol):
    """A detector that finds upright faces, and can say how surely a photo shows one."""

    def as_it_lies(self, photo: Photo, smallest_share: float) -> list[FoundFace]: ...
    def score(self, photo: Photo, faces: Sequence[FoundFace] | None = None) -> float: ...


def try_turned(
    photo: Photo, upright: list[FoundFace], detector: Upright, smallest_share: float = SMALLEST_SHARE
) -> list[FoundFace]:
    """The faces of a photo that lies turned by a quarter, a half or three quarters, largest first; else `upright`.

    Three quick searches on small copies where `upright`, what was found of the photo as it is, holds no sure face from
    the front, and a thorough one in the turn that convinces, of which profiles are left out.
    """
    seen = detector.score(photo, [face for face in upright if _is_frontal(face)])
    if seen > SURE_SCORE:
        return upright
    small, _ = bounded(photo, SEARCH_PX)
    scores = {quarters: detector.score(_turned(small, quarters)) for quarters in (1, 2, 3)}
    best = max(scores, key=lambda quarters: scores[quarters])
    if scores[best] < max(TURNED_SCORE, seen + LEAD):
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
