"""Every photo of the test folder: how many of its faces are protected, or the code of why it is refused."""

from pathlib import Path

import numpy as np
import pytest

from app.photo import PhotoLimits, PhotoRejected, canonical_photo
from diffam_core.errors import DiffAMError
from diffam_core.images import decode_photo
from model_store.bundle import Bundle
from worker.pipeline import ProtectedPhoto, protect_photos
from worker.request import ProtectRequest

LIMITS = PhotoLimits(max_pixels=50_000_000, max_side_px=16_384, min_side_px=64, extra_formats=("avif", "heic"))
TABLE = Path(__file__).with_name("photos.tsv")
EXPECTED = dict(line.split("\t") for line in TABLE.read_text().splitlines())


def outcome(bundle: Bundle, upload: bytes) -> str:
    """A number of faces or a code; checks on the way that what came back is the photo."""
    try:
        canonical = canonical_photo(upload, LIMITS)
    except PhotoRejected as error:
        return error.code
    (result,) = protect_photos(bundle, [ProtectRequest(canonical.png, "rose", "aurora")], lambda *_: None)
    if isinstance(result, DiffAMError):
        return result.code
    assert isinstance(result, ProtectedPhoto)
    (candidate,) = result.candidates
    before, after = decode_photo(canonical.png).astype(np.int16), decode_photo(candidate.photo).astype(np.int16)
    assert after.shape == before.shape == (canonical.height, canonical.width, 3)
    change = np.abs(after - before).max(axis=2)
    protected = [face for face in candidate.faces if face["status"] == "protected"]
    for face in protected:
        x, y, w, h = face["box"]
        assert change[max(0, y) : y + h, max(0, x) : x + w].mean() > 1
    for face in protected:
        x, y, w, h = face["box"]
        change[max(0, y - h // 2) : y + 3 * h // 2, max(0, x - w // 2) : x + 3 * w // 2] = 0
    assert not change.any()
    return str(len(protected))


def test_the_table_names_every_photo(assets: Path) -> None:
    assert sorted(EXPECTED) == sorted(path.name for path in (assets / "photos").iterdir())


@pytest.mark.parametrize("name", EXPECTED)
def test_a_photo_is_protected_or_refused_as_the_table_says(bundle: Bundle, assets: Path, name: str) -> None:
    assert outcome(bundle, (assets / "photos" / name).read_bytes()) == EXPECTED[name]
