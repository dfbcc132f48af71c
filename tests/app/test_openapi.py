"""Whoever reads `/openapi.json` is told what every field of a job means."""

from collections.abc import Iterator
from typing import Any

import pytest

from app.main import create_app
from jobs.settings import Settings
from model_store.catalog import BUNDLES

Schema = dict[str, Any]
SHAPES = ("$ref", "type", "anyOf", "oneOf", "enum", "const")


@pytest.fixture(scope="module")
def document() -> Schema:
    """The OpenAPI document of the service."""
    settings = Settings(_env_file=None, redis_url="redis://nowhere", bundles_dir=BUNDLES, bundle="mini")
    return create_app(settings).openapi()


def untold(document: Schema, schema: Schema, place: str, seen: set[str]) -> Iterator[str]:
    """What a schema and all that it is made of leave unsaid: fields without a description, values of any shape."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        if name in seen:
            return
        seen.add(name)
        yield from untold(document, document["components"]["schemas"][name], name, seen)
        return
    if not any(word in schema for word in SHAPES):
        yield f"{place} may be anything"
    if schema.get("type") == "object" and not (schema.get("properties") or schema.get("additionalProperties")):
        yield f"{place} is an object of unknown fields"
    if schema.get("type") == "array" and not (schema.get("items") or schema.get("prefixItems")):
        yield f"{place} is a list of unknown items"
    for name, field in schema.get("properties", {}).items():
        if not field.get("description"):
            yield f"{place}.{name} has no description"
        yield from untold(document, field, f"{place}.{name}", seen)
    inner = [*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("prefixItems", ())]
    inner += [schema[word] for word in ("items", "additionalProperties") if isinstance(schema.get(word), dict)]
    for part in inner:
        yield from untold(document, part, place, seen)


def test_every_field_of_a_job_is_described_and_none_is_a_bare_object(document: Schema) -> None:
    seen: set[str] = set()
    assert list(untold(document, {"$ref": "#/components/schemas/Job"}, "Job", seen)) == []
    assert {"Job", "Output", "Progress", "Timings", "JobError", "Candidate", "OutputPhoto", "StyleInput"} < seen
    assert {"SeenFace", "ProtectedFace", "Match", "Survival", "Verdict", "Scores", "StrengthSearch", "Trial"} < seen


def test_what_is_left_unsaid_is_found() -> None:
    bad = {
        "type": "object",
        "properties": {"a": {"type": "object", "description": "x"}, "b": {"type": "string"}, "c": {"description": "x"}},
    }
    assert list(untold({}, bad, "Bad", set())) == [
        "Bad.a is an object of unknown fields", "Bad.b has no description", "Bad.c may be anything",
    ]  # fmt: skip


def test_a_face_is_told_by_its_status_and_the_score_table_has_its_columns(document: Schema) -> None:
    schemas = document["components"]["schemas"]
    face = schemas["Output"]["properties"]["faces"]["items"]
    assert face["discriminator"]["propertyName"] == "status"
    assert set(face["discriminator"]["mapping"]) == {"found", "left_alone", "protected"}
    assert list(schemas["Match"]["properties"]) == [
        "name", "role", "own_match_before", "own_match", "target_match_before", "target_match", "threshold_far_0.01",
        "dodged", "impersonated",
    ]  # fmt: skip


def test_every_answer_about_a_job_has_the_shape_of_a_job(document: Schema) -> None:
    job = {"$ref": "#/components/schemas/Job"}
    asked = [("/v1/jobs", "post", "202"), ("/v1/jobs/{job_id}", "get", "200"), ("/v1/faces", "post", "202")]
    for path, method, status in asked:
        answer = document["paths"][path][method]["responses"][status]
        assert answer["content"]["application/json"]["schema"] == job
