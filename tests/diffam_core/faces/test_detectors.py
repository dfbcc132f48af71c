"""What `Detector` promises, of every kind of detector that there is."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from diffam_core.errors import FaceTooSmall, NoFaceFound
from diffam_core.faces.cascades import CascadeDetector
from diffam_core.faces.detection import Detector, is_same, protectable, shared
from diffam_core.faces.face import FoundFace
from diffam_core.faces.framing import Framing
from diffam_core.faces.yunet import Yunet, YunetDetector
from diffam_core.images import Photo
from model_store.rendered.scenes import demo_scene
from tests.diffam_core.faces.made_up_yunet import write_detector

FRAMING = Framing((0.5, 0.4), 0.3)
Shown = tuple[Detector, Photo, Photo]
"""A detector, a photo in which it sees one face, and one in which it sees none."""


def believing(_: Photo, faces: Sequence[FoundFace]) -> list[tuple[float, FoundFace]]:
    return [(3.0, face) for face in faces]


def cascades(_: Path) -> Shown:
    return CascadeDetector(FRAMING), np.array(demo_scene(seed=0, size=256)), np.full((90, 120, 3), 90, np.uint8)


def checked_cascades(folder: Path) -> Shown:
    return CascadeDetector(FRAMING, believing), *cascades(folder)[1:]


def yunet(folder: Path) -> Shown:
    detector = YunetDetector(FRAMING, Yunet(write_detector(folder / "detector.onnx")))
    return detector, np.full((72, 72, 3), 90, np.uint8), np.full((24, 40, 3), 90, np.uint8)


@pytest.fixture(params=[cascades, checked_cascades, yunet])
def shown(request: pytest.FixtureRequest, tmp_path: Path) -> Shown:
    open_kind: Callable[[Path], Shown] = request.param
    return open_kind(tmp_path)


def test_a_kind_of_detector_is_one(shown: Shown) -> None:
    assert isinstance(shown[0], Detector)


def test_a_single_face_is_the_same_for_both_questions_and_framed_as_the_bundle_wants(shown: Shown) -> None:
    detector, photo, _ = shown
    (face,) = detector.all(photo, may_be_turned=False)
    largest = detector.largest(photo)
    assert (face.box, face.left_eye, face.right_eye) == (largest.box, largest.left_eye, largest.right_eye)
    assert face.framing == largest.framing == detector.framing == FRAMING
    assert face.left_eye[0] < face.right_eye[0]


def test_a_photo_without_a_face_is_told_by_its_size_or_by_nothing(shown: Shown) -> None:
    detector, _, nobody = shown
    height, width = nobody.shape[:2]
    with pytest.raises(NoFaceFound, match=f"{width} x {height}"):
        detector.largest(nobody)
    assert detector.all(nobody) == []


def test_finding_leaves_the_photo_as_it_was_and_finds_the_same_again(shown: Shown) -> None:
    detector, photo, _ = shown
    before = photo.copy()
    assert detector.all(photo) == detector.all(photo)
    assert np.array_equal(photo, before)


def face_at(x: float, y: float, width: int, distance: float = 20.0) -> FoundFace:
    box = (round(x - width / 2), round(y - 0.4 * width), width, width)
    return FoundFace(box, (x - distance / 2, y), (x + distance / 2, y), FRAMING)


def test_a_face_whose_eyes_are_twelve_pixels_apart_has_room_and_no_smaller_one() -> None:
    photo = np.zeros((80, 100, 3), np.uint8)
    face = face_at(50, 40, 30, 12.0)
    assert protectable(face, photo) is face
    with pytest.raises(FaceTooSmall, match="12 needed"):
        protectable(face_at(50, 40, 30, 11.9), photo)


def test_two_finds_are_one_face_when_their_eyes_meet_or_one_holds_the_other() -> None:
    face = face_at(100, 100, 60)
    assert is_same(face, face_at(120, 100, 60))
    assert not is_same(face, face_at(140, 100, 60))
    assert is_same(face, face_at(100, 118, 20))


def test_boxes_share_what_the_smaller_one_has_of_the_other() -> None:
    assert shared((0, 0, 10, 10), (5, 5, 10, 10)) == 0.25
    assert shared((0, 0, 10, 10), (2, 2, 4, 4)) == 1
    assert shared((0, 0, 10, 10), (10, 0, 10, 10)) == 0
