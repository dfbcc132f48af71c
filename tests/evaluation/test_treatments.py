"""Treatments change what they say and nothing else."""

from dataclasses import replace
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from diffam_core.faces.cascades import CascadeDetector
from diffam_core.faces.face import FoundFace, cut_portrait, scale_face, stack_portraits
from diffam_core.faces.yunet import Yunet, YunetDetector
from diffam_core.images import Photo
from evaluation.judge import views_of
from evaluation.subjects import Subjects
from evaluation.treatments import SURVIVED, TREATMENTS, other_detector, treatments_of
from evaluation.washing import purified, wash
from model_store.bundle import Bundle
from protection.measuring.again import find_again
from protection.measuring.survival import PROFILES, treat


@pytest.fixture
def photo(subjects: Subjects) -> Photo:
    return subjects.photos[0]


def test_what_survives_is_what_the_service_measures(bundle: Bundle, subjects: Subjects, photo: Photo) -> None:
    for name in SURVIVED:
        (treated,) = TREATMENTS[name].alter(bundle, [photo], subjects.found[:1])
        assert np.array_equal(treated, treat(photo, PROFILES[name]))
    assert set(TREATMENTS) - set(SURVIVED) == {"clean", "washed", "recrop", "other_detector"}


def test_the_clean_treatment_is_the_file_itself_with_the_face_where_it_is_found(
    bundle: Bundle, subjects: Subjects, photo: Photo
) -> None:
    face = subjects.found[0]
    found = find_again(bundle.models, photo, face)
    assert found is not None
    seen = views_of(bundle, [photo], [face], {"clean": TREATMENTS["clean"]})
    assert torch.equal(seen["clean"], cut_portrait(photo, found, bundle.models.view_px))


def test_a_face_that_cannot_be_found_any_more_is_judged_where_it_was(bundle: Bundle, subjects: Subjects) -> None:
    known, nothing = subjects.found[0], np.zeros_like(subjects.photos[0])
    nothing[::7, ::5] = 255
    small, there = treat(nothing, PROFILES["half"]), scale_face(known, 0.5)
    seen = views_of(bundle, [small], [there], {"half": TREATMENTS["half"]})
    assert torch.equal(seen["half"], cut_portrait(small, there, bundle.models.view_px))


def test_an_off_centre_crop_moves_the_face(bundle: Bundle, subjects: Subjects) -> None:
    both = {name: TREATMENTS[name] for name in ("clean", "recrop")}
    straight, off = views_of(bundle, subjects.photos, subjects.found, both).values()
    assert float((straight - off).abs().mean()) > 0.03


def test_washing_moves_the_face_and_nothing_far_from_it(bundle: Bundle, subjects: Subjects, photo: Photo) -> None:
    (washed,) = wash(bundle, [photo], subjects.found[:1])
    changed = np.abs(washed.astype(int) - photo).max(axis=2)
    x, y, width, height = subjects.found[0].box
    assert changed[y : y + height, x : x + width].mean() > 1
    assert not changed[:, : max(0, x - width // 2)].any()


def test_washing_drowns_fine_noise_and_depends_on_nobody_s_company(bundle: Bundle, subjects: Subjects) -> None:
    portraits = stack_portraits(subjects.photos, subjects.found, bundle.models.portrait_px)
    noise = 0.1 * torch.randn(portraits.shape, generator=torch.Generator().manual_seed(1)).sign()
    with torch.inference_mode():
        plain, noisy, alone = (purified(bundle.models, each) for each in (portraits, portraits + noise, portraits[1:2]))
    assert float((noisy - plain).square().mean()) < 0.5 * float(noise.square().mean())
    assert torch.allclose(alone, plain[1:2], atol=1e-4)


def test_the_other_detector_is_the_one_that_a_bundle_does_not_use(bundle: Bundle) -> None:
    alone = replace(bundle, judges=None)
    assert other_detector(alone) is None
    assert "other_detector" not in treatments_of(alone)
    yunet = YunetDetector(bundle.models.detector.framing, Mock(spec=Yunet))
    assert isinstance(other_detector(replace(alone, models=replace(bundle.models, detector=yunet))), CascadeDetector)


def test_what_another_detector_finds_is_aligned_by_it(bundle: Bundle, subjects: Subjects) -> None:
    photo, face = subjects.photos[0], subjects.found[0]
    treatments = {name: TREATMENTS[name] for name in ("clean", "other_detector")}
    uses_yunet = replace(
        bundle,
        models=replace(bundle.models, detector=Blind(bundle.models.detector.framing, Mock(spec=Yunet))),
    )
    own, other = views_of(uses_yunet, [photo], [face], treatments).values()
    there = find_again(replace(bundle.models, detector=CascadeDetector(face.framing)), photo, face)
    assert there is not None
    assert torch.equal(own, cut_portrait(photo, face, bundle.models.view_px))
    assert torch.equal(other, cut_portrait(photo, there, bundle.models.view_px))


class Blind(YunetDetector):
    """Sees nobody."""

    def all(self, photo: Photo, smallest_share: float = 0, may_be_turned: bool = True) -> list[FoundFace]:
        del photo, smallest_share, may_be_turned
        return []
