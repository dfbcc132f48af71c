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


def fields_of(document: Schema, name: str) -> Any:
    return schema_of(document, name)["properties"]


def answers_of(document: Schema, path: str, method: str = "get") -> Any:
    return document["paths"][path][method]["responses"]


def stream_of(document: Schema) -> Any:
    return answers_of(document, "/v1/jobs/{job_id}/events")["200"]["content"]["text/event-stream"]


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
    (
        lambda d: form_of(d)["properties"]["regions"].update(pattern="^(lips|eyes)$"),
        "POST /v1/jobs: body multipart/form-data: regions has another pattern: "
        "^(lips|eyes|skin)(,(lips|eyes|skin))*$ was, ^(lips|eyes)$ is",
    ),
    (
        lambda d: form_of(d)["properties"]["strength"].update(exclusiveMinimum=0),
        "POST /v1/jobs: body multipart/form-data: strength has a narrower exclusiveMinimum: None was, 0 is",
    ),
    (
        lambda d: form_of(d)["properties"]["quality"].update(exclusiveMaximum=90),
        "POST /v1/jobs: body multipart/form-data: quality has a narrower exclusiveMaximum: None was, 90 is",
    ),
    (
        lambda d: d["paths"]["/v1/jobs/{job_id}/retry"]["post"].update(requestBody={"required": True}),
        "POST /v1/jobs/{job_id}/retry: body is needed now",
    ),
    (
        lambda d: d["paths"]["/v1/jobs"]["post"].update(security=[{"key": ["admin"]}, {}]),
        "POST /v1/jobs is not open to {'key': ['submit']} any more",
    ),
    (
        lambda d: d["paths"]["/v1/limits"]["get"]["security"].remove({}),
        "GET /v1/limits is not open to everybody any more",
    ),
    (lambda d: answers_of(d, "/v1/jobs", "post").pop("409"), "POST /v1/jobs answers 409 no more"),
    (
        lambda d: answers_of(d, "/v1/jobs", "post")["409"]["content"]["application/problem+json"].pop("examples"),
        "POST /v1/jobs 409 is never request_in_progress",
    ),
    (
        lambda d: answers_of(d, "/v1/jobs/{job_id}/result")["200"]["content"].pop("image/avif"),
        "GET /v1/jobs/{job_id}/result 200 is image/avif no more",
    ),
    (
        lambda d: answers_of(d, "/v1/jobs", "post")["202"]["headers"].pop("Location"),
        "POST /v1/jobs 202.Location is gone",
    ),
    (lambda d: fields_of(d, "ProblemDocument").pop("code"), "GET /v1/limits 401.code is gone"),
    (lambda d: fields_of(d, "ProblemDocument").pop("errors"), "POST /v1/jobs 422.errors is gone"),
    (
        lambda d: fields_of(d, "Job")["status"].update(enum=["queued", "running", "done"]),
        "GET /v1/jobs/{job_id} 200.status is never canceled, failed, succeeded",
    ),
    (
        lambda d: fields_of(d, "Survival").pop("found_again"),
        "GET /v1/jobs/{job_id} 200.output.faces[].survival.*.found_again is gone",
    ),
    (
        lambda d: fields_of(d, "Event").pop("progress"),
        "GET /v1/jobs/{job_id}/events 200.data content.progress is gone",
    ),
    (
        lambda d: stream_of(d).update(itemSchema={"type": "object"}),
        "GET /v1/jobs/{job_id}/events 200.data is gone",
    ),
    (
        lambda d: stream_of(d).update(schema=stream_of(d).pop("itemSchema")),
        "GET /v1/jobs/{job_id}/events 200 has no itemSchema any more",
    ),
    (lambda d: d["webhooks"].pop("job.failed"), "webhook job.failed is gone"),
    (lambda d: fields_of(d, "JobEvent").pop("client_ref"), "webhook job.failed.data.client_ref is gone"),
    (
        lambda d: schema_of(d, "Challenge")["required"].append("secret"),
        "webhook endpoint.verification: 200: body application/json: secret is needed now",
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
    del form_of(changed)["properties"]["undo_key"]["pattern"]
    changed["paths"]["/v1/jobs"]["post"]["security"] = [{"key": []}, {}]
    del changed["paths"]["/v1/limits"]["get"]["security"]
    fields_of(changed, "JobEvent")["attempt"] = {"type": "integer"}
    changed["webhooks"]["job.paused"] = changed["webhooks"]["job.failed"]
    assert list(broken(released, changed)) == []
