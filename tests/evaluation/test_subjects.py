"""Whom an evaluation measures: the faces that the service would protect."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from diffam_core.errors import NoFaceFound
from diffam_core.images import Photo, decode_photo
from evaluation.subjects import Dataset, Pair, Subjects, gather_subjects, save
from model_store.bundle import Bundle
from model_store.rendered.scenes import group_scene
from protection.plan import choose_faces


def _of(*photos: Photo) -> Dataset:
    def pairs(_seed: int, _folder: Path | None = None) -> Iterator[Pair]:
        yield from (Pair(photo, None) for photo in photos)

    return pairs


def _empty() -> Photo:
    return np.full((200, 300, 3), 90, dtype=np.uint8)


@pytest.fixture(scope="module")
def group() -> Photo:
    return group_scene(1, 640, 480, faces=3, tilt_deg=0, box_widths=(70, 160))[0]


@pytest.fixture(scope="module")
def measured(bundle: Bundle, group: Photo) -> Subjects:
    """The group behind a photo that shows nobody."""
    return gather_subjects(bundle.models, _of(_empty(), group), 5, 0, lambda *_: None)


def test_of_a_group_the_face_that_the_service_calls_the_largest_is_measured(
    bundle: Bundle, group: Photo, measured: Subjects
) -> None:
    found = bundle.models.detector.all(decode_photo(save(group)))
    assert len(found) > 1
    assert measured.found == [found[choose_faces(found, "largest").within[0]]]


def test_photos_are_the_files_that_others_would_upload(group: Photo, measured: Subjects) -> None:
    assert np.array_equal(measured.photos[0], decode_photo(save(group)))
    assert measured.other_files == [save(group)]


def test_people_without_a_face_are_left_out_and_counted(measured: Subjects) -> None:
    assert (len(measured.faces), measured.not_found) == (1, 1)


def test_a_dataset_without_faces_is_refused(bundle: Bundle) -> None:
    with pytest.raises(NoFaceFound, match="in any of 2 pairs"):
        gather_subjects(bundle.models, _of(_empty(), _empty()), 5, 0, lambda *_: None)


def test_the_first_people_keep_everything_of_theirs(subjects: Subjects) -> None:
    one = subjects.first(1)
    assert one.faces == subjects.faces[:1]
    assert (one.views.shape[0], one.others.shape[0], len(one.other_files)) == (1, 1, 1)
    assert one.own_match_against == "another photo"
