"""YuNet's contract with OpenCV: a made-up network with its outputs fires at one place, and the face is found there.

The published network itself is not at hand; what is tested is everything around it.
"""

from pathlib import Path

import numpy as np
import pytest

from diffam_core.errors import NoFaceFound
from diffam_core.faces.framing import Framing
from diffam_core.faces.yunet import Yunet, YunetDetector
from model_store.rendered.renderer import FRAMING
from tests.diffam_core.faces.made_up_yunet import CELL_PX, write_detector, write_network


@pytest.fixture
def detector_file(tmp_path: Path) -> Path:
    return write_detector(tmp_path / "detector.onnx")


def test_a_face_has_its_box_and_eyes_in_the_photos_own_pixels(detector_file: Path) -> None:
    framing = Framing((0.5, 0.4), 0.25)
    face = YunetDetector(framing, Yunet(detector_file)).largest(np.zeros((72, 72, 3), np.uint8))
    assert face.left_eye == pytest.approx((4 * CELL_PX, 4 * CELL_PX))
    assert face.right_eye == pytest.approx((8 * CELL_PX, 4 * CELL_PX))
    assert face.box == (28, 20, 5 * CELL_PX, 5 * CELL_PX)
    assert face.side_px == pytest.approx(4 * CELL_PX / 0.25)


def test_landmarks_below_the_eyes_are_handed_on(detector_file: Path) -> None:
    (face,) = YunetDetector(FRAMING, Yunet(detector_file)).all(np.zeros((72, 72, 3), np.uint8))
    assert set(face.landmarks) == {"left_eye", "right_eye", "nose", "left_mouth", "right_mouth"}
    assert face.landmarks["left_mouth"][0] < face.landmarks["nose"][0] < face.landmarks["right_mouth"][0]
    assert face.landmarks["nose"][1] > face.left_eye[1]


def test_a_face_that_is_only_in_what_opencv_adds_to_a_photo_is_none(detector_file: Path) -> None:
    with pytest.raises(NoFaceFound):
        YunetDetector(FRAMING, Yunet(detector_file)).largest(np.zeros((24, 72, 3), np.uint8))


def test_a_file_that_is_no_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "detector.onnx"
    path.write_bytes(b"<html>not found</html>")
    with pytest.raises(ValueError, match=r"detector\.onnx is not a face detector"):
        Yunet(path)


def test_a_network_that_finds_no_faces_is_refused_when_it_is_opened(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"other\.onnx is not a face detector"):
        Yunet(write_network(tmp_path / "other.onnx", {"class": np.zeros(10, np.float32)}))
