"""What a photo's owner can choose, on the shipped bundle: faces, strength, regions, candidates, survival."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from diffam_client.contract.report import protected
from diffam_client.contract.wish import Wish
from diffam_core.errors import DiffAMError, FaceUnknown, NoFaceFound
from diffam_core.images import Photo, decode_photo, decode_rgba, encode_photo
from model_store.bundle import Bundle
from model_store.rendered.scenes import SceneFace, demo_scene, group_scene
from protection.measuring.survival import PROFILE_NAMES
from protection.pipeline import Candidate, ProtectedPhoto, detect_faces, protect_photos
from protection.plan import Request

Box = tuple[int, int, int, int]


@pytest.fixture(scope="module")
def request_one() -> Request:
    """One person, 384 pixels square."""
    return Request(encode_photo(np.array(demo_scene(0, 384)), "png"), Wish(reference_id="rose", target_id="aurora"))


@pytest.fixture(scope="module")
def group() -> tuple[Photo, list[SceneFace]]:
    """Three people, heads upright to tilted."""
    return group_scene(seed=3, width=900, height=600, faces=3, tilt_deg=20, box_widths=(110, 200))


def protect(bundle: Bundle, request: Request, **wishes: Any) -> list[Candidate]:
    wish = Wish.model_validate(request.wish.model_dump() | wishes)
    (result,) = protect_photos(bundle, [Request(request.photo, wish)], lambda *_: None)
    if isinstance(result, DiffAMError):
        raise result
    assert isinstance(result, ProtectedPhoto)
    return result.candidates


def pixels(photo: bytes) -> NDArray[np.int16]:
    return decode_photo(photo).astype(np.int16)


def moved(request: Request, candidate: Candidate) -> NDArray[np.int16]:
    """The largest change of every pixel, of 255."""
    change: NDArray[np.int16] = np.abs(pixels(candidate.photo) - pixels(request.photo)).max(axis=2)
    return change


def inside(change: NDArray[np.int16], box: Box, grow: float = 0.0) -> NDArray[np.int16]:
    x, y, w, h = box
    dx, dy = int(grow * w), int(grow * h)
    return change[max(0, y - dy) : y + h + dy, max(0, x - dx) : x + w + dx]


def test_everybody_in_the_photo_is_made_up_in_their_own_place(
    bundle: Bundle, group: tuple[Photo, list[SceneFace]]
) -> None:
    photo, truth = group
    request = Request(encode_photo(photo, "png"), Wish(reference_id="rose", target_id="aurora"))
    (candidate,) = protect(bundle, request)
    assert [face.status for face in candidate.faces] == ["protected"] * 3
    change = moved(request, candidate)
    for face, drawn in zip(protected(candidate.faces), truth, strict=True):  # both largest first
        eyes = np.array([face.landmarks["left_eye"], face.landmarks["right_eye"]])
        assert np.abs(eyes - np.array([drawn.left_eye, drawn.right_eye])).max() < 0.3 * drawn.eye_distance_px
        assert inside(change, face.box).mean() > 3
        assert {row.name for row in face.recognisers} == set(bundle.models.recognisers)
    for box in (face.box for face in candidate.faces):
        inside(change, box, grow=0.6)[:] = 0
    assert not change.any()


def test_only_chosen_faces_are_touched(bundle: Bundle, group: tuple[Photo, list[SceneFace]]) -> None:
    request = Request(encode_photo(group[0], "png"), Wish(reference_id="rose", target_id="aurora"))
    (candidate,) = protect(bundle, request, faces=(1,))
    assert [face.status for face in candidate.faces] == ["left_alone", "protected", "left_alone"]
    assert [face.code for face in candidate.faces] == ["face_not_chosen", None, "face_not_chosen"]
    change = moved(request, candidate)
    inside(change, candidate.faces[1].box, grow=0.6)[:] = 0
    assert not change.any()


def test_the_preview_counts_faces_as_the_job_does(bundle: Bundle, group: tuple[Photo, list[SceneFace]]) -> None:
    request = Request(encode_photo(group[0], "png"), Wish(reference_id="rose", target_id="aurora"))
    preview = detect_faces(bundle.models, request.photo)
    (candidate,) = protect(bundle, request, faces="largest")
    assert [face.box for face in preview] == [face.box for face in candidate.faces]
    assert [face.status for face in preview] == ["found"] * 3


def test_a_face_that_is_not_there_is_named(bundle: Bundle, request_one: Request) -> None:
    with pytest.raises(FaceUnknown, match="there is no face 4: 1 were found"):
        protect(bundle, request_one, faces=(0, 4))


def test_a_preview_without_faces_is_empty_and_a_job_without_faces_fails(bundle: Bundle) -> None:
    empty = encode_photo(np.full((200, 300, 3), 90, dtype=np.uint8), "png")
    assert detect_faces(bundle.models, empty) == []
    with pytest.raises(NoFaceFound):
        protect(bundle, Request(empty, Wish(reference_id="rose", target_id="aurora")))


def test_no_strength_is_no_change(bundle: Bundle, request_one: Request) -> None:
    (candidate,) = protect(bundle, request_one, strength=0.0)
    assert not moved(request_one, candidate).any()
    (face,) = protected(candidate.faces)
    assert face.verdict.word == "weak"


def test_three_strengths_to_choose_from_fall_in_equal_parts(bundle: Bundle, request_one: Request) -> None:
    candidates = protect(bundle, request_one, candidates=3, strength=0.9)
    assert [candidate.strength for candidate in candidates] == [0.9, 0.6, 0.3]
    amounts = [float(moved(request_one, candidate).mean()) for candidate in candidates]
    assert amounts == sorted(amounts, reverse=True)
    (alone,) = protect(bundle, request_one, strength=0.3)
    together = pixels(candidates[2].photo)
    assert np.abs(pixels(alone.photo) - together).max() <= 1  # other batch shapes sum in another order


def test_three_looks_to_choose_from_share_their_target(bundle: Bundle, request_one: Request) -> None:
    candidates = protect(bundle, request_one, reference_id="ember", candidates=3, vary="look")
    assert [candidate.reference for candidate in candidates] == ["ember", "rose", "lagoon"]
    assert {candidate.target for candidate in candidates} == {"aurora"}
    assert len({candidate.photo for candidate in candidates}) == 3


def test_auto_takes_the_least_that_passed(bundle: Bundle, request_one: Request) -> None:
    (candidate,) = protect(bundle, request_one, strength="auto", survival=("jpeg75",))
    assert len(candidate.faces) == 1
    (face,) = protected(candidate.faces)
    search = face.strength_search
    assert search is not None
    passing = [trial.strength for trial in search.tried if trial.passes]
    assert search.passes == bool(passing)
    assert face.strength == min(passing, default=1.0)
    if passing:
        assert face.verdict.word == "strong"


def test_lips_alone_leave_the_rest_of_the_face(bundle: Bundle, request_one: Request) -> None:
    (whole,) = protect(bundle, request_one)
    (lips,) = protect(bundle, request_one, regions=frozenset({"lips"}))
    (left_x, eye_y), (right_x, _) = (whole.faces[0].landmarks[f"{side}_eye"] for side in ("left", "right"))
    span = right_x - left_x
    eyes = (int(left_x - 0.3 * span), int(eye_y - 0.3 * span), int(1.6 * span), int(0.5 * span))
    mouth = (int(left_x), int(eye_y + 0.7 * span), int(span), int(0.7 * span))
    assert inside(moved(request_one, lips), mouth).max() > 10
    assert inside(moved(request_one, lips), eyes).max() <= 1
    assert inside(moved(request_one, whole), eyes).max() > 10


def test_survival_is_measured_for_every_profile_and_held_against_the_verdict(
    bundle: Bundle, request_one: Request
) -> None:
    (candidate,) = protect(bundle, request_one, survival=PROFILE_NAMES)
    assert len(candidate.faces) == 1
    (face,) = protected(candidate.faces)
    assert set(face.survival) == set(PROFILE_NAMES)
    finished = {row.name: row.own_match for row in face.recognisers}
    for measured in face.survival.values():
        assert measured.found_again
        again = {row.name: row.own_match for row in measured.recognisers}
        assert again.keys() == finished.keys()
        assert again != finished
    views = [face.recognisers, *(measured.recognisers for measured in face.survival.values())]
    rows = [row for view in views for row in view if row.role == "held_out"]
    assert (face.verdict.word == "strong") == all(row.dodged for row in rows)


def test_transparency_comes_back(bundle: Bundle, request_one: Request) -> None:
    photo = decode_photo(request_one.photo)
    alpha = np.full(photo.shape[:2], 255, dtype=np.uint8)
    alpha[:40] = 0
    alpha[40:60] = 128
    request = Request(encode_photo(photo, "png", alpha=alpha), request_one.wish)
    (candidate,) = protect(bundle, request)
    _, kept = decode_rgba(candidate.photo)
    assert kept is not None
    assert np.array_equal(kept, alpha)


@pytest.mark.parametrize("output_format", ["png", "jpeg", "webp", "avif", "heic"])
def test_every_format_holds_a_protected_photo_of_the_same_size(
    bundle: Bundle, request_one: Request, output_format: Any
) -> None:
    (candidate,) = protect(bundle, request_one, output_format=output_format)
    assert candidate.media_type == f"image/{output_format}"
    assert decode_photo(candidate.photo).shape == (candidate.height, candidate.width, 3) == (384, 384, 3)
    background = moved(request_one, candidate)
    inside(background, candidate.faces[0].box, grow=0.6)[:] = 0
    assert background.mean() < 4
