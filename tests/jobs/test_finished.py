"""What a record keeps of a finished picture."""

import hashlib

from diffam_client.contract.report import FaceReport
from jobs.finished import candidate_of
from tests.finished import FinishedPicture, protected_face, seen_face


def test_a_record_keeps_size_and_digest_of_a_picture_and_none_of_its_bytes() -> None:
    kept = candidate_of(FinishedPicture(photo=b"pixels", strength="auto"))
    assert (kept.reference_id, kept.target_id, kept.strength) == ("rose", "ada", "auto")
    assert (kept.photo.bytes, kept.photo.sha256) == (6, hashlib.sha256(b"pixels").hexdigest())
    assert (kept.photo.width, kept.photo.height, kept.photo.url) == (96, 80, None)
    assert "pixels" not in kept.model_dump_json()


def test_faces_stay_in_the_order_in_which_they_were_numbered() -> None:
    faces: list[FaceReport] = [protected_face(), seen_face(index=1, status="left_alone", code="face_not_chosen")]
    assert candidate_of(FinishedPicture(faces=faces)).faces == faces
