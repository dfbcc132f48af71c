"""The pixels around a face that a refinement works on: the photo's own, or fewer where it has more than are needed.

A canvas is level with the photo, not with the face. At the photo's own scale it is cut out without resampling, so what
is added to it is what the photo gets, byte for byte.
"""

from dataclasses import replace
from math import floor

from diffam_core.faces.face import FoundFace
from diffam_core.faces.framing import Framing

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


def eyes_px(face: FoundFace) -> float:
    """Pixels between the eyes in the face's canvas."""
    return min(EYES_PX, face.eye_distance_px)
