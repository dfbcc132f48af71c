"""Whether a file is a face detector that OpenCV can run."""

from pathlib import Path

import cv2
import numpy as np

from model_store.errors import CheckpointDamaged

PROBE_PX = 64


def check_detector(path: Path) -> None:
    """Run it on an empty picture. Raises CheckpointDamaged."""
    try:
        detector = cv2.FaceDetectorYN.create(str(path), "", (PROBE_PX, PROBE_PX))
        detector.detect(np.zeros((PROBE_PX, PROBE_PX, 3), np.uint8))
    except cv2.error as error:
        raise CheckpointDamaged("OpenCV cannot run this as a YuNet face detector; download it again") from error
