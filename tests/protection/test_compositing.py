"""What goes back into a photo, and where."""

import numpy as np
import pytest
import torch

from diffam_client.contract.wish import Wish
from diffam_core.composite import REGIONS, Region
from diffam_core.faces.face import native_px
from diffam_core.images import Photo
from model_store.bundle import Bundle
from model_store.rendered.scenes import group_scene
from protection.batch import Face, invert
from protection.compositing import change_of, composite
from protection.plan import Upload


@pytest.fixture(scope="module")
def photo() -> Photo:
    return group_scene(1, 900, 675, faces=2, tilt_deg=0, box_widths=(120, 220))[0]


@pytest.fixture(scope="module")
def faces(bundle: Bundle, photo: Photo) -> list[Face]:
    """Two faces of one photo, far from each other."""
    found = bundle.models.detector.all(photo)
    assert len(found) == 2
    return invert(bundle.models, [Upload(Wish(reference_id="rose"), photo, None, found, (0, 1), (), 0.0)])


def _lighter(face: Face) -> torch.Tensor:
    return torch.full_like(face.latent, 0.3)


def test_a_residual_of_nothing_moves_no_byte(photo: Photo, faces: list[Face]) -> None:
    assert np.array_equal(composite(photo, [(face, torch.zeros_like(face.latent)) for face in faces]), photo)


def test_a_change_has_the_resolution_of_the_face_in_its_photo(faces: list[Face]) -> None:
    for face in faces:
        size_px = native_px(face.found, face.latent.shape[-1])
        assert change_of(face, _lighter(face)).shape == (3, size_px, size_px)


def test_faces_together_are_what_they_are_one_after_the_other(photo: Photo, faces: list[Face]) -> None:
    together = composite(photo, [(face, _lighter(face)) for face in faces])
    one, other = faces
    after_each_other = composite(composite(photo, [(one, _lighter(one))]), [(other, _lighter(other))])
    assert np.array_equal(together, after_each_other)
    assert (together != photo).any()


def test_the_photo_itself_is_left_as_it_was(photo: Photo, faces: list[Face]) -> None:
    before = photo.copy()
    composite(photo, [(faces[0], _lighter(faces[0]))])
    assert np.array_equal(photo, before)


@pytest.mark.parametrize("name", ["lips", "eyes"])
def test_a_region_alone_changes_less_and_nothing_that_the_whole_face_does_not(faces: list[Face], name: Region) -> None:
    face = faces[0]
    whole, part = (change_of(face, _lighter(face), regions).abs().sum(dim=0) for regions in (REGIONS, {name}))
    assert 0 < float(part.sum()) < 0.5 * float(whole.sum())
    assert float(whole[part > 0].min()) > 0


def test_regions_add_up_to_the_face(faces: list[Face]) -> None:
    face = faces[0]
    whole = change_of(face, _lighter(face))
    parts = [change_of(face, _lighter(face), {name}) for name in REGIONS]
    assert torch.allclose(sum(parts, torch.zeros_like(whole)), whole, atol=1e-5)
