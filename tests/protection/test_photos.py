"""Every photo of the test folders: how many of its faces are protected, or the code of why it is refused.

`photos.tsv` has a row for each file: what comes back; where the eyes of everybody are who should be protected (the
middle between them; faces that are no person's stay bare); and, where that is not what comes back, why: a known miss.
Of `photos/`, rows give the eyes only where they are missed. What comes back is told for OpenCV's cascades; with YuNet
nobody is missed, and a last column tells where the answer is another. The cascades are slow: what they see rightly in
`photos/` is checked by `make rehearsal`.
"""

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from app.photo.canonical import PhotoLimits, PhotoRejected, canonical_photo
from diffam_client.contract.report import ProtectedFace, protected
from diffam_client.contract.wish import Wish
from diffam_core.errors import DiffAMError
from diffam_core.images import decode_photo
from model_store.bundle import Bundle
from protection.pipeline import ProtectedPhoto, protect_photos
from protection.plan import Request

LIMITS = PhotoLimits(max_pixels=50_000_000, max_side_px=16_384, min_side_px=64, extra_formats=("avif", "heic"))
TABLE = Path(__file__).with_name("photos.tsv")
FOLDERS = ("photos", "cases")
NEAR = 0.3
"""A face is protected in its place when its eyes' middle lies within this share of the box's width of the true one."""


class Row(NamedTuple):
    """A line of the table."""

    file: str
    answer: str
    eyes: str = ""
    miss: str = ""
    yunet_answer: str = ""

    @property
    def people(self) -> list[tuple[float, float]]:
        """Where each person's eyes are, in pixels of the photo as it is stored."""
        pairs = [place.split(",") for place in self.eyes.split()]
        return [(float(x), float(y)) for x, y in pairs]


with TABLE.open() as lines:
    ROWS = [Row(*line) for line in csv.reader(lines, delimiter="\t")]
FOR_CASCADES = [
    pytest.param(row, id=row.file, marks=() if row.miss or row.file.startswith("cases/") else pytest.mark.slow)
    for row in ROWS
]


def outcome(bundle: Bundle, upload: bytes) -> tuple[str, list[ProtectedFace]]:
    """A number of faces or a code, and the protected faces; checks on the way that what came back is the photo."""
    try:
        canonical = canonical_photo(upload, LIMITS)
    except PhotoRejected as error:
        return error.code, []
    (result,) = protect_photos(
        bundle, [Request(canonical.png, Wish(reference_id="rose", target_id="aurora"))], lambda *_: None
    )
    if isinstance(result, DiffAMError):
        return result.code, []
    assert isinstance(result, ProtectedPhoto)
    (candidate,) = result.candidates
    before, after = decode_photo(canonical.png).astype(np.int16), decode_photo(candidate.photo).astype(np.int16)
    assert after.shape == before.shape == (canonical.height, canonical.width, 3)
    change = np.abs(after - before).max(axis=2)
    made_up = protected(candidate.faces)
    for face in made_up:
        x, y, w, h = face.box
        assert change[max(0, y) : y + h, max(0, x) : x + w].mean() > 1
    for face in made_up:
        x, y, w, h = face.box
        change[max(0, y - h // 2) : y + 3 * h // 2, max(0, x - w // 2) : x + 3 * w // 2] = 0
    assert not change.any()
    return str(len(made_up)), made_up


def are_in_place(faces: list[ProtectedFace], people: list[tuple[float, float]]) -> bool:
    """Whether everybody is protected in their own place, and nothing else."""
    if len(faces) != len(people):
        return False
    eyes = np.array([[face.landmarks[side] for side in ("left_eye", "right_eye")] for face in faces]).mean(axis=1)
    apart = np.linalg.norm(eyes[:, None] - np.array(people), axis=2)
    near = apart < NEAR * np.array([[face.box[2]] for face in faces])
    return bool(near.any(axis=0).all() and near.any(axis=1).all())


def test_the_table_names_every_photo(assets: Path) -> None:
    files = [path for folder in FOLDERS for path in (assets / folder).iterdir()]
    assert sorted(row.file for row in ROWS) == sorted(f"{path.parent.name}/{path.name}" for path in files)


def test_misses_are_told_with_what_should_come_back() -> None:
    assert all(row.people for row in ROWS if row.miss or row.file.startswith("cases/"))


@pytest.mark.parametrize("row", FOR_CASCADES)
def test_a_photo_is_protected_or_refused_as_the_table_says(bundle: Bundle, assets: Path, row: Row) -> None:
    answer, protected = outcome(bundle, (assets / row.file).read_bytes())
    if row.people:
        is_right = are_in_place(protected, row.people)
        assert not (is_right and row.miss), f"{row.file} comes back right now: strike its miss from {TABLE.name}"
        assert is_right or row.miss, f"{row.file}: not everybody, or more than everybody, is protected in their place"
    assert answer == row.answer


@pytest.mark.xdist_group("shipped")
@pytest.mark.parametrize("row", ROWS, ids=[row.file for row in ROWS])
def test_with_yunet_everybody_is_protected_in_their_place(sharp_bundle: Bundle, assets: Path, row: Row) -> None:
    answer, protected = outcome(sharp_bundle, (assets / row.file).read_bytes())
    assert answer == (row.yunet_answer or (str(len(row.people)) if row.people else row.answer))
    if answer == str(len(row.people)):
        assert are_in_place(protected, row.people)
