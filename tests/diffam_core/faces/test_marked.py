"""Faces that were marked by hand have a place, a number and a note like others."""

import numpy as np
import pytest

from diffam_core.faces.face import FoundFace
from diffam_core.faces.framing import Framing
from diffam_core.faces.landmarks import is_profile, lean_deg
from diffam_core.faces.marked import mark_faces, usual_face

FRAMING = Framing((0.5, 0.46), 0.28)
PHOTO = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
FOUND = [
    FoundFace((200, 100, 96, 96), (228.0, 136.0), (268.0, 136.0), FRAMING),
    FoundFace((20, 20, 72, 72), (41.0, 47.0), (71.0, 47.0), FRAMING),
]


def test_a_marked_face_is_numbered_on_and_says_so() -> None:
    faces, marked = mark_faces(PHOTO, FOUND, [((100.0, 220.0), (140.0, 220.0))], FRAMING)
    assert (faces[:2], marked) == (FOUND, (2,))
    assert (faces[2].left_eye, faces[2].right_eye, faces[2].framing) == ((100.0, 220.0), (140.0, 220.0), FRAMING)
    assert "face_marked" in faces[2].notes
    assert faces[2].is_protectable


def test_a_mark_where_a_face_was_found_corrects_that_one() -> None:
    faces, marked = mark_faces(PHOTO, FOUND, [((44.0, 50.0), (74.0, 50.0))], FRAMING)
    assert (len(faces), faces[0], marked) == (2, FOUND[0], (1,))
    assert faces[1].left_eye == (44.0, 50.0)


def test_a_face_that_is_marked_twice_is_one() -> None:
    marks = [((100.0, 220.0), (140.0, 220.0)), ((101.0, 221.0), (141.0, 220.0))]
    faces, marked = mark_faces(PHOTO, FOUND, marks, FRAMING)
    assert (len(faces), marked) == (3, (2,))


def test_nothing_is_marked_without_marks() -> None:
    assert mark_faces(PHOTO, FOUND, [], FRAMING) == (FOUND, ())


@pytest.mark.parametrize("lean", [-40, 0, 25])
def test_nose_and_mouth_lean_with_the_eyes_and_the_box_is_around_them(lean: float) -> None:
    across = 20 * np.array([np.cos(np.radians(lean)), np.sin(np.radians(lean))])
    middle = np.array([200.0, 150.0])
    left, right = ((float(x), float(y)) for x, y in (middle - across, middle + across))
    face = usual_face(left, right, FRAMING)
    assert lean_deg(face) == pytest.approx(lean, abs=1)
    assert not is_profile(face)
    x, y, width, height = face.box
    assert all(x < px < x + width and y < py < y + height for px, py in face.landmarks.values())
    assert width == height == 96
