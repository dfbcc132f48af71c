"""The pixels around a face that a refinement works on: the photo's own, or fewer where it has more than are needed.

A canvas is level with the photo, not with the face. At the photo's own scale it is cut out without resampling, so what
is added to it is what the photo gets, byte for byte.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import floor

import numpy as np
import torch
from numpy.typing import NDArray

from diffam_core.faces.crops import Points
from diffam_core.faces.face import FoundFace, portrait_transform
from diffam_core.faces.framing import Framing
from diffam_core.faces.landmarks import five_points

CANVAS_PX = 256
"""Side of a canvas."""
EYES_PX = 51.2
"""The most pixels between the eyes in a canvas: with more, the crops of recognisers would shrink it twofold."""
MIDDLE = (0.5, 0.4375)
"""Where the point between the eyes lies, as shares of the side: recognisers look further down from there than up."""


def canvas_of(face: FoundFace) -> FoundFace:
    """The face as level squares of `CANVAS_PX` frame it, for `cut_portrait` and `paste_change`."""
    x, y = (floor(value) + 0.5 for value in face.eye_middle)  # then pixels of both fall onto each other
    half = face.eye_distance_px / 2
    framing = Framing(MIDDLE, eyes_px(face) / CANVAS_PX)
    return replace(face, left_eye=(x - half, y), right_eye=(x + half, y), framing=framing)


def in_canvas(points: NDArray[np.float64], canvas: FoundFace) -> NDArray[np.float64]:
    """Points `(n, 2)`, x and y in pixels of the photo, as shares of a canvas that `canvas_of` gave."""
    transform = portrait_transform(canvas, CANVAS_PX)
    shares: NDArray[np.float64] = (points @ transform[:, :2].T + transform[:, 2] + 0.5) / CANVAS_PX
    return shares


def landmarks_in_canvases(faces: Sequence[FoundFace]) -> Points:
    """Five landmarks of each face as shares of its canvas, for recognisers that cut faces themselves."""
    rows = np.stack([in_canvas(five_points(face), canvas_of(face)) for face in faces])
    return torch.from_numpy(rows).float()


def eyes_px(face: FoundFace) -> float:
    """Pixels between the eyes in the face's canvas."""
    return min(EYES_PX, face.eye_distance_px)
