"""Finds the face in a photo and cuts it out the way every network here expects it: upright, eyes in their place."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from diffam_core.errors import FaceTooSmall, NoFaceFound
from diffam_core.framing import MINIATURE, Framing
from diffam_core.images import Photo, to_portrait
from diffam_core.yunet import Box, Point, yunet_faces

SEARCH_PX = 720
"""Detection runs on a copy whose longer side has at most this many pixels."""
SMALLEST_EYE_DISTANCE_PX = 12.0
"""Below this the portrait holds fewer pixels than the smallest bundle's networks look at."""
BOX_EYES = ((0.297, 0.412), (0.707, 0.412))
"""Where the cascade's box has its eyes on average; used where the eyes are not seen (measured on rendered faces)."""


@dataclass(frozen=True)
class FoundFace:
    """A face: detector's `box` (x, y, width, height) and both eye centres, in photo pixels; left means image left.

    framing: of the portraits that are cut out of it.
    """

    box: tuple[int, int, int, int]
    left_eye: tuple[float, float]
    right_eye: tuple[float, float]
    framing: Framing = MINIATURE

    @property
    def eye_distance_px(self) -> float:
        """Distance between the eye centres."""
        return float(np.hypot(self.right_eye[0] - self.left_eye[0], self.right_eye[1] - self.left_eye[1]))

    @property
    def side_px(self) -> float:
        """Side of the portrait square in photo pixels."""
        return self.eye_distance_px / self.framing.eye_distance


@cache
def _cascade(name: str) -> cv2.CascadeClassifier:
    return cv2.CascadeClassifier(str(files("cv2.data").joinpath(f"haarcascade_{name}.xml")))


