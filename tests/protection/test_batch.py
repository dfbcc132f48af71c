"""Faces share forward passes, and no face knows which others it shared them with."""

import pytest
import torch

from diffam_client.contract.wish import Wish
from diffam_core.generation import within
from diffam_core.images import Photo
from model_store.bundle import Bundle
from model_store.rendered.scenes import group_scene
from protection.batch import MAX_ROWS, Face, invert, wear
from protection.plan import Upload

STYLES = ("rose-aurora", "ember-bruno")


def _upload(bundle: Bundle, photo: Photo, *chosen: int) -> Upload:
    return Upload(Wish(reference_id="rose"), photo, None, bundle.models.detector.all(photo), chosen, (), 0.0)


@pytest.fixture(scope="module")
def uploads(bundle: Bundle) -> list[Upload]:
    """Two photos: two faces of the first, one of the second."""
    first, second = (group_scene(seed, 640, 480, faces=2, tilt_deg=0, box_widths=(90, 160))[0] for seed in (1, 4))
    return [_upload(bundle, first, 1, 0), _upload(bundle, second, 0)]


@pytest.fixture(scope="module")
def faces(bundle: Bundle, uploads: list[Upload]) -> list[Face]:
    return invert(bundle.models, uploads)


def test_faces_come_back_in_the_order_in_which_they_were_chosen(faces: list[Face], uploads: list[Upload]) -> None:
    first, second = uploads
    assert [(face.upload, face.index) for face in faces] == [(first, 1), (first, 0), (second, 0)]
    assert [face.found for face in faces] == [first.found[1], first.found[0], second.found[0]]


def test_a_face_is_inverted_as_it_would_be_alone(bundle: Bundle, faces: list[Face], uploads: list[Upload]) -> None:
    (alone,) = invert(bundle.models, uploads[1:])
    assert torch.allclose(alone.latent, faces[2].latent, atol=1e-4)
    assert torch.allclose(alone.reconstruction, faces[2].reconstruction, atol=1e-3)
    assert torch.allclose(alone.regions, faces[2].regions, atol=1e-4)


def test_residuals_come_back_in_order_whichever_style_they_are_of(bundle: Bundle, faces: list[Face]) -> None:
    rose, ember = STYLES
    asked = [(faces[0], rose, 1.0), (faces[1], ember, 0.5), (faces[2], rose, 0.5), (faces[0], ember, 1.0)]
    together = wear(bundle.models, asked)
    for one, residual in zip(asked, together, strict=True):
        (alone,) = wear(bundle.models, [one])
        assert torch.allclose(alone, residual, atol=1e-3)
    assert not torch.allclose(together[0], together[3], atol=1e-2)


def test_no_strength_is_no_residual_to_the_last_bit(bundle: Bundle, uploads: list[Upload]) -> None:
    (alone,) = invert(bundle.models, uploads[1:])
    (residual,) = wear(bundle.models, [(alone, STYLES[0], 0.0)])
    assert not residual.any()


def test_more_rows_than_fit_into_a_pass_take_several_and_count_on(bundle: Bundle, faces: list[Face]) -> None:
    steps: list[tuple[int, int]] = []
    rows = [(faces[0], STYLES[0], 1.0)] * (MAX_ROWS + 1)
    residuals = wear(bundle.models, rows, lambda step, total: steps.append((step, total)))
    assert len(residuals) == MAX_ROWS + 1
    assert torch.allclose(residuals[0], residuals[-1], atol=1e-3)
    both = 2 * (bundle.models.process.denoise_points - 1)
    assert steps == [(step, both) for step in range(1, both + 1)]


def test_steps_of_a_part_are_counted_in_the_whole() -> None:
    seen: list[tuple[int, int]] = []
    for part in range(3):
        within(lambda step, total: seen.append((step, total)), part, 3)(2, 4)
    assert seen == [(2, 12), (6, 12), (10, 12)]
