"""Finds a known face anew in another state of its photo, as a system would that never saw the original."""

from typing import NamedTuple

import cv2
import numpy as np

from diffam_core.faces.face import FoundFace, scale_face, shift_face
from diffam_core.faces.turned import quarters_of, turn_back
from diffam_core.images import Photo
from diffam_core.models import Models

REACH = 1.0
"""The surroundings that are searched reach this many box widths beyond the box."""
LOOK_PX = 400
"""They are looked at in a copy whose longer side has at most this many pixels: the face fills a third of it."""
OWN_SHARE = 0.15
"""Faces narrower than this share of them are other people's."""


class Met(NamedTuple):
    """A known face in another state of its photo: where it is found, or where it was when it is not found there."""

    face: FoundFace
    is_found: bool


def meet_again(models: Models, photo: Photo, known: FoundFace, width_px: int) -> Met:
    """Where a stranger's system takes the face to be in a state of its photo.

    known: the face in the photo when it was `width_px` wide.
    """
    moved = scale_face(known, photo.shape[1] / width_px)
    found = find_again(models, photo, moved)
    return Met(found or moved, found is not None)


def find_again(models: Models, photo: Photo, known: FoundFace) -> FoundFace | None:
    """The face that the bundle's detector finds and aligns where `known` is; None when it finds none there.

    photo: in the size in which `known` is told. A face that lies is looked for as it lies.
    """
    x, y, width, height = known.box
    reach = round(REACH * max(width, height))
    left, top = max(0, x - reach), max(0, y - reach)
    part = photo[top : max(0, y + height + reach), left : max(0, x + width + reach)]
    if min(part.shape[:2]) == 0:
        return None
    quarters = quarters_of(known)
    expected = shift_face(known, -left, -top)
    scale = min(1.0, LOOK_PX / max(part.shape[:2]))
    small = part if scale == 1 else cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    upright = np.ascontiguousarray(np.rot90(small.astype(np.uint8), quarters))
    found = models.detector.all(upright, OWN_SHARE, may_be_turned=False)
    height, width = small.shape[:2]
    seen = [scale_face(turn_back(face, quarters, width, height), 1 / scale) for face in found if face.is_protectable]

    def away(face: FoundFace) -> float:
        return float(np.hypot(*np.subtract(face.eye_middle, expected.eye_middle)))

    nearest = min(seen, key=away, default=None)
    if nearest is None or away(nearest) >= expected.eye_distance_px / 2:
        return None
    return shift_face(nearest, left, top)
