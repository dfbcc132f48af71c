"""What a client reads of a job is what it read when the answers were recorded: fields may come, none may go."""

import json
from typing import Any

import pytest

from tests.story.conftest import Service
from tests.story.recording import FOLDER, answer, requests, settled

pytestmark = pytest.mark.xdist_group("service")

TOLERANCE = 2e-3
"""Machines sum in different orders."""


def differences(then: Any, now: Any, place: str = "job") -> list[str]:
    """Where `now` says something else than `then`; what it says besides is no difference."""
    match then, now:
        case dict(), dict():
            lost = [f"{place}.{key} is gone" for key in then.keys() - now.keys()]
            kept = sorted(then.keys() & now.keys())
            return lost + [each for key in kept for each in differences(then[key], now[key], f"{place}.{key}")]
        case list(), list() if len(then) == len(now):
            pairs = enumerate(zip(then, now, strict=True))
            return [each for index, (a, b) in pairs for each in differences(a, b, f"{place}[{index}]")]
        case ((int() | float()), (int() | float())) if type(then) is type(now):
            return [] if now == pytest.approx(then, rel=TOLERANCE, abs=TOLERANCE) else [f"{place}: {then} is {now}"]
        case _:
            return [] if (type(then), then) == (type(now), now) else [f"{place}: {then!r} is {now!r}"]


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
