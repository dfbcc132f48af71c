"""Five landmarks for an observer who has OpenCV's cascades alone: eyes are seen, the rest is where faces have it."""

import numpy as np

from diffam_core.faces.cascades import CascadeDetector
from diffam_core.faces.detection import Find, Point
from diffam_core.images import Photo
from protection.measuring.judging import FRAME

MEAN_FACE = {"nose": 0.5 + 0.571j, "left_mouth": 0.086 + 1.155j, "right_mouth": 0.914 + 1.155j}
"""InsightFace's template, the eyes being 0 and 1; points of a plane are complex numbers, y down."""


def cascade_look(picture: Photo) -> list[Find]:
    """Upright faces in an RGB picture, with eyes, nose and mouth corners."""
    faces = [face for face in CascadeDetector(FRAME).all(picture) if face.is_protectable]
    eyes = [(np.array(face.left_eye), np.array(face.right_eye)) for face in faces]
    return [Find(face.box, *pair, points_from_eyes(*pair)) for face, pair in zip(faces, eyes, strict=True)]


def points_from_eyes(left_eye: Point, right_eye: Point) -> dict[str, Point]:
    """Where a mean face has its nose and mouth corners, in the pixels of its eyes."""
    left, right = complex(*left_eye), complex(*right_eye)
    places = {name: left + place * (right - left) for name, place in MEAN_FACE.items()}
    return {name: np.array([place.real, place.imag]) for name, place in places.items()}
