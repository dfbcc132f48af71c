"""YuNet through OpenCV, for bundles that bring its ONNX file: faces with eyes, also turned and half hidden ones."""

import math
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from diffam_core.faces.detection import (
    GROUP_SEARCH_PX,
    SEARCH_PX,
    SMALLEST_SHARE,
    Find,
    bounded,
    distinct,
    inside,
    padded,
    protectable,
    to_photo,
    told,
)
from diffam_core.faces.face import FoundFace
from diffam_core.faces.framing import Framing
from diffam_core.images import Photo

LEAST_SCORE = 0.7
_ONE_AT_A_TIME = threading.Lock()
"""A detector keeps the picture's size between two calls, so threads that share it take turns."""


@dataclass(frozen=True)
class YunetDetector:
    """YuNet: it needs no second look, and finds leaning heads by itself; a photo is searched as it lies."""

    framing: Framing
    network: cv2.FaceDetectorYN

    def largest(self, photo: Photo) -> FoundFace:
        """The largest face of a photo. Raises NoFaceFound, FaceTooSmall."""
        return protectable(self._largest(photo), photo)

    def all(self, photo: Photo, smallest_share: float = SMALLEST_SHARE, may_be_turned: bool = True) -> list[FoundFace]:
        """All faces, as `Detector` says; the network has a smallest size of its own."""
        del smallest_share, may_be_turned
        copy, scale = bounded(photo, GROUP_SEARCH_PX)
        surest = self._largest(copy)
        small, _, margin = padded(copy, GROUP_SEARCH_PX, 16)
        seen = [to_photo(find, 1.0, margin, self.framing) for find in self._search(small, margin)]
        first = [] if surest is None else [(math.inf, surest)]
        return told(photo, distinct(first + [(0.0, face) for face in seen]), scale)

    def _largest(self, photo: Photo) -> FoundFace | None:
        small, scale, margin = padded(photo, SEARCH_PX)
        found = max(self._search(small, margin), key=lambda find: find.box[2], default=None)
        return None if found is None else to_photo(found, scale, margin, self.framing)

    def _search(self, small: Photo, margin: int) -> list[Find]:
        return inside(yunet_faces(self.network, small), margin, small)


def open_yunet(file: Path) -> cv2.FaceDetectorYN:
    """The detector of an ONNX file. Raises ValueError when OpenCV cannot read it."""
    try:
        return cv2.FaceDetectorYN.create(str(file), "", (320, 320), LEAST_SCORE)
    except cv2.error as error:
        raise ValueError(f"{file.name} is not a face detector: {error}") from error


def yunet_faces(detector: cv2.FaceDetectorYN, picture: NDArray[Any]) -> list[Find]:
    """Faces with eyes, nose and mouth corners in an RGB picture.

    A row of the detector is x, y, width, height, then the person's right eye, left eye, nose and mouth corners.
    """
    height, width = picture.shape[:2]
    with _ONE_AT_A_TIME:
        detector.setInputSize((width, height))
        _, rows = detector.detect(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    found = []
    for row in [] if rows is None else rows.astype(np.float64):
        x, y, w, h = (round(value) for value in row[:4])
        left, right = sorted((row[4:6], row[6:8]), key=lambda eye: float(eye[0]))
        left_mouth, right_mouth = sorted((row[10:12], row[12:14]), key=lambda corner: float(corner[0]))
        others = {"nose": row[8:10], "left_mouth": left_mouth, "right_mouth": right_mouth}
        found.append(Find((x, y, w, h), left, right, others))
    return found
