"""OpenCV's Haar cascades: boxes of upright, leaning and turned faces, and eyes inside a box.

Classifiers keep state while they search, so every thread has its own.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from diffam_core.images import Photo

Box = tuple[int, int, int, int]
Point = NDArray[np.float64]
BOX_EYES = ((0.297, 0.412), (0.707, 0.412))
"""Where the cascade's box has its eyes on average; used where the eyes are not seen (measured on rendered faces)."""


@dataclass(frozen=True)
class Find:
    """What a detector saw: box, both eyes (image left first) and further landmarks, in pixels of what it searched."""

    box: Box
    left_eye: Point
    right_eye: Point
    others: dict[str, Point] = field(default_factory=dict)


class _Cascades(threading.local):
    """One thread's classifiers, opened when first asked for."""

    def __init__(self) -> None:
        self._opened: dict[str, cv2.CascadeClassifier] = {}

    def open(self, name: str) -> cv2.CascadeClassifier:
        if name not in self._opened:
            path = files("cv2.data").joinpath(f"haarcascade_{name}.xml")
            self._opened[name] = cv2.CascadeClassifier(str(path))
        return self._opened[name]


_CASCADES = _Cascades()


def boxes(grey: NDArray[Any], cascade: str, step: float, neighbours: int, smallest_px: int) -> list[Box]:
    """Square boxes of what a cascade takes for a face in a grey picture.

    step: ratio of one searched size to the next.  neighbours: how many hits beside each other make a face.
    """
    found = _CASCADES.open(cascade).detectMultiScale(grey, step, neighbours, minSize=(smallest_px, smallest_px))
    return [(int(x), int(y), int(w), int(h)) for x, y, w, h in found]


def all_boxes(grey: NDArray[Any], cascade: str, steps: Sequence[float], smallest_px: int) -> list[Box]:
    """The same over several grids of sizes, single hits included; hits beside each other are one box."""
    hits = [box for step in steps for box in boxes(grey, cascade, step, 0, smallest_px)]
    grouped, _ = cv2.groupRectangles([*hits, *hits], 1, 0.3)  # twice each: a group of one would be dropped
    return [(int(x), int(y), int(w), int(h)) for x, y, w, h in grouped]


def profile_boxes(grey: NDArray[Any], step: float, neighbours: int, smallest_px: int) -> list[Box]:
    """Boxes of faces seen from the side, looking left or right."""
    width = grey.shape[1]
    mirrored = np.ascontiguousarray(grey[:, ::-1])
    left, right = (boxes(side, "profileface", step, neighbours, smallest_px) for side in (grey, mirrored))
    return left + [(width - x - w, y, w, h) for x, y, w, h in right]


def usual_eyes(box: Box) -> tuple[Point, Point]:
    """Where a cascade's box has its eyes on average."""
    x, y, w, h = box
    left, right = (np.array([x + w * across, y + h * down]) for across, down in BOX_EYES)
    return left, right


def eyes_in(grey: NDArray[Any], box: Box) -> tuple[Point, Point]:
    """Both eye centres in the pixels of `grey`: seen by the eye cascade if plausible, else where eyes usually are."""
    x, y, w, h = box
    corner, usual = np.array([x, y]), usual_eyes(box)
    top = grey[y + int(0.2 * h) : y + int(0.6 * h), x : x + w]
    scale = 160 / w
    enlarged = cv2.resize(top, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    seen = _CASCADES.open("eye").detectMultiScale(enlarged, 1.05, 4, minSize=(22, 22), maxSize=(64, 64))
    centres = [corner + np.array([(a + c / 2) / scale, 0.2 * h + (b + d / 2) / scale]) for a, b, c, d in seen]
    pair = []
    for place in usual:
        near = [centre for centre in centres if np.abs(centre - place).max() < 0.12 * w]
        if not near:
            return usual
        pair.append(np.mean(near, axis=0))
    return pair[0], pair[1]


def calm_eyes(photo: Photo, share: float = 0.02) -> NDArray[np.uint8]:
    """A grey picture in which eyes are darker than cheeks on dark skin too, as the cascades expect.

    Red light, where all skin is bright, without bright spots smaller than `share` of the photo: the whites of the eyes.
    """
    width = max(2, round(share * max(photo.shape)))
    spot = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    return cv2.morphologyEx(np.ascontiguousarray(photo[..., 0]), cv2.MORPH_OPEN, spot).astype(np.uint8)


def turned(grey: NDArray[Any], degrees: float) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """The picture turned so that heads leaning by `degrees` (clockwise) stand upright, and the way back `(2, 3)`."""
    height, width = grey.shape
    forward = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1)
    cos, sin = abs(forward[0, 0]), abs(forward[0, 1])
    size = (round(height * sin + width * cos), round(height * cos + width * sin))
    forward[:, 2] += [(size[0] - width) / 2, (size[1] - height) / 2]
    picture = cv2.warpAffine(grey, forward, size, flags=cv2.INTER_LINEAR)  # cascades pass over flat corners quickly
    return picture, cv2.invertAffineTransform(forward).astype(np.float64)
