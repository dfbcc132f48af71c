"""YuNet through OpenCV, for bundles that bring its ONNX file: faces with eyes, also turned and half hidden ones."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

LEAST_SCORE = 0.7
Box = tuple[int, int, int, int]
Point = NDArray[np.float64]


def open_yunet(file: Path) -> cv2.FaceDetectorYN:
    """The detector of an ONNX file. Raises ValueError when OpenCV cannot read it."""
    try:
        return cv2.FaceDetectorYN.create(str(file), "", (320, 320), LEAST_SCORE)
    except cv2.error as error:
        raise ValueError(f"{file.name} is not a face detector: {error}") from error


def yunet_faces(detector: cv2.FaceDetectorYN, picture: NDArray[Any]) -> list[tuple[Box, Point, Point]]:
    """Boxes with both eye centres, image left first, in pixels of an RGB picture.

    A row of the detector is x, y, width, height, then the person's right eye, left eye, nose and mouth corners.
    """
    height, width = picture.shape[:2]
    detector.setInputSize((width, height))
    _, rows = detector.detect(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    found = []
    for row in [] if rows is None else rows.astype(np.float64):
        x, y, w, h = (round(value) for value in row[:4])
        left, right = sorted((row[4:6], row[6:8]), key=lambda eye: float(eye[0]))
        found.append(((x, y, w, h), left, right))
    return found
