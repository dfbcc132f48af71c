"""What is told keeps its names in JSON, says nothing twice, and a misspelt word is refused where it is written."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from diffam_client.contract.report import (
    FACES,
    LONG_STAGES,
    STAGES,
    FaceReport,
    Match,
    Progress,
    ProtectedFace,
    SeenFace,
    Stage,
    Survival,
    protected,
)
from tests.finished import match, protected_face, seen_face
from tests.story.recording import differences

RECORDED = Path(__file__).parents[2] / "story" / "recorded"
STATUSES = ("found", "left_alone")


def told(face: SeenFace | ProtectedFace) -> dict[str, Any]:
    """As JSON."""
    found: dict[str, Any] = face.model_dump(mode="json")
    return found


def test_progress_never_falls_from_one_stage_to_the_next() -> None:
    fractions = [Progress(stage=stage, step=step, steps=6).fraction for stage in STAGES for step in range(7)]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)


@pytest.mark.parametrize(("step", "steps"), [(0, 0), (9, 6), (-1, 6)])
def test_odd_steps_stay_within_their_stage(step: int, steps: int) -> None:
    begin, end = STAGES["invert"]
    assert begin <= Progress(stage="invert", step=step, steps=steps).fraction <= end


def test_every_stage_has_its_place_in_a_job() -> None:
    assert (STAGES | LONG_STAGES).keys() == set(get_args(Stage))
    assert Progress(stage="fine_tune", step=1, steps=1).fraction == 1.0


def test_a_stage_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValidationError, match="stage"):
        Progress.model_validate({"stage": "makeup", "step": 0, "steps": 1})


def test_progress_is_read_back_as_it_was_told() -> None:
    progress = Progress(stage="fine_tune", step=3, steps=9, losses={"histogram": 0.25}, eta_s=4.5)
    assert json.loads(progress.model_dump_json()) == {
        "stage": "fine_tune", "step": 3, "steps": 9, "fraction": 0.3467, "losses": {"histogram": 0.25}, "eta_s": 4.5,
    }  # fmt: skip
    assert Progress.model_validate_json(progress.model_dump_json()) == progress


def test_the_threshold_keeps_its_name_in_json_and_has_one_in_code() -> None:
    row = match(threshold=0.4).model_dump(mode="json")
    assert row["threshold_far_0.01"] == 0.4
    assert "threshold" not in row
    assert Match.model_validate(row) == match(threshold=0.4)


@pytest.mark.parametrize("status", STATUSES)
def test_a_face_that_was_not_made_up_tells_no_scores(status: str) -> None:
    face = seen_face(status=status, code="face_too_small")
    assert set(told(face)) == {"index", "box", "landmarks", "status", "code", "reason", "notes"}
    assert FACES.validate_python([told(face)]) == [face]


def test_a_protected_face_is_told_by_its_status_and_comes_back_whole() -> None:
    face = protected_face(survival={"half": Survival(found_again=False, recognisers=[match()])})
    assert (told(face)["status"], told(face)["strength_search"]) == ("protected", None)
    assert FACES.validate_json(FACES.dump_json([face])) == [face]


@pytest.mark.parametrize("change", [{"status": "hidden"}, {"verdict": None}, {"survival": {"fax": None}}])
def test_half_a_report_is_none(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        FACES.validate_python([told(protected_face()) | change])


def test_what_a_later_version_adds_is_passed_over() -> None:
    newer = told(protected_face()) | {"age": "nobody's business"}
    newer["recognisers"][0]["confidence"] = 0.5
    assert FACES.validate_python([newer]) == [protected_face()]


def test_a_report_cannot_be_changed_once_it_is_told() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        protected_face().verdict = protected_face().verdict  # type: ignore[misc]


def test_only_those_that_were_made_up_count_as_protected() -> None:
    left = [seen_face(index=index, status="left_alone") for index in (0, 2)]
    faces: list[FaceReport] = [left[0], protected_face(index=1), left[1], protected_face(index=3)]
    assert [face.index for face in protected(faces)] == [1, 3]


@pytest.mark.parametrize("name", ["protect", "auto", "candidates", "faces"])
def test_faces_that_were_told_before_are_understood_and_told_alike_but_for_additions(name: str) -> None:
    output = json.loads((RECORDED / f"{name}.json").read_text())["output"]
    for recorded in [output["faces"], *(candidate["faces"] for candidate in output["candidates"])]:
        assert differences(recorded, FACES.dump_python(FACES.validate_python(recorded), mode="json")) == []
