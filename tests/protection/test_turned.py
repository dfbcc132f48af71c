"""A photo that lies comes back lying, its make-up on the face as it lies."""

import numpy as np
import pytest
from numpy.typing import NDArray

from diffam_client.contract.report import ProtectedFace, protected
from diffam_client.contract.wish import Wish
from diffam_core.images import Photo, decode_photo, encode_photo
from model_store.bundle import Bundle
from model_store.rendered.scenes import demo_scene
from protection.pipeline import ProtectedPhoto, protect_photos
from protection.plan import Request


def protect(bundle: Bundle, photo: Photo) -> tuple[NDArray[np.int16], ProtectedFace]:
    request = Request(encode_photo(photo, "png"), Wish(reference_id="rose", target_id="aurora"))
    (result,) = protect_photos(bundle, [request], lambda *_: None)
    assert isinstance(result, ProtectedPhoto), result
    (candidate,) = result.candidates
    assert len(candidate.faces) == 1
    (face,) = protected(candidate.faces)
    return decode_photo(candidate.photo).astype(np.int16), face


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_turned_before_or_after_a_photo_is_made_up_the_same(bundle: Bundle, quarters: int) -> None:
    photo = np.array(demo_scene(seed=0, size=384))[:, 20:340]
    upright, its_face = protect(bundle, photo)
    lying, face = protect(bundle, np.ascontiguousarray(np.rot90(photo, quarters)))
    assert lying.shape == np.rot90(photo, quarters).shape
    assert np.abs(np.rot90(lying, -quarters) - upright).max() <= 6
    assert np.abs(np.rot90(lying, -quarters) - upright).mean() < 0.3
    assert face.notes == ["face_turned"]
    assert face.found_again
    assert face.verdict.word == its_face.verdict.word
