"""One photo has one score: what an evaluation measures of a file is what the service reports of it."""

from dataclasses import replace

import numpy as np
import pytest

from diffam_client.contract.report import ProtectedFace
from diffam_client.contract.wish import Wish
from diffam_core.images import decode_photo, encode_photo
from evaluation.evaluate import Evaluation, evaluate
from evaluation.methods import METHODS
from evaluation.running.room import Scope
from evaluation.subjects import Subjects
from evaluation.treatments import SURVIVED
from model_store.bundle import Bundle
from protection.pipeline import Candidate, ProtectedPhoto, protect_photos
from protection.plan import Request

PEOPLE = 2


@pytest.fixture(scope="module")
def measured(bundle: Bundle, subjects: Subjects) -> Evaluation:
    """Strangers in one style; what others hold of them is the photo itself, which is what a job compares with."""
    one = replace(bundle, catalog=replace(bundle.catalog, styles=bundle.catalog.styles[:1]))
    alone = replace(subjects.first(PEOPLE), others=subjects.views[:PEOPLE])
    return evaluate(one, alone, {"diffam": METHODS["diffam"]}, lambda *_: None, Scope(SURVIVED, keep_files=PEOPLE))


@pytest.fixture(scope="module")
def served(bundle: Bundle, subjects: Subjects) -> list[Candidate]:
    """The same photos, sent to the service with the same wish."""
    style = bundle.catalog.styles[0]
    wish = Wish(
        reference_id=style.reference, target_id=style.target, faces="largest", output_format="jpeg", survival=SURVIVED
    )
    uploads = [encode_photo(photo, "png") for photo in subjects.photos[:PEOPLE]]
    results = protect_photos(bundle, [Request(upload, wish) for upload in uploads], lambda _: None)
    return [result.candidates[0] for result in results if isinstance(result, ProtectedPhoto)]


def _protected(candidate: Candidate) -> ProtectedFace:
    (face,) = (face for face in candidate.faces if isinstance(face, ProtectedFace))
    return face


def test_both_make_the_same_file(measured: Evaluation, served: list[Candidate]) -> None:
    (outcome,) = measured.outcomes.values()
    assert len(served) == len(outcome.files) == PEOPLE
    for file, candidate in zip(outcome.files, served, strict=True):
        assert np.array_equal(decode_photo(file), decode_photo(candidate.photo))


@pytest.mark.parametrize("treatment", ["clean", *SURVIVED])
def test_both_report_the_same_matches_with_owner_and_target(
    measured: Evaluation, served: list[Candidate], treatment: str
) -> None:
    cells = {cell.recogniser: cell for cell in measured.cells if cell.treatment == treatment}
    for person, face in enumerate(map(_protected, served)):
        told = {"clean": face.recognisers} | {str(name): seen.recognisers for name, seen in face.survival.items()}
        assert {match.name for match in told[treatment]} == set(cells)
        for match in told[treatment]:
            cell = cells[match.name]
            assert cell.target is not None
            assert cell.own[person] == pytest.approx(match.own_match, abs=1e-4)
            assert cell.target[person] == pytest.approx(match.target_match, abs=1e-4)
            assert (cell.role, not cell.knows()[person], bool(cell.taken()[person])) == (
                match.role, match.dodged, match.impersonated,
            )  # fmt: skip


def test_both_report_the_same_quality(measured: Evaluation, served: list[Candidate]) -> None:
    cost = measured.cells[0].cost
    scores = [_protected(candidate).scores for candidate in served]
    assert cost.face_psnr_db == pytest.approx(np.mean([score.psnr_db for score in scores]), abs=1e-2)
    assert cost.face_ssim == pytest.approx(np.mean([score.ssim for score in scores]), abs=1e-4)
    assert cost.lpips == pytest.approx(np.mean([score.lpips for score in scores]), abs=1e-4)
