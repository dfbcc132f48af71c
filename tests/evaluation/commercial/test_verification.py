"""What verifiers said becomes rows that say how many photos they stand for."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from evaluation.commercial.errors import VerifierUnauthorised, VerifierUnavailable
from evaluation.commercial.verdicts import as_json, verdicts
from evaluation.commercial.verification import Question, Verification, questions_of, verify
from evaluation.commercial.verifier import Access, Patience, RemoteVerifier
from evaluation.evaluate import Evaluation, evaluate
from evaluation.methods import METHODS
from evaluation.report import Facts, write_report
from evaluation.running.room import Scope
from evaluation.subjects import Subjects
from evaluation.verifiers import VERIFIERS
from model_store.bundle import Bundle
from tests.evaluation.commercial.verifier_server import KEY, SECRET, Reply, VerifierServer, likeness, serving

FACTS = Facts("mini", "", "rendered", 4, 5, 0, "CLIP", "opencv-haar", "abc1234", "here", "2026-01-01")
METHOD = {"tint": METHODS["tint"]}
GOOD = Reply(200, '{"confidence": 80, "thresholds": {"1e-3": 62, "1e-4": 69, "1e-5": 74}}')
NO_FACE = Reply(200, '{"faces1": [], "faces2": [{"face_token": "f"}], "time_used": 1}')
REFUSED = Reply(400, '{"error_message": "INVALID_IMAGE_SIZE:image_file1"}')


@pytest.fixture(scope="module")
def small(bundle: Bundle) -> Bundle:
    """One reference for two targets."""
    return replace(bundle, catalog=replace(bundle.catalog, styles=bundle.catalog.styles[:2]))


@pytest.fixture(scope="module")
def evaluation(small: Bundle, subjects: Subjects) -> Evaluation:
    return evaluate(small, subjects, METHOD, lambda _name, _done, _total: None, Scope([], keep_files=3))


@dataclass(frozen=True)
class Room:
    """A server, and somebody who asks it with this key."""

    bundle: Bundle
    evaluation: Evaluation
    server: VerifierServer
    client: httpx.Client

    def ask(self, key: str = KEY) -> Verification:
        access = Access(self.server.url, key, SECRET)
        verifier = RemoteVerifier(VERIFIERS["facepp"], access, self.client, 1000, Patience(1))
        questions = questions_of(METHOD, self.bundle.catalog.styles)
        return verify(self.bundle, self.evaluation, questions, {"facepp": verifier}, lambda _name: None)


def _written(said: Verification) -> Any:
    """What of it is in the file."""
    return json.loads(json.dumps(as_json(said)))


@pytest.fixture
def room(small: Bundle, evaluation: Evaluation) -> Iterator[Room]:
    with serving() as server, httpx.Client(timeout=20, trust_env=False) as client:
        yield Room(small, evaluation, server, client)


def test_nothing_is_asked_twice(bundle: Bundle) -> None:
    methods = {name: METHODS[name] for name in ("nothing", "makeup", "diffam")}
    questions = questions_of(methods, bundle.catalog.styles)
    count = {name: sum(question.method == name for question in questions) for name in methods}
    references, targets = len(bundle.catalog.references), len(bundle.catalog.targets)
    assert count == {
        "nothing": targets + 1,
        "makeup": references * (targets + 1),
        "diffam": references * targets * 2,
    }
    assert len(set(questions)) == len(questions)


def test_the_finished_file_is_compared_with_the_target_and_with_the_owners_other_photo(room: Room) -> None:
    said = room.ask()
    outcome = room.evaluation.outcomes["tint", room.bundle.catalog.styles[0].identity]
    others = room.evaluation.subjects.other_files
    assert len(outcome.files) == 3
    own = [answer for answer in said.answers if answer.question.target is None][:3]
    assert [answer.confidence and answer.confidence.value for answer in own] == [
        likeness(file, other) for file, other in zip(outcome.files, others, strict=False)
    ]
    assert {picture for request in room.server.requests for picture in request.pictures} > set(outcome.files)


def test_a_row_tells_shares_with_intervals_for_target_and_owner(room: Room) -> None:
    rows = verdicts(room.ask())
    assert [row.target for row in rows] == [style.target for style in room.bundle.catalog.styles]
    for said in (said for row in rows for said in row.tallies.values()):
        assert said.n == 3
        assert said.match is not None
        low, high = said.match.ci95
        assert 0 <= low <= said.match.value <= high <= 1
        assert said.confidence is not None
        assert 0 < said.confidence < 100


def test_a_photo_without_a_face_is_counted_and_in_no_mean(room: Room) -> None:
    whole = verdicts(room.ask())[0].of_target
    room.server.replies.append(NO_FACE)
    said = room.ask()
    part = verdicts(said)[0].of_target
    assert (part.n, part.no_face, part.failed) == (2, 1, 0)
    kept = [answer.confidence.value for answer in said.answers[1:3] if answer.confidence]
    assert part.confidence == pytest.approx(sum(kept) / 2)
    assert part.confidence != whole.confidence
    assert said.answers[0].code == "verifier_no_face"


def test_one_refused_photo_leaves_a_gap_three_in_a_row_end_it_and_what_was_said_stays(room: Room) -> None:
    room.server.replies.append(REFUSED)
    assert verdicts(room.ask())[0].of_target.failed == 1
    asked = len(room.server.requests)
    room.server.replies.extend([GOOD, *[Reply(503, "")] * 3])
    said = room.ask()
    assert len(room.server.requests) - asked == 4
    assert isinstance(said.stopped["facepp"], VerifierUnavailable)
    assert verdicts(said)[0].of_target.n == 1
    assert _written(said)["stopped"]["facepp"]["code"] == "verifier_unavailable"


def test_a_wrong_key_is_tried_once(room: Room) -> None:
    said = room.ask(key="wrong")
    assert isinstance(said.stopped["facepp"], VerifierUnauthorised)
    assert len(room.server.requests) == 1
    assert _written(said)["rows"] == []


def test_every_single_comparison_is_in_the_json(room: Room) -> None:
    said = room.ask()
    comparisons = _written(said)["comparisons"]
    assert len(comparisons) == len(room.server.requests) == 3 * 4
    assert {row["photo"] for row in comparisons} == {0, 1, 2}
    assert comparisons[0]["thresholds"]["1e-3"] == 62.327
    assert Question("tint", room.bundle.catalog.styles[0].identity, None) in {
        answer.question for answer in said.answers
    }


def test_the_page_shows_rows_and_what_ended_early_without_a_key(room: Room, tmp_path: Path) -> None:
    room.server.replies.extend([GOOD, NO_FACE, Reply(403, json.dumps({"error_message": f"AUTHORIZATION_ERROR:{KEY}"}))])
    page = write_report(tmp_path, room.evaluation, METHOD, FACTS, room.ask()).read_text()
    assert "verifier_unauthorised" in page
    assert "AUTHORIZATION_ERROR:***" in page
    assert "80.0" in page
    assert KEY not in page
    assert (tmp_path / "verifiers.svg").is_file()
