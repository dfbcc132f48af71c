"""Five landmarks of a face as points: how it leans and whether it looks aside."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from diffam_core.faces.face import FoundFace

FIVE = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
"""Their order, the same as of a recogniser's crop; left ones of the picture first."""
FivePoints = NDArray[np.float64]
"""`(5, 2)`, x and y in pixels."""
PROFILE_NOSE = 0.55
"""The nose of a face seen from the side lies further from the middle of its eyes, along their line, in eye distances.

Beyond .5 it is not between the eyes; of 1,000 news photos one is above, a head that looks away.
"""


def five_points(face: FoundFace) -> FivePoints:
    """The landmarks of a face whose detector gives all five."""
    return np.array([face.landmarks[name] for name in FIVE])


def with_points(face: FoundFace, points: FivePoints) -> FoundFace:
    """The face with other landmarks."""
    left, right, *others = ((float(x), float(y)) for x, y in points)
    return replace(face, left_eye=left, right_eye=right, others=dict(zip(FIVE[2:], others, strict=True)))


def lean_deg(face: FoundFace) -> float:
    """How far the line from between the eyes to the mouth leans; positive is clockwise."""
    across, down = _height(five_points(face))
    return float(np.degrees(np.arctan2(-across, down)))


def lean_further(face: FoundFace, degrees: float) -> FoundFace:
    """The face turned about its middle, clockwise."""
    points = five_points(face)
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    middle = points.mean(axis=0)
    return with_points(face, (points - middle) @ np.array([[cos, sin], [-sin, cos]]) + middle)


def is_profile(face: FoundFace) -> bool:
    """Whether the face is seen from the side."""
    left, right, nose, *_ = five_points(face)
    across = right - left
    return abs(float((nose - (left + right) / 2) @ across)) > PROFILE_NOSE * float(across @ across)


def _height(points: FivePoints) -> NDArray[np.float64]:
    """From between the eyes to between the corners of the mouth."""
    height: NDArray[np.float64] = points[3:].mean(axis=0) - points[:2].mean(axis=0)
    return height
