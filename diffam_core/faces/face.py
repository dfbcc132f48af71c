"""A found face, cut out the way every network here expects it (upright, eyes in their place), and pasted back."""

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from diffam_core.faces.framing import Framing
from diffam_core.images import Photo

SMALLEST_EYE_DISTANCE_PX = 12.0
"""Below this the portrait holds fewer pixels than the smallest bundle's networks look at."""
MOST_TIMES = 16
"""How much finer than a portrait its cut is at most; the sum of 16 x 16 bytes still fits into 16 bits."""
FACE_CODES = {
    "face_too_small": "The face has too few pixels to carry make-up.",
    "face_in_profile": "The face is seen from the side, where make-up cannot be laid on reliably.",
}
"""Why a face is reported and left alone, by code."""
FACE_NOTES = {
    "face_cut_off": "A part of the face lies outside the photo.",
    "face_overlaps": "Another face is so near that the two may hide each other.",
    "face_marked": "Somebody marked the eyes of this face by hand.",
    "face_turned": "The face lies on its side or on its head, as in a photo that was not turned upright.",
    "photo_without_colour": "The photo is grey or of one tone: the make-up is light and dark only.",
    "photo_faint": "The photo has little contrast or colour here: the make-up is as faint, and protects less.",
}
"""What to know about a face that may be protected nevertheless."""


@dataclass(frozen=True)
class FoundFace:
    """A face: detector's `box` (x, y, width, height) and both eye centres, in photo pixels.

    left_eye: the one on the left of the picture, when the face is held upright.
    framing: of the portraits that are cut out of it.  code: why it is left alone (`FACE_CODES`), or None.
    notes: of `FACE_NOTES`.  others: further landmarks, where the detector gives them: nose and mouth corners.
    score: how sure the detector is of it, on its own scale.
    """

    box: tuple[int, int, int, int]
    left_eye: tuple[float, float]
    right_eye: tuple[float, float]
    framing: Framing
    code: str | None = None
    notes: tuple[str, ...] = ()
    others: dict[str, tuple[float, float]] = field(default_factory=dict, hash=False)
    score: float = field(default=0.0, compare=False)

    @property
    def is_protectable(self) -> bool:
        """Whether nothing speaks against laying make-up on it."""
        return self.code is None

    @property
    def landmarks(self) -> dict[str, tuple[float, float]]:
        """Points by name, in photo pixels: both eyes, and what else the detector saw."""
        return {"left_eye": self.left_eye, "right_eye": self.right_eye, **self.others}

    @property
    def eye_middle(self) -> tuple[float, float]:
        """The point between the eyes."""
        return (self.left_eye[0] + self.right_eye[0]) / 2, (self.left_eye[1] + self.right_eye[1]) / 2

    @property
    def eye_distance_px(self) -> float:
        """Distance between the eye centres."""
        return float(np.hypot(self.right_eye[0] - self.left_eye[0], self.right_eye[1] - self.left_eye[1]))

    @property
    def roll_deg(self) -> float:
        """How far the head leans; positive is clockwise."""
        across = np.subtract(self.right_eye, self.left_eye)
        return float(np.degrees(np.arctan2(across[1], across[0])))

    @property
    def side_px(self) -> float:
        """Side of the portrait square in photo pixels."""
        return self.eye_distance_px / self.framing.eye_distance


def scale_face(face: FoundFace, factor: float) -> FoundFace:
    """The same face in a photo scaled by `factor`."""
    return _moved(face, factor, (0, 0))


def shift_face(face: FoundFace, x: int, y: int) -> FoundFace:
    """The same face in a photo whose corner lies `x` and `y` pixels further left and up."""
    return _moved(face, 1.0, (x, y))


def _moved(face: FoundFace, factor: float, shift: tuple[int, int]) -> FoundFace:
    def moved(point: tuple[float, float]) -> tuple[float, float]:
        return (point[0] + 0.5) * factor - 0.5 + shift[0], (point[1] + 0.5) * factor - 0.5 + shift[1]

    x, y, width, height = (round(value * factor) for value in face.box)
    return replace(
        face,
        box=(x + shift[0], y + shift[1], width, height),
        left_eye=moved(face.left_eye),
        right_eye=moved(face.right_eye),
        others={name: moved(point) for name, point in face.others.items()},
    )


def portrait_transform(face: FoundFace, size_px: int) -> NDArray[np.float64]:
    """The similarity `(2, 3)` that carries photo pixel centres to those of a `size_px` portrait."""
    left, right = np.array(face.left_eye), np.array(face.right_eye)
    middle, across = (left + right) / 2, right - left
    scale = size_px * face.framing.eye_distance / np.hypot(*across)
    cos, sin = across / np.hypot(*across) * scale
    rotation = np.array([[cos, sin], [-sin, cos]])
    place = np.array(face.framing.eye_middle) * size_px - 0.5
    return np.hstack([rotation, (place - rotation @ middle)[:, None]])


def native_px(face: FoundFace, size_px: int) -> int:
    """The multiple of `size_px` nearest to the face's own resolution, at most `MOST_TIMES`."""
    return size_px * min(MOST_TIMES, max(1, round(face.side_px / size_px)))


def cut_portrait(photo: Photo, face: FoundFace, size_px: int) -> Float[Tensor, "1 3 {size_px} {size_px}"]:
    """The portrait in [-1, 1]: warped at about its own resolution, then averaged down."""
    warped_px = native_px(face, size_px)
    transform = portrait_transform(face, warped_px)
    warped = cv2.warpAffine(
        photo, transform, (warped_px, warped_px), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    ).astype(np.uint8, copy=False)
    times = warped_px // size_px
    rows = warped.reshape(size_px, times, 3 * warped_px).sum(axis=1, dtype=np.uint16)
    parts = rows.reshape(size_px, size_px, times, 3)  # whole numbers: exact, and quicker than averaging floats
    sums = sum(parts[:, :, part] for part in range(times))
    portrait = (sums / (127.5 * times**2) - 1).astype(np.float32)
    return torch.from_numpy(np.ascontiguousarray(portrait.transpose(2, 0, 1)[None]))


def stack_portraits(
    photos: list[Photo], faces: list[FoundFace], size_px: int
) -> Float[Tensor, "faces 3 {size_px} {size_px}"]:
    """Portraits of several photos as one batch."""
    return torch.cat([cut_portrait(photo, face, size_px) for photo, face in zip(photos, faces, strict=True)])
