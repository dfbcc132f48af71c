"""Grey in, grey out; faint in, faint out: what comes back of photos without ordinary colour or contrast."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from diffam_client.contract.report import FaceReport, ProtectedFace, protected
from diffam_client.contract.wish import Wish
from diffam_core.images import OutputFormat, decode_photo, encode_photo
from model_store.bundle import Bundle
from model_store.rendered.scenes import demo_scene
from protection.pipeline import ProtectedPhoto, protect_photos
from protection.plan import Request


def protect(bundle: Bundle, photo: bytes, **wishes: Any) -> tuple[NDArray[np.int16], ProtectedFace]:
    """The finished photo and its largest face."""
    (result,) = protect_photos(
        bundle, [Request(photo, Wish(reference_id="ember", target_id="aurora", **wishes))], lambda *_: None
    )
    assert isinstance(result, ProtectedPhoto), result
    candidate = result.candidates[0]
    return decode_photo(candidate.photo).astype(np.int16), protected(candidate.faces)[0]


def grey_scene() -> bytes:
    grey = Image.fromarray(np.array(demo_scene(0, 384))).convert("L").convert("RGB")
    return encode_photo(np.asarray(grey), "png")


def colourfulness(photo: NDArray[np.int16]) -> int:
    return int((photo.max(axis=2) - photo.min(axis=2)).max())


def inside(photo: NDArray[np.int16], face: FaceReport) -> NDArray[np.int16]:
    x, y, w, h = face.box
    return photo[y : y + h, x : x + w]


@pytest.mark.parametrize(
    "name", ["cases/grey_L.jpg", "cases/grey_as_rgb.png", "photos/astronaut_gray.jpg", "photos/pillow_hopper_gray.jpg"]
)
def test_a_grey_photo_comes_back_grey_in_make_up(bundle: Bundle, assets: Path, name: str) -> None:
    photo = (assets / name).read_bytes()
    after, face = protect(bundle, photo)
    assert colourfulness(after) == 0
    assert "photo_without_colour" in face.notes
    assert np.abs(inside(after - decode_photo(photo), face)).mean() > 3


@pytest.mark.parametrize(("output_format", "levels"), [("png", 0), ("jpeg", 1), ("webp", 1), ("avif", 2), ("heic", 2)])
def test_grey_survives_every_format(bundle: Bundle, output_format: OutputFormat, levels: int) -> None:
    if output_format == "heic":
        pytest.importorskip("pillow_heif")
    after, _ = protect(bundle, grey_scene(), output_format=output_format)
    assert colourfulness(after) <= levels


def test_a_searched_strength_is_judged_in_grey_too(bundle: Bundle) -> None:
    """What the search saw of a grey photo is what the finished file shows after the same treatment."""
    _, face = protect(bundle, grey_scene(), strength="auto", survival=("jpeg75",))
    assert face.strength_search is not None
    (chosen,) = [tried for tried in face.strength_search.tried if tried.strength == face.strength]
    seen = {row.name: row.own_match for row in face.survival["jpeg75"].recognisers}
    for name, own in chosen.own_match.items():
        assert own == pytest.approx(seen[name], abs=0.08)


@pytest.mark.parametrize(
    ("name", "share"),
    [("cases/washed_out.jpg", 1.0), *(("photos/astronaut_nasa.png", share) for share in (1.0, 0.4, 0.3))],
)
def test_make_up_is_never_harsher_than_the_photo(bundle: Bundle, assets: Path, name: str, share: float) -> None:
    """The change of lightness stays below a third of the face's own variation: it was 0.7 in the washed-out photo."""
    original = decode_photo((assets / name).read_bytes())
    photo = np.rint(original * share + 220 * (1 - share)).astype(np.uint8)
    after, face = protect(bundle, encode_photo(photo, "png"))
    luma = np.array([0.299, 0.587, 0.114])
    before = inside(photo.astype(np.int16), face) @ luma
    change = inside(after, face) @ luma - before
    assert 0.02 < np.sqrt((change**2).mean()) / before.std() < 0.34
