"""The story in one function, on the shipped bundle."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.photo.formats import jpeg_quality
from diffam_client.contract.report import Progress, protected
from diffam_client.contract.wish import Wish
from diffam_core.errors import DiffAMError, NoFaceFound
from diffam_core.images import decode_photo, encode_photo
from model_store.bundle import Bundle
from model_store.errors import UnknownReference
from model_store.rendered.scenes import demo_scene, group_scene
from protection.pipeline import (
    Candidate,
    MadeUp,
    ProtectedPhoto,
    finish_photo,
    make_photos_up,
    open_photo,
    protect_photos,
)
from protection.plan import Request, Upload


@pytest.fixture(scope="module")
def scenes() -> list[bytes]:
    return [encode_photo(np.array(demo_scene(seed, 384)), "png") for seed in (0, 1)]


def _ignore(_progress: Progress) -> None:
    pass


def _protect(bundle: Bundle, *photos: bytes, reference: str = "rose") -> list[ProtectedPhoto | DiffAMError]:
    return protect_photos(bundle, [Request(photo, Wish(reference_id=reference)) for photo in photos], _ignore)


def _only(result: ProtectedPhoto | DiffAMError) -> Candidate:
    assert isinstance(result, ProtectedPhoto)
    (candidate,) = result.candidates
    return candidate


def _pixels(result: ProtectedPhoto | DiffAMError) -> NDArray[np.int64]:
    return decode_photo(_only(result).photo).astype(np.int64)


def test_a_photo_comes_back_in_its_own_size_changed_only_around_the_face(bundle: Bundle, scenes: list[bytes]) -> None:
    result = _only(*_protect(bundle, scenes[0]))
    original = decode_photo(scenes[0]).astype(np.int64)
    protected = decode_photo(result.photo).astype(np.int64)
    assert protected.shape == original.shape == (result.height, result.width, 3)
    moved = np.abs(protected - original).max(axis=2) > 0
    x, y, w, h = result.faces[0].box
    rows, columns = np.nonzero(moved)
    assert moved[y : y + h, x : x + w].mean() > 0.5
    assert columns.min() > x - 0.4 * w
    assert columns.max() < x + 1.4 * w
    assert rows.min() > y - 0.5 * h
    assert rows.max() < y + 1.5 * h


def test_batch_mates_change_nothing_visible(bundle: Bundle, scenes: list[bytes]) -> None:
    alone = [_pixels(_protect(bundle, scene)[0]) for scene in scenes]
    together = [_pixels(result) for result in _protect(bundle, *scenes)]
    for one, other in zip(alone, together, strict=True):
        assert np.abs(one - other).max() <= 1  # other batch shapes sum in another order; 1 of 255 is rounding


def test_the_same_photo_gives_the_same_bytes(bundle: Bundle, scenes: list[bytes]) -> None:
    first, second = (_only(*_protect(bundle, scenes[0])) for _ in range(2))
    assert first.photo == second.photo
    assert first.faces == second.faces


def test_a_photo_without_a_face_fails_alone_in_its_batch(bundle: Bundle, scenes: list[bytes]) -> None:
    empty = encode_photo(np.full((200, 300, 3), 90, dtype=np.uint8), "png")
    first, missing, last = _protect(bundle, scenes[0], empty, scenes[1])
    assert isinstance(first, ProtectedPhoto)
    assert isinstance(missing, NoFaceFound)
    assert isinstance(last, ProtectedPhoto)


def test_a_batch_without_any_face_is_all_errors(bundle: Bundle) -> None:
    empty = encode_photo(np.full((200, 300, 3), 90, dtype=np.uint8), "png")
    assert [type(result) for result in _protect(bundle, empty, empty)] == [NoFaceFound, NoFaceFound]


def test_an_unknown_look_is_named_with_those_there_are(bundle: Bundle, scenes: list[bytes]) -> None:
    with pytest.raises(UnknownReference, match="rose"):
        _protect(bundle, scenes[0], reference="nobody")


def test_every_recogniser_reports_its_role_and_the_look_shows(bundle: Bundle, scenes: list[bytes]) -> None:
    result = _only(*_protect(bundle, scenes[0]))
    (face,) = protected(result.faces)
    rows = {row.name: row for row in face.recognisers}
    style = bundle.catalog.style_for("rose")
    assert {name for name, row in rows.items() if row.role == "held_out"} == {style.held_out, "vit"}
    assert all(row.own_match < row.own_match_before for row in rows.values())
    assert 15 < face.scores.psnr_db < 45


def test_stages_are_reported_in_the_order_of_the_story(bundle: Bundle, scenes: list[bytes]) -> None:
    seen: list[str] = []
    protect_photos(bundle, [Request(scenes[0], Wish(reference_id="rose"))], lambda at: seen.append(at.stage))
    assert list(dict.fromkeys(seen)) == ["detect", "invert", "make_up", "composite", "score"]


@dataclass(frozen=True)
class Trip:
    """A batch on its way: a crowd that may choose between two pictures, and one person; with all that was told."""

    uploads: list[Upload]
    made_up: list[MadeUp]
    finished: list[ProtectedPhoto]
    told: list[list[Progress]]


@pytest.fixture(scope="module")
def trip(bundle: Bundle, scenes: list[bytes]) -> Trip:
    crowd, _ = group_scene(seed=3, width=720, height=480, faces=3, tilt_deg=10, box_widths=(90, 150))
    wishes = [Wish(reference_id="rose", faces=(0, 2), candidates=2), Wish(reference_id="rose")]
    photos = [encode_photo(crowd, "png"), scenes[0]]
    requests = [Request(photo, wish) for photo, wish in zip(photos, wishes, strict=True)]
    uploads = [open_photo(bundle.models, None, request) for request in requests]
    told: list[list[Progress]] = [[], [], []]
    made_up = make_photos_up(bundle, uploads, told[0].append)
    finished = [finish_photo(bundle, each, told[number].append) for number, each in enumerate(made_up, 1)]
    return Trip(uploads, made_up, finished, told)


def test_every_face_of_a_batch_keeps_its_photo_and_its_place_in_it(trip: Trip) -> None:
    assert [each.upload for each in trip.made_up] == trip.uploads
    for each in trip.made_up:
        assert {id(wearing.face.photo) for wearing in each.worn} == {id(each.upload.photo)}
        chosen = [each.upload.found[index] for index in each.upload.chosen]
        assert [wearing.face.found for wearing in each.worn] == chosen * len(each.variants)
    crowd, alone = trip.finished
    for candidate in crowd.candidates:
        assert [(face.index, face.status) for face in candidate.faces] == [
            (0, "protected"), (1, "left_alone"), (2, "protected"),
        ]  # fmt: skip
    assert [len(candidate.faces) for candidate in alone.candidates] == [1]


def test_every_picture_to_choose_from_wears_its_own_variant(trip: Trip) -> None:
    crowd = trip.made_up[0]
    assert [wearing.variant for wearing in crowd.worn] == [crowd.variants[0]] * 2 + [crowd.variants[1]] * 2
    assert [candidate.strength for candidate in trip.finished[0].candidates] == [1.0, 0.5]
    for candidate in trip.finished[0].candidates:
        assert {face.strength for face in protected(candidate.faces)} == {candidate.strength}


def test_seconds_of_the_shared_stages_are_the_batchs_and_the_others_are_the_photos_own(trip: Trip) -> None:
    crowd, alone = (finished.seconds for finished in trip.finished)
    assert list(crowd) == list(alone) == ["detect", "invert", "make_up", "composite", "score"]
    for stage in ("invert", "make_up"):
        assert crowd[stage] == alone[stage] > 0
    assert [crowd["detect"], alone["detect"]] == [upload.seconds for upload in trip.uploads]
    assert crowd["score"] > alone["score"]  # four faces to measure instead of one


def test_finishing_one_photo_adds_no_seconds_to_its_batch_mates(trip: Trip) -> None:
    assert [list(each.seconds) for each in trip.made_up] == [["invert", "make_up"]] * 2
    assert trip.made_up[0].seconds is not trip.made_up[1].seconds


def test_progress_never_falls_and_each_face_that_is_measured_is_a_step(trip: Trip) -> None:
    for number in (1, 2):
        fractions = [progress.fraction for progress in trip.told[0] + trip.told[number]]
        assert fractions == sorted(fractions)
        assert fractions[-1] == 1.0
    scored = [(each.step, each.steps) for each in trip.told[1] if each.stage == "score"]
    assert scored == [(0, 1), (0, 4), (1, 4), (2, 4), (3, 4), (1, 1)]


def test_who_is_told_of_progress_can_stop_the_work(bundle: Bundle, scenes: list[bytes]) -> None:
    seen: list[Progress] = []

    def stop(progress: Progress) -> None:
        seen.append(progress)
        if progress.stage == "make_up":
            raise InterruptedError

    with pytest.raises(InterruptedError):
        protect_photos(bundle, [Request(scenes[0], Wish(reference_id="rose"))], stop)
    assert seen[-1] == Progress(stage="make_up", step=0, steps=1)


def test_nothing_to_make_up_is_nothing_to_tell(bundle: Bundle) -> None:
    seen: list[Progress] = []
    assert make_photos_up(bundle, [], seen.append) == []
    assert seen == []


def test_a_jpeg_result_is_measured_as_the_jpeg_it_is(bundle: Bundle, scenes: list[bytes]) -> None:
    wish = Wish(reference_id="rose", output_format="jpeg", quality=60)
    result = _only(*protect_photos(bundle, [Request(scenes[0], wish)], _ignore))
    assert result.media_type == "image/jpeg"
    file = Image.open(io.BytesIO(result.photo))
    assert file.format == "JPEG"
    assert jpeg_quality(file) == 60
    assert not file.getexif()


@pytest.mark.parametrize("name", ["astronaut_nasa.png", "pillow_hopper.jpg"])
@pytest.mark.parametrize("reference", ["rose", "ember", "lagoon"])
def test_a_real_photo_is_made_up_and_its_background_keeps_every_bit(
    bundle: Bundle, assets: Path, name: str, reference: str
) -> None:
    data = (assets / "photos" / name).read_bytes()
    result = _only(*_protect(bundle, data, reference=reference))
    original, protected = decode_photo(data).astype(np.int64), decode_photo(result.photo).astype(np.int64)
    assert original.shape == protected.shape
    x, y, w, h = result.faces[0].box
    change = np.abs(protected - original).max(axis=2)
    assert change[y : y + h, x : x + w].mean() > 3  # of 255: visible make-up, not noise
    change[max(0, y - h // 2) : y + 3 * h // 2, max(0, x - w // 2) : x + 3 * w // 2] = 0
    assert not change.any()
