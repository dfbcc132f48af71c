"""OpenCV's Haar cascades as a detector: upright faces, and in copies turned to either side those of leaning heads.

They take many things for faces; `Check`, a network's second look at each, sorts them out, so searching may be generous.

Classifiers keep state while they search, so every thread has its own.
"""

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from diffam_core.faces.detection import (
    GROUP_SEARCH_PX,
    SAME_FACE,
    SEARCH_PX,
    SMALLEST_SHARE,
    Box,
    Check,
    Find,
    Point,
    apart,
    bounded,
    covers,
    distinct,
    inside,
    is_same,
    padded,
    protectable,
    to_photo,
    told,
)
from diffam_core.faces.face import FoundFace
from diffam_core.faces.framing import Framing
from diffam_core.faces.turned import Turning, try_turned
from diffam_core.images import Photo

FACE_SCORE = 1.35
"""`Check` must see this much of what `largest` returns: real faces score 1.5 to 2.9, masked ones 1.9."""
CONFIRMED_SCORE = 1.82
"""The same for what two searches agree on: half a face scores 1.88, a flag's folds 1.76."""
ALONE_SCORE = 2.82
"""The same for what one search alone found: rendered faces score 2.85 and more, a space suit's front up to 2.77."""
TURN_DEG = 8.0
"""A leaning head's eyes are moved to where `check` sees them; of an upright one the detector's own are more exact."""
PROFILE_SEARCH_PX = 400
"""The profile cascade is the slowest, and what it finds is only reported.

With 10 neighbours it saw nothing in 11 photos without profiles and the man in all 4 with one.
"""
SMALLEST_BOX_PX = 28
"""And this many pixels: smaller ones could not be protected."""
LEANS_DEG = {15.0: (1.0, (1.15, 1.1)), -15.0: (1.0, (1.15, 1.1)), 30.0: (1.5, (1.15,)), -30.0: (1.5, (1.15,))}
"""How far searched copies are turned: with how many times the smallest size, and ratios of one size to the next.

Upright faces show in both small turns (no turn and 30 degrees found 49 faces where these found 51). A face that lies
between two sizes of one grid lies near one of the other's.
"""
TURNING = Turning(sure=2.5, least=2.1, lead=0.5)
"""In scores of `Check`.

87 photos of people cut below the mouth, in three turns each, score at most 1.86; of 48 faces that lay on their side, 39
score 2.18 and more. Upside down, 18 of 56 people (40 pictures, 16 renderings) were taken for upright ones, chin for
forehead; with this lead, 5 are. Upright, a wrong turn led 3 of them, by 0.43 at most.
"""
BOX_EYES = ((0.297, 0.412), (0.707, 0.412))
"""Where the cascade's box has its eyes on average; used where the eyes are not seen (measured on rendered faces)."""


@dataclass(frozen=True)
class CascadeDetector:
    """OpenCV's cascades. Without `check` only the largest upright face: they take too much for one to be generous.

    With it, a photo where none is surely upright and seen from the front is tried in other turns.
    """

    framing: Framing
    check: Check | None = None

    @property
    def name(self) -> str:
        """Its kind, as manifests call it."""
        return "opencv-haar"

    @property
    def turning(self) -> Turning:
        """Which scores let a photo be taken for turned."""
        return TURNING

    def largest(self, photo: Photo) -> FoundFace:
        """The largest upright face of a photo. Raises NoFaceFound, FaceTooSmall."""
        return protectable(self._largest(photo), photo)

    def all(self, photo: Photo, smallest_share: float = SMALLEST_SHARE, may_be_turned: bool = True) -> list[FoundFace]:
        """All faces, as `Detector` says; what `largest` returns is among them, if `check` agrees."""
        faces = self.as_it_lies(photo, smallest_share)
        return try_turned(photo, faces, self, smallest_share) if self.check is not None and may_be_turned else faces

    def as_it_lies(self, photo: Photo, smallest_share: float) -> list[FoundFace]:
        """All faces that are upright, or lean, in the photo as it is."""
        copy, scale = bounded(photo, GROUP_SEARCH_PX)
        surest = self._largest(copy)
        small, _, margin = padded(copy, GROUP_SEARCH_PX, 16)
        finds: list[Find] = []
        if self.check is not None:
            finds = _generous_search(small, margin, max(SMALLEST_BOX_PX, round(smallest_share * max(copy.shape))))
        looks = self._look(copy, [to_photo(find, 1.0, margin, self.framing) for find in finds], CONFIRMED_SCORE)
        others = [(score, face) for score, face in looks if score >= ALONE_SCORE or _is_confirmed(face, looks, surest)]
        kept = distinct(self._surest(copy, surest) + others)
        return told(photo, kept + _profiles(copy, self.framing, kept, smallest_share), scale)

    def surest(self, photo: Photo) -> float:
        """The most that `check` sees of the largest upright face; 0 without."""
        face = self._largest(photo)
        return 0.0 if face is None else max((score for score, _ in self._look(photo, [face], 0.0)), default=0.0)

    def _largest(self, photo: Photo) -> FoundFace | None:
        """The largest upright face, of any size."""
        small, scale, margin = padded(photo, SEARCH_PX)
        found = _cascade_face(small, margin)
        return None if found is None else to_photo(found, scale, margin, self.framing)

    def _look(
        self, photo: Photo, faces: Sequence[FoundFace], least: float = FACE_SCORE
    ) -> list[tuple[float, FoundFace]]:
        """Faces to which `check` gives the least score or more, with it; without one all of them."""
        looks = [(3.0, face) for face in faces] if self.check is None else self.check(photo, faces)
        return [(score, replace(face, score=score)) for score, face in looks if score >= least]

    def _surest(self, photo: Photo, face: FoundFace | None) -> list[tuple[float, FoundFace]]:
        """What `largest` returns, before all others, unless it is a mistake: nobody wants make-up on a wall."""
        if face is None:
            return []
        looks = self._look(photo, [face])
        moved = [better if abs(better.roll_deg - face.roll_deg) > TURN_DEG else face for _, better in looks]
        return [(math.inf, replace(kept, score=score)) for (score, _), kept in zip(looks, moved, strict=True)]


