"""Photos that lie on their side or on their head."""

from pathlib import Path

import numpy as np
import pytest

from diffam_core.faces.cascades import CascadeDetector
from diffam_core.faces.face import FoundFace, cut_portrait
from diffam_core.faces.turned import quarters_of, turn_back
from diffam_core.images import Photo, decode_photo
from model_store.bundle import Bundle
from model_store.rendered.renderer import FRAMING
from model_store.rendered.scenes import demo_scene
from protection.measuring.again import find_again
from protection.measuring.survival import PROFILES, treat

QUARTERS = (1, 2, 3)


def lying(photo: Photo, quarters: int) -> Photo:
    return np.ascontiguousarray(np.rot90(photo, quarters))


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_points_and_boxes_go_back_to_where_they_were(quarters: int) -> None:
    marks = np.zeros((40, 60), np.uint8)
    marks[5, 20], marks[6, 30], marks[9:14, 3:10] = 1, 2, 3
    turned = np.rot90(marks, quarters)
    ((y_1, x_1),), ((y_2, x_2),) = np.argwhere(turned == 1).tolist(), np.argwhere(turned == 2).tolist()
    rows, columns = np.nonzero(turned == 3)
    box = (int(columns.min()), int(rows.min()), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1)
    face = turn_back(FoundFace(box, (x_1, y_1), (x_2, y_2), FRAMING, others={"nose": (x_1, y_1)}), quarters, 60, 40)
    assert (face.left_eye, face.right_eye, face.others["nose"]) == ((20, 5), (30, 6), (20, 5))
    assert face.box == (3, 9, 7, 5)


@pytest.mark.parametrize("quarters", QUARTERS)
def test_a_face_that_lies_is_found_and_cut_out_as_upright(bundle: Bundle, quarters: int) -> None:
    photo = np.array(demo_scene(seed=0, size=320))[:, 15:300]
    (upright,) = bundle.models.detector.all(photo)
    turned = lying(photo, quarters)
    (face,) = bundle.models.detector.all(turned)
    assert face.notes == ("face_turned",)
    assert quarters_of(face) == (4 - quarters) % 4
    assert abs(cut_portrait(turned, face, 64) - cut_portrait(photo, upright, 64)).max() < 0.02
    again = find_again(bundle.models, treat(turned, PROFILES["jpeg75"]), face)
    assert again is not None
    assert np.hypot(*np.subtract(again.eye_middle, face.eye_middle)) < 0.1 * face.eye_distance_px


@pytest.mark.parametrize(
    "name", ["cases/turned90_no_exif.jpg", "cases/turned180_no_exif.jpg", "photos/astronaut_upside_down.jpg"]
)
def test_a_real_face_that_lies_is_found(bundle: Bundle, assets: Path, name: str) -> None:
    (face,) = bundle.models.detector.all(decode_photo((assets / name).read_bytes()))
    assert face.is_protectable
    assert "face_turned" in face.notes


def test_an_upright_photo_is_never_taken_for_a_turned_one(bundle: Bundle) -> None:
    photo = np.array(demo_scene(seed=0, size=320))
    faces = bundle.models.detector.all(photo)
    assert faces == bundle.models.detector.all(photo, may_be_turned=False)
    assert faces[0].notes == ()


def test_what_has_no_face_gets_none_by_turning(bundle: Bundle, assets: Path) -> None:
    """People cut below the mouth: cloth, hands, hair, background."""
    for seed in range(3):
        assert bundle.models.detector.all(np.array(demo_scene(seed, 320))[220:]) == []
    for path in sorted((assets / "people/ai").iterdir())[3:80:19]:
        photo = decode_photo(path.read_bytes())[::2, ::2]
        below = photo[round(0.62 * len(photo)) :]
        assert [face for face in bundle.models.detector.all(below) if "face_turned" in face.notes] == [], path.name


def test_without_a_parser_that_tells_faces_nothing_is_turned() -> None:
    turned = lying(np.array(demo_scene(seed=0, size=320)), 1)
    faces = CascadeDetector(FRAMING).all(turned)
    assert not [face for face in faces if "face_turned" in face.notes]