def _boxes(grey: NDArray[Any], cascade: str, neighbours: int) -> list[tuple[int, int, int, int]]:
    smallest = max(24, min(grey.shape) // 12)
    found = _cascade(cascade).detectMultiScale(grey, 1.08, neighbours, minSize=(smallest, smallest))
    return [(int(x), int(y), int(w), int(h)) for x, y, w, h in found]


def _eyes(grey: NDArray[Any], box: tuple[int, int, int, int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both eye centres in the pixels of `grey`: seen by the eye cascade if plausible, else where eyes usually are."""
    x, y, w, h = box
    corner, size = np.array([x, y]), np.array([w, h])
    usual = [corner + size * np.array(eye) for eye in BOX_EYES]
    top = grey[y + int(0.2 * h) : y + int(0.6 * h), x : x + w]
    scale = 160 / w
    enlarged = cv2.resize(top, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    seen = _cascade("eye").detectMultiScale(enlarged, 1.05, 4, minSize=(22, 22), maxSize=(64, 64))
    centres = [corner + np.array([(a + c / 2) / scale, 0.2 * h + (b + d / 2) / scale]) for a, b, c, d in seen]
    pair = []
    for place in usual:
        near = [centre for centre in centres if np.abs(centre - place).max() < 0.12 * w]
        if not near:
            return usual[0], usual[1]
        pair.append(np.mean(near, axis=0))
    return pair[0], pair[1]


def _calm_eyes(photo: Photo) -> NDArray[np.uint8]:
    """A grey picture in which eyes are darker than cheeks on dark skin too, as the cascades expect.

    Red light, where all skin is bright, without bright spots smaller than 2 % of the photo: the whites of the eyes.
    """
    width = max(2, round(0.02 * max(photo.shape)))
    spot = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    return cv2.morphologyEx(np.ascontiguousarray(photo[..., 0]), cv2.MORPH_OPEN, spot).astype(np.uint8)


def _search(grey: NDArray[Any], margin: int) -> tuple[int, int, int, int] | None:
    """The largest face box whose middle lies inside the padded grey photo."""
    for cascade, neighbours in (("frontalface_alt2", 3), ("frontalface_default", 5)):
        inside = [box for box in _boxes(grey, cascade, neighbours) if _covers(box, margin, grey.shape)]
        if inside:
            return max(inside, key=lambda found: found[2])
    return None


def _cascades(small: NDArray[Any], margin: int) -> tuple[Box, Point, Point] | None:
    """The largest face that OpenCV's cascades find, with its eyes."""
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    box = _search(grey, margin) or _search(_calm_eyes(small), margin)
    return None if box is None else (box, *_eyes(grey, box))


def find_face(photo: Photo, framing: Framing = MINIATURE, yunet: cv2.FaceDetectorYN | None = None) -> FoundFace:
    """The largest face of a photo. Raises NoFaceFound, FaceTooSmall.

    framing: of the portraits to be cut out of it.  yunet: the detector to use; OpenCV's cascades without one.
    """
    height, width = photo.shape[:2]
    scale = min(1.0, SEARCH_PX / max(height, width))
    small = photo if scale == 1 else cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    margin = max(small.shape) // 6
    small = cv2.copyMakeBorder(small, margin, margin, margin, margin, cv2.BORDER_REPLICATE).astype(np.uint8)
    if yunet is None:
        found = _cascades(small, margin)
    else:
        inside = [face for face in yunet_faces(yunet, small) if _covers(face[0], margin, small.shape)]
        found = max(inside, key=lambda face: face[0][2], default=None)
    if found is None:
        raise NoFaceFound(f"no face was found in this {width} x {height} photo")
    box = found[0]
    left, right = ((eye - margin) / scale for eye in found[1:])
    x, y, w, h = (round(v) for v in (np.array(box) - [margin, margin, 0, 0]) / scale)
    face = FoundFace((x, y, w, h), (float(left[0]), float(left[1])), (float(right[0]), float(right[1])), framing)
    if face.eye_distance_px < SMALLEST_EYE_DISTANCE_PX:
        raise FaceTooSmall(
            f"the eyes are {face.eye_distance_px:.0f} pixels apart, {SMALLEST_EYE_DISTANCE_PX:.0f} needed"
        )
    return face


def _covers(box: tuple[int, int, int, int], margin: int, shape: tuple[int, ...]) -> bool:
    """Whether a box found on the padded copy has its middle inside the photo itself."""
    x, y = box[0] + box[2] / 2, box[1] + box[3] / 2
    return margin <= x < shape[1] - margin and margin <= y < shape[0] - margin


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
    """The multiple of `size_px` nearest to the face's own resolution, at most 16 times."""
    return size_px * min(16, max(1, round(face.side_px / size_px)))


def cut_portrait(photo: Photo, face: FoundFace, size_px: int) -> Tensor:
    """The portrait `(1, 3, size_px, size_px)` in [-1, 1]: warped at about its own resolution, then averaged down."""
    warped_px = native_px(face, size_px)
    transform = portrait_transform(face, warped_px)
    warped = cv2.warpAffine(
        photo, transform, (warped_px, warped_px), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return functional.avg_pool2d(to_portrait(warped.astype(np.uint8)), warped_px // size_px)


def paste_change(photo: Photo, face: FoundFace, change: Tensor) -> Photo:
    """The photo with `change (3, s, s)` (in units of [-1, 1] portraits) added where the face is.

    Pixels whose change rounds to nothing keep their bytes.
    """
    height, width = photo.shape[:2]
    size = change.shape[-1]
    inverse = cv2.invertAffineTransform(portrait_transform(face, size))
    corners = inverse @ np.array([[0, size, 0, size], [0, 0, size, size], [1, 1, 1, 1]], dtype=np.float64)
    x_0, y_0 = np.maximum(np.floor(corners.min(axis=1)).astype(int) - 1, 0)
    x_1, y_1 = np.minimum(np.ceil(corners.max(axis=1)).astype(int) + 2, [width, height])
    inverse[:, 2] -= [x_0, y_0]
    layer = np.ascontiguousarray((change * 127.5).permute(1, 2, 0).detach().float().cpu().numpy())
    warped = cv2.warpAffine(layer, inverse, (int(x_1 - x_0), int(y_1 - y_0)), flags=cv2.INTER_LINEAR)
    result = photo.copy()
    region = result[y_0:y_1, x_0:x_1]
    region[...] = np.clip(np.rint(region + warped), 0, 255).astype(np.uint8)
    return result


def stack_portraits(photos: list[Photo], faces: list[FoundFace], size_px: int) -> Tensor:
    """Portraits of several photos as one batch."""
    return torch.cat([cut_portrait(photo, face, size_px) for photo, face in zip(photos, faces, strict=True)])
