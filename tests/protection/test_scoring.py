"""What is told of a face that was not made up, and of one that was: where it is, why, and what it is worth."""

from dataclasses import replace

import numpy as np
import pytest

from diffam_client.contract.report import ProtectedFace
from diffam_client.contract.wish import Wish
from diffam_core.faces.face import FACE_CODES, FoundFace
from diffam_core.images import decode_photo, encode_photo
from model_store.bundle import Bundle
from model_store.rendered.renderer import FRAMING
from model_store.rendered.scenes import demo_scene
from protection.pipeline import make_photos_up, open_photo
from protection.plan import Request, Upload
from protection.scoring import REASONS, score_faces, seen_face
from protection.strength import Wearing

FOUND = FoundFace(
    (10, 20, 50, 60), (25.04, 40.26), (45.0, 40.0), FRAMING, notes=("face_cut_off",), others={"nose": (35.55, 51.0)}
)
SMALL = replace(FOUND, code="face_too_small")


@pytest.fixture(scope="module")
def worn(bundle: Bundle) -> tuple[Upload, list[Wearing]]:
    """One person in a look, before anything is composited."""
    request = Request(
        encode_photo(np.array(demo_scene(0, 384)), "png"), Wish(reference_id="rose", survival=("half", "jpeg50"))
    )
    (made_up,) = make_photos_up(bundle, [open_photo(bundle.models, None, request)], lambda _: None)
    return made_up.upload, made_up.worn


def test_a_face_is_told_where_it_lies_to_a_tenth_of_a_pixel() -> None:
    face = seen_face(3, FOUND)
    assert (face.index, face.box, face.status, face.notes) == (3, (10, 20, 50, 60), "found", ["face_cut_off"])
    assert face.landmarks == {"left_eye": (25.0, 40.3), "right_eye": (45.0, 40.0), "nose": (35.5, 51.0)}


@pytest.mark.parametrize(
    ("found", "status", "is_beyond", "code"),
    [
        (FOUND, "found", False, None),
        (SMALL, "found", False, "face_too_small"),
        (FOUND, "left_alone", False, "face_not_chosen"),
        (FOUND, "left_alone", True, "face_beyond_limit"),
        (SMALL, "left_alone", True, "face_too_small"),
    ],
)
def test_a_face_says_why_it_is_left_alone_or_would_be(
    found: FoundFace, status: str, is_beyond: bool, code: str | None
) -> None:
    face = seen_face(0, found, "left_alone" if status == "left_alone" else "found", is_beyond)
    assert (face.status, face.code, face.reason) == (status, code, REASONS[code] if code else None)


def test_every_code_of_a_face_has_its_reason() -> None:
    assert FACE_CODES.items() <= REASONS.items()
    assert all(reason.endswith(".") for reason in REASONS.values())


def test_a_photo_on_which_nothing_changed_matches_its_owner_in_every_view(
    bundle: Bundle, worn: tuple[Upload, list[Wearing]]
) -> None:
    upload, wearings = worn
    (face,) = score_faces(bundle, upload, wearings, upload.photo, lambda *_: None)
    assert isinstance(face, ProtectedFace)
    assert face.found_again
    assert list(face.survival) == ["half", "jpeg50"]
    assert (face.scores.ssim, face.scores.lpips, face.verdict.word) == (1.0, 0.0, "weak")
    for matches in (face.recognisers, *(seen.recognisers for seen in face.survival.values())):
        assert {match.name for match in matches} == set(bundle.models.recognisers)
        assert not any(match.dodged or match.impersonated for match in matches)
        assert all(match.own_match > match.threshold for match in matches)
    assert all(match.own_match == pytest.approx(match.own_match_before, abs=0.03) for match in face.recognisers)


def test_a_face_that_is_gone_from_the_file_is_measured_where_it_was(
    bundle: Bundle, worn: tuple[Upload, list[Wearing]]
) -> None:
    upload, wearings = worn
    (face,) = score_faces(bundle, upload, wearings, np.full_like(upload.photo, 90), lambda *_: None)
    assert isinstance(face, ProtectedFace)
    assert not face.found_again
    assert not any(seen.found_again for seen in face.survival.values())
    assert face.box == upload.found[0].box
    assert all(match.own_match < match.own_match_before for match in face.recognisers)


def test_who_waits_is_told_before_each_face_is_measured(bundle: Bundle, worn: tuple[Upload, list[Wearing]]) -> None:
    upload, wearings = worn
    steps: list[tuple[int, int]] = []
    finished = decode_photo(encode_photo(upload.photo, "jpeg"))
    score_faces(bundle, upload, wearings, finished, lambda step, of: steps.append((step, of)))
    assert steps == [(0, 1)]
