"""YuNet through OpenCV, for bundles that bring its ONNX file: faces with eyes, also turned and half hidden ones."""

import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from diffam_core.faces.cascades import Find

LEAST_SCORE = 0.7
_ONE_AT_A_TIME = threading.Lock()
"""A detector keeps the picture's size between two calls, so threads that share it take turns."""


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
