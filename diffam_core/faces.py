"""A found face, cut out the way every network here expects it (upright, eyes in their place), and pasted back."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffam_core.framing import MINIATURE, Framing
from diffam_core.images import Photo

SMALLEST_EYE_DISTANCE_PX = 12.0
"""Below this the portrait holds fewer pixels than the smallest bundle's networks look at."""
MOST_TIMES = 16
"""How much finer than a portrait its cut is at most; the sum of 16 x 16 bytes still fits into 16 bits."""
STRIP_PX = 2**18
"""Large faces are pasted in strips of at most so many pixels: floats of one are 3 megabytes."""
FACE_CODES = {
    "face_too_small": "The face has too few pixels to carry make-up.",
    "face_in_profile": "The face is seen from the side, where make-up cannot be laid on reliably.",
}
"""Why a face is reported and left alone, by code."""
FACE_NOTES = {
    "face_cut_off": "A part of the face lies outside the photo.",
    "face_overlaps": "Another face is so near that the two may hide each other.",
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
    """

    box: tuple[int, int, int, int]
    left_eye: tuple[float, float]
    right_eye: tuple[float, float]
    framing: Framing = MINIATURE
    code: str | None = None
    notes: tuple[str, ...] = ()
    others: dict[str, tuple[float, float]] = field(default_factory=dict, hash=False)

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


def cut_portrait(photo: Photo, face: FoundFace, size_px: int) -> Tensor:
    """The portrait `(1, 3, size_px, size_px)` in [-1, 1]: warped at about its own resolution, then averaged down."""
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


def paste_change(photo: Photo, face: FoundFace, change: Tensor, out: Photo | None = None) -> Photo:
    """The photo with `change (3, s, s)` (in units of [-1, 1] portraits) added where the face is.

    Pixels whose change rounds to nothing keep their bytes.  out: where to write, instead of into a new copy; holds the
    photo already and may be the photo itself.
    """
    return paste_changes(photo, [(face, change)], out)


def paste_changes(photo: Photo, changes: Sequence[tuple[FoundFace, Tensor]], out: Photo | None = None) -> Photo:
    """The photo with every face's change added; `out` as in `paste_change`.

    Where changes c of several faces meet, `sum(c |c|) / sum(|c|)` is added: the larger one wins softly, so that nothing
    is doubled and no seam shows. A pixel that one change reaches gets exactly that one. Works in strips of rows.
    """
    result = photo.copy() if out is None else out
    layers = [(_Layer(face, change), _reach(face, photo)) for face, change in changes]
    for group in _groups(layers):
        left, top = (min(reach[i] for _, reach in group) for i in (0, 1))
        right, bottom = (max(reach[i] for _, reach in group) for i in (2, 3))
        rows = max(1, STRIP_PX // max(1, right - left))
        for start in range(top, bottom, rows):
            area = (left, start, right, min(start + rows, bottom))
            near = [layer for layer, reach in group if _meet(reach, area)]
            if near:
                part = result[area[1] : area[3], left:right]
                part[...] = cv2.add(_blended([layer.warped(area) for layer in near]), part, dtype=cv2.CV_8U)
    return result


Area = tuple[int, int, int, int]
"""Left, top, right and bottom in photo pixels; the last two lie outside."""


class _Layer:
    """A change with the transform from photo pixels to its own, ready to be warped part by part."""

    def __init__(self, face: FoundFace, change: Tensor) -> None:
        self._bytes = np.ascontiguousarray(change.detach().float().cpu().numpy().transpose(1, 2, 0)) * 127.5
        self._transform = portrait_transform(face, change.shape[-1])

    def warped(self, area: Area) -> NDArray[np.float32]:
        """The change of the photo's bytes on an area."""
        left, top, right, bottom = area
        transform = self._transform.copy()
        transform[:, 2] += transform[:, :2] @ [left, top]
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        warped = cv2.warpAffine(self._bytes, transform, (right - left, bottom - top), flags=flags)
        return warped.astype(np.float32, copy=False)


def _blended(changes: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """One change out of several, see `paste_changes`; each pixel that only one reaches has that one's exact value."""
    if len(changes) == 1:
        return changes[0]
    total, weight, squares, largest = (np.zeros_like(changes[0]) for _ in range(4))
    for change in changes:
        size = np.abs(change)
        total += change
        weight += size
        squares += change * size
        np.maximum(largest, size, out=largest)
    return np.where(largest == weight, total, squares / np.maximum(weight, 1e-12))


def _reach(face: FoundFace, photo: Photo) -> Area:
    """The area of a photo that a face's portrait covers."""
    height, width = photo.shape[:2]
    inverse = cv2.invertAffineTransform(portrait_transform(face, 1))
    corners = inverse @ np.array([[-0.5, 0.5, -0.5, 0.5], [-0.5, -0.5, 0.5, 0.5], [1, 1, 1, 1]], dtype=np.float64)
    left, top = np.clip(np.floor(corners.min(axis=1)).astype(int) - 1, 0, [width, height])
    right, bottom = np.clip(np.ceil(corners.max(axis=1)).astype(int) + 2, 0, [width, height])
    return int(left), int(top), int(right), int(bottom)


def _meet(one: Area, other: Area) -> bool:
    return all(max(one[i], other[i]) < min(one[i + 2], other[i + 2]) for i in (0, 1))


def _groups(layers: list[tuple[_Layer, Area]]) -> list[list[tuple[_Layer, Area]]]:
    """Layers that meet, directly or through others, together."""
    groups: list[list[tuple[_Layer, Area]]] = []
    for layer in layers:
        touched = [group for group in groups if any(_meet(layer[1], area) for _, area in group)]
        groups = [group for group in groups if group not in touched]
        groups.append([layer, *(member for group in touched for member in group)])
    return groups


def stack_portraits(photos: list[Photo], faces: list[FoundFace], size_px: int) -> Tensor:
    """Portraits of several photos as one batch."""
    return torch.cat([cut_portrait(photo, face, size_px) for photo, face in zip(photos, faces, strict=True)])
