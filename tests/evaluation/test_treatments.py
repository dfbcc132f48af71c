"""Treatments change what they say and nothing else."""

import numpy as np
import pytest

from diffam_core.faces.face import FoundFace, cut_portrait, scale_face
from diffam_core.images import Photo
from evaluation.judge import views_of
from evaluation.subjects import Subjects
from evaluation.treatments import TREATMENTS

FACE = FoundFace((100, 100, 200, 200), (150.0, 180.0), (250.0, 180.0))


@pytest.fixture
def photo(subjects: Subjects) -> Photo:
    return subjects.photos[0]


def test_the_clean_treatment_is_the_file_itself(photo: Photo) -> None:
    assert TREATMENTS["clean"].photo(photo) is photo
    assert TREATMENTS["clean"].face(FACE) == FACE


@pytest.mark.parametrize("name", ["jpeg75", "jpeg50", "blur"])
def test_a_treatment_of_pixels_keeps_the_size(name: str, photo: Photo) -> None:
    treated = TREATMENTS[name].photo(photo)
    assert treated.shape == photo.shape
    assert treated.dtype == np.uint8
    assert (treated != photo).any()


def test_jpeg_50_costs_more_than_jpeg_75(photo: Photo) -> None:
    errors = [np.abs(TREATMENTS[n].photo(photo).astype(int) - photo).mean() for n in ("jpeg75", "jpeg50")]
    assert 0 < errors[0] < errors[1]


@pytest.mark.parametrize(("name", "factor"), [("half", 0.5), ("screenshot", 0.75)])
def test_the_face_is_cut_from_the_same_place_of_a_smaller_photo(name: str, factor: float, subjects: Subjects) -> None:
    photo, face = subjects.photos[0], subjects.faces[0]
    treated = TREATMENTS[name].photo(photo)
    assert treated.shape[1] == round(photo.shape[1] * factor)
    before = cut_portrait(photo, face, 64)
    after = cut_portrait(treated, scale_face(face, factor), 64)
    assert float((before - after).abs().mean()) < 0.03


def test_an_off_centre_crop_moves_the_face(subjects: Subjects) -> None:
    straight, off = (views_of(subjects.photos, subjects.faces, TREATMENTS[name], 64) for name in ("clean", "recrop"))
    assert float((straight - off).abs().mean()) > 0.03