def _cascade_face(small: Photo, margin: int) -> Find | None:
    """The largest upright face that OpenCV's cascades find, with its eyes."""
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    box = _largest_box(grey, margin) or _largest_box(calm_eyes(small), margin)
    return None if box is None else Find(box, *eyes_in(grey, box))


def _largest_box(grey: NDArray[Any], margin: int) -> Box | None:
    """The largest face box whose middle lies inside the padded grey photo."""
    smallest = max(24, min(grey.shape) // 12)
    for cascade, neighbours in (("frontalface_alt2", 3), ("frontalface_default", 5)):
        found = boxes(grey, cascade, 1.08, neighbours, smallest)
        inside = [box for box in found if covers(box, margin, grey.shape)]
        if inside:
            return max(inside, key=lambda found: found[2])
    return None


def _generous_search(small: Photo, margin: int, smallest_px: int) -> list[Find]:
    """Everything that looks a little like a face, upright or leaning, its eyes where they usually are."""
    finds = []
    picture = calm_eyes(small, share=0.005)
    for lean, (times, steps) in LEANS_DEG.items():
        upright, back = turned(picture, lean)
        found = all_boxes(upright, "frontalface_alt2", steps, round(times * smallest_px))
        finds += [_turned_back(box, back) for box in found]
    return inside(finds, margin, small)


def _turned_back(box: Box, back: NDArray[np.float64]) -> Find:
    """A find in a turned copy, as it lies in the copy that was not turned."""
    x, y, w, h = box
    middle = back @ [x + w / 2, y + h / 2, 1]
    left, right = (back @ [*eye, 1] for eye in usual_eyes(box))
    return Find((round(middle[0] - w / 2), round(middle[1] - h / 2), w, h), left, right)


def _is_confirmed(face: FoundFace, looks: Sequence[tuple[float, FoundFace]], surest: FoundFace | None) -> bool:
    """Whether another search found the face, too, in that place and size: a big box around it says nothing."""
    others = [other for _, other in looks if other is not face] + ([surest] if surest else [])
    return any(apart(face, other) < SAME_FACE * min(face.box[2], other.box[2]) for other in others)


def _profiles(photo: Photo, framing: Framing, known: Sequence[FoundFace], smallest_share: float) -> list[FoundFace]:
    """Faces that only the profile cascade sees; their eyes are where a frontal face has them."""
    small, scale, margin = padded(photo, PROFILE_SEARCH_PX)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    smallest_px = max(24, min(grey.shape) // 12, round(smallest_share * max(photo.shape) * scale))
    found = profile_boxes(grey, 1.1, 10, smallest_px)
    finds = inside([Find(box, *usual_eyes(box)) for box in found], margin, small)
    seen = distinct([(0.0, to_photo(find, scale, margin, framing)) for find in finds])
    return [replace(face, code="face_in_profile") for face in seen if not any(is_same(face, o) for o in known)]


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
