"""A client of the released API still works: nothing that `docs/openapi.json` promised is gone."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.released import RELEASED, Schema, broken, today

ASK_FIRST = (
    "docs/openapi.json promised otherwise; is it meant? Then tell in CHANGELOG.md and CONTRIBUTING.md says how to go on"
)


@pytest.fixture(scope="module")
def released() -> Schema:
    document: Schema = json.loads(RELEASED.read_text(encoding="utf-8"))
    return document


def form_of(document: Schema) -> Any:
    return document["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]


def schema_of(document: Schema, name: str) -> Any:
    return document["components"]["schemas"][name]


def test_nothing_that_was_promised_is_gone(released: Schema) -> None:
    assert list(broken(released, today())) == [], ASK_FIRST


Change = Callable[[Schema], object]
CHANGES: list[tuple[Change, str]] = [
    (lambda d: d["paths"].pop("/v1/limits"), "GET /v1/limits is gone"),
    (lambda d: d["paths"]["/v1/jobs/{job_id}"].pop("delete"), "DELETE /v1/jobs/{job_id} is gone"),
    (lambda d: d["paths"]["/v1/jobs"]["post"]["responses"].pop("202"), "POST /v1/jobs answers 202 no more"),
    (lambda d: schema_of(d, "Limits")["properties"].pop("photo"), "GET /v1/limits 200.photo is gone"),
    (lambda d: schema_of(d, "Limits")["required"].remove("photo"), "GET /v1/limits 200.photo may be missing"),
    (
        lambda d: schema_of(d, "PhotoLimits")["properties"]["max_bytes"].update(type="string"),
        "GET /v1/limits 200.photo.max_bytes may be string",
    ),
    (
        lambda d: schema_of(d, "Candidate")["properties"].pop("strength"),
        "GET /v1/jobs/{job_id} 200.output.candidates[].strength is gone",
    ),
    (
        lambda d: form_of(d)["properties"].pop("quality"),
        "POST /v1/jobs: body multipart/form-data: quality is taken no more",
    ),
    (lambda d: form_of(d)["required"].append("faces"), "POST /v1/jobs: body multipart/form-data: faces is needed now"),
    (
        lambda d: form_of(d)["properties"]["vary"].update(enum=["look"]),
        "POST /v1/jobs: body multipart/form-data: vary may not say strength any more",
    ),
    (
        lambda d: form_of(d)["properties"]["candidates"].update(maximum=2),
        "POST /v1/jobs: body multipart/form-data: candidates has a narrower maximum: 3 was, 2 is",
    ),
    (
        lambda d: form_of(d)["properties"]["quality"].update(type="string"),
        "POST /v1/jobs: body multipart/form-data: quality may not be integer any more",
    ),
]


@pytest.mark.parametrize(("change", "told"), CHANGES, ids=[told for _, told in CHANGES])
def test_a_breaking_change_is_told(released: Schema, change: Change, told: str) -> None:
    changed = copy.deepcopy(released)
    change(changed)
    assert told in list(broken(released, changed))


def test_what_is_added_breaks_nothing(released: Schema) -> None:
    changed = copy.deepcopy(released)
    form_of(changed)["properties"]["opacity"] = {"type": "string"}
    form_of(changed)["properties"]["candidates"]["maximum"] = 5
    form_of(changed)["properties"]["vary"]["enum"].append("light")
    schema_of(changed, "Limits")["properties"]["colours"] = {"type": "string"}
    schema_of(changed, "Job")["properties"]["status"]["enum"].append("paused")
    changed["paths"]["/v1/more"] = changed["paths"]["/v1/limits"]
    assert list(broken(released, changed)) == []
