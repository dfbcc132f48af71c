"""Whatever way a photo is stored: it comes back upright, in its own size, changed where faces were chosen, else not."""

from io import BytesIO
from typing import NamedTuple

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from app.photo.canonical import PhotoLimits, canonical_photo
from diffam_client.contract.wish import Wish
from diffam_core.images import decode_photo, decode_rgba
from model_store.bundle import Bundle
from model_store.rendered.scenes import group_scene
from protection.pipeline import Candidate, ProtectedPhoto, protect_photos
from protection.plan import Request

LIMITS = PhotoLimits(max_pixels=50_000_000, max_side_px=16_384, min_side_px=64)
ORIENTATION = 0x0112
# EXIF orientation -> what a camera that writes it has done to the upright picture.
AS_STORED = {
    1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}  # fmt: skip


class Stored(NamedTuple):
    """How a photo of two people is stored, and whom of them to protect."""

    width: int
    height: int
    mode: str
    file_format: str
    orientation: int
    faces: tuple[int, ...]


@st.composite
def stored(draw: st.DrawFn) -> Stored:
    file_format = draw(st.sampled_from(["PNG", "JPEG", "WEBP"]))
    modes = {"PNG": ["RGB", "L", "RGBA", "P", "I;16"], "JPEG": ["RGB", "L", "CMYK"], "WEBP": ["RGB", "RGBA"]}
    return Stored(
        width=draw(st.integers(420, 640)),
        height=draw(st.integers(300, 480)),
        mode=draw(st.sampled_from(modes[file_format])),
        file_format=file_format,
        orientation=draw(st.sampled_from(list(AS_STORED))),
        faces=draw(st.sampled_from([(0,), (1,), (0, 1)])),
    )


def upload(photo: Stored) -> bytes:
    """Two people, as the photo is stored."""
    pixels, _ = group_scene(seed=11, width=photo.width, height=photo.height, faces=2, tilt_deg=0, box_widths=(90, 120))
    image = Image.fromarray(pixels)
    turn = AS_STORED[photo.orientation]
    image = image if turn is None else image.transpose(turn)
    if photo.mode == "I;16":
        image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    elif photo.mode == "RGBA":
        image.putalpha(Image.linear_gradient("L").resize(image.size).point(lambda value: max(value, 1)))
    else:
        image = image.convert(photo.mode)
    exif = Image.Exif()
    exif[ORIENTATION] = photo.orientation
    file = BytesIO()
    image.save(file, photo.file_format, exif=exif)
    return file.getvalue()


def protect(bundle: Bundle, png: bytes, faces: tuple[int, ...]) -> Candidate:
    (result,) = protect_photos(
        bundle, [Request(png, Wish(reference_id="ember", target_id="aurora", faces=faces))], lambda *_: None
    )
    assert isinstance(result, ProtectedPhoto), result
    return result.candidates[0]


@settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(photo=stored())
def test_geometry_stays_and_untouched_means_untouched(bundle: Bundle, photo: Stored) -> None:
    canonical = canonical_photo(upload(photo), LIMITS)
    assert (canonical.width, canonical.height) == (photo.width, photo.height)
    candidate = protect(bundle, canonical.png, photo.faces)
    assert (candidate.width, candidate.height) == (photo.width, photo.height)
    before, alpha = decode_rgba(canonical.png)
    after, kept = decode_rgba(candidate.photo)
    assert (alpha is None) == (kept is None) == (photo.mode != "RGBA")
    assert alpha is None or kept is None or np.array_equal(alpha, kept)
    moved = (before != after).any(axis=2)
    for face in candidate.faces:
        x, y, w, h = face.box
        assert moved[y : y + h, x : x + w].any() == (face.status == "protected")
    for index in photo.faces:
        x, y, w, h = candidate.faces[index].box
        moved[max(0, y - h // 2) : y + 3 * h // 2, max(0, x - w // 2) : x + 3 * w // 2] = False
    assert not moved.any()
    assert protect(bundle, canonical.png, photo.faces).photo == candidate.photo


def test_alone_or_in_a_batch_a_photo_comes_out_the_same(bundle: Bundle) -> None:
    faces = (1, 0)
    photos = [canonical_photo(upload(Stored(width, 360, "RGB", "PNG", 1, faces)), LIMITS).png for width in (430, 520)]
    requests = [Request(png, Wish(reference_id="ember", target_id="aurora", faces=faces)) for png in photos]
    together = protect_photos(bundle, requests, lambda *_: None)
    for png, mate in zip(photos, together, strict=True):
        assert isinstance(mate, ProtectedPhoto)
        alone = decode_photo(protect(bundle, png, faces).photo).astype(int)
        difference = np.abs(alone - decode_photo(mate.candidates[0].photo))
        assert difference.max() <= 1  # other batch shapes sum in another order; 1 of 255 is rounding
