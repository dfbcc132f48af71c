"""Treatments change what they say and nothing else."""

import numpy as np
import pytest
import torch

from diffam_core.faces.face import cut_portrait, scale_face
from diffam_core.images import Photo
from evaluation.judge import views_of
from evaluation.subjects import Subjects
from evaluation.treatments import TREATMENTS
from model_store.bundle import Bundle
from protection.again import find_again
from protection.survival import PROFILES, treat


@pytest.fixture
def photo(subjects: Subjects) -> Photo:
    return subjects.photos[0]


def test_what_survives_is_what_the_service_measures() -> None:
    survived = {name: treatment.profile for name, treatment in TREATMENTS.items() if treatment.profile is not None}
    assert survived == {name: PROFILES[name] for name in survived}
    assert set(TREATMENTS) - set(survived) == {"clean", "recrop"}


def test_the_clean_treatment_is_the_file_itself_with_the_face_where_it_is_found(
    bundle: Bundle, subjects: Subjects, photo: Photo
) -> None:
    face = subjects.found[0]
    found = find_again(bundle.models, photo, face)
    assert found is not None
    seen = views_of(bundle.models, [photo], [face], {"clean": TREATMENTS["clean"]})
    assert torch.equal(seen["clean"], cut_portrait(photo, found, bundle.models.view_px))


def test_a_face_that_cannot_be_found_any_more_is_judged_where_it_was(bundle: Bundle, subjects: Subjects) -> None:
    known, nothing = subjects.found[0], np.zeros_like(subjects.photos[0])
    nothing[::7, ::5] = 255
    seen = views_of(bundle.models, [nothing], [known], {"half": TREATMENTS["half"]})
    small = treat(nothing, PROFILES["half"])
    assert torch.equal(seen["half"], cut_portrait(small, scale_face(known, 0.5), bundle.models.view_px))


def test_an_off_centre_crop_moves_the_face(bundle: Bundle, subjects: Subjects) -> None:
    both = {name: TREATMENTS[name] for name in ("clean", "recrop")}
    straight, off = views_of(bundle.models, subjects.photos, subjects.found, both).values()
    assert float((straight - off).abs().mean()) > 0.03
