"""What a client reads of a job is what it read when the answers were recorded: fields may come, none may go."""

import json
from typing import Any

import pytest

from jobs.webhooks.secrets import secret_of
from tests.receiver import receiving
from tests.story.conftest import Service
from tests.story.recording import FOLDER, answer, differences, requests, settled, stale, unlike
from tests.story.tour import of_offers, of_photos

pytestmark = pytest.mark.xdist_group("service")


@pytest.mark.parametrize("name", ["protect", "auto", "candidates", "faces"])
def test_a_recorded_request_is_answered_as_it_was(service: Service, name: str) -> None:
    recorded = json.loads((FOLDER / f"{name}.json").read_text())
    assert differences(recorded, settled(answer(service.client, requests()[name]))) == []


@pytest.mark.parametrize(
    ("now", "told"),
    [
        ({"a": 1, "b": [0.5, None]}, []),
        ({"a": 1, "b": [0.501, None], "c": "new"}, []),
        ({"a": 1, "b": [0.51, None]}, ["job.b[0]: 0.5 is 0.51"]),
        ({"a": True, "b": [0.5, None]}, ["job.a: 1 is True"]),
        ({"a": 1.0, "b": [0.5, None]}, ["job.a: 1 is 1.0"]),
        ({"b": [0.5, 0]}, ["job.a is gone", "job.b[1]: None is 0"]),
        ({"a": 1, "b": [0.5]}, ["job.b: [0.5, None] is [0.5]"]),
    ],
)
def test_a_difference_is_found_and_an_addition_is_none(now: Any, told: list[str]) -> None:
    assert differences({"a": 1, "b": [0.5, None]}, now) == told


def test_the_examples_of_the_document_are_what_the_service_answers(service: Service) -> None:
    secret_of(service.settings.webhooks, "")
    answers: dict[str, Any] = {}
    try:
        with receiving() as hook:
            answers.update(of_photos(service.client, hook.url))
        answers.update(of_offers(service.client))
    finally:
        for job_id in {told["id"] for told in answers.values() if isinstance(told, dict) and "id" in told}:
            service.client.delete(f"/v1/jobs/{job_id}")
    assert stale(answers) == []


@pytest.mark.parametrize(
    ("now", "told"),
    [
        ({"a": 2, "b": [], "c": "x", "d": 'data: {"e": 3}'}, []),
        ({"a": 2.0, "b": [{"f": 1}, {}], "c": None, "d": None}, ["job.a: 1 is 2.0", "job.b[].f is in one only"]),
        ({"b": [], "c": 1, "d": "data: {}", "h": 0}, [f"job.{at} is in one only" for at in ("a", "h", "d[].e")]),
    ],
)
def test_an_example_is_stale_where_fields_or_kinds_differ(now: Any, told: list[str]) -> None:
    then = {"a": 1, "b": [{"f": 1}], "c": None, "d": 'data: {"e": 1}'}
    assert unlike(then, now, "job") == told
