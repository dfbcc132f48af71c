"""What a client reads of a job is what it read when the answers were recorded: fields may come, none may go."""

import json
from typing import Any

import pytest

from tests.story.conftest import Service
from tests.story.recording import FOLDER, answer, differences, requests, settled

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
