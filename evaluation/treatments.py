"""What happens to a finished photo before somebody looks at it: re-encoding, rescaling, another aligner's crop."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from diffam_core.faces import FoundFace
from diffam_core.images import Photo, decode_photo, encode_photo


def _keep(photo: Photo) -> Photo:
    return photo


def _in_place(face: FoundFace) -> FoundFace:
    return face


@dataclass(frozen=True)
class Treatment:
    """What it imitates, what it does to the photo, and where the observer's aligner then puts the face."""

    title: str
    photo: Callable[[Photo], Photo] = _keep
    face: Callable[[FoundFace], FoundFace] = _in_place


def _scaled(photo: Photo, factor: float, interpolation: int) -> Photo:
    return cv2.resize(photo, None, fx=factor, fy=factor, interpolation=interpolation).astype(np.uint8)


def _jpeg(quality: int) -> Callable[[Photo], Photo]:
    return lambda photo: decode_photo(encode_photo(photo, "jpeg", quality))


def _screenshot(photo: Photo) -> Photo:
    """Shown smaller than it is, grabbed, saved."""
    return _jpeg(80)(_scaled(photo, 0.75, cv2.INTER_LINEAR))


def _off_centre(face: FoundFace) -> FoundFace:
    """Eyes taken 3 % of the crop too far right, 2 % too low and 4 % too far apart."""
    right, down, wider = 0.03 * face.side_px, 0.02 * face.side_px, 0.02 * face.eye_distance_px
    (left_x, left_y), (right_x, right_y) = face.left_eye, face.right_eye
    return replace(
        face,
        left_eye=(left_x + right - wider, left_y + down),
        right_eye=(right_x + right + wider, right_y + down),
    )


TREATMENTS = {
    "clean": Treatment("the finished file"),
    "jpeg75": Treatment("JPEG, quality 75", _jpeg(75)),
    "jpeg50": Treatment("JPEG, quality 50", _jpeg(50)),
    "half": Treatment("half the size", lambda photo: _scaled(photo, 0.5, cv2.INTER_AREA)),
    "blur": Treatment("Gaussian blur, 1.5 px", lambda photo: cv2.GaussianBlur(photo, (0, 0), 1.5).astype(np.uint8)),
    "screenshot": Treatment("shown at 75 %, JPEG 80", _screenshot),
    "recrop": Treatment("off-centre crop", face=_off_centre),
}


def scale_face(face: FoundFace, factor: float) -> FoundFace:
    """The same face in a photo scaled by `factor`."""

    def moved(eye: tuple[float, float]) -> tuple[float, float]:
        return (eye[0] + 0.5) * factor - 0.5, (eye[1] + 0.5) * factor - 0.5

    x, y, width, height = (round(value * factor) for value in face.box)
    return replace(face, box=(x, y, width, height), left_eye=moved(face.left_eye), right_eye=moved(face.right_eye))
