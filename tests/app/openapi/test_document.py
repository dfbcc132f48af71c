"""Whoever reads `/openapi.json` is told what every field of a job means, and what every call may answer, by example."""

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from app.codes import FACTS, IN_A_JOB
from app.main import create_app
from app.openapi.examples import recorded_examples
from jobs.settings import Settings
from model_store.catalog import BUNDLES

Schema = dict[str, Any]
NOT_TOLD_OF = {
    "method_not_allowed",  # no call that is; the others are answered to Mastodon's calls, as Mastodon answers
    "film_refused", "instance_unreachable", "media_failed", "media_not_ready", "media_refused", "not_passed_on",
}  # fmt: skip
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


def calls(document: Schema) -> Iterator[tuple[str, Schema]]:
    """Every operation, by its method and path."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield f"{method.upper()} {path}", operation


def found(document: Schema, told: Schema) -> Any:
    """What a reference leads to, or the thing itself. Raises KeyError."""
    if "$ref" not in told:
        return told
    place: Any = document
    for part in told["$ref"].removeprefix("#/").split("/"):
        place = place[part]
    return place


def references(told: Any) -> Iterator[Schema]:
    """All of them, wherever they stand."""
    parts: list[Any] = list(told.values()) if isinstance(told, dict) else told if isinstance(told, list) else []
    if isinstance(told, dict) and isinstance(told.get("$ref"), str):
        yield told
    for part in parts:
        yield from references(part)


def fields_with_examples(told: Any, place: str = "") -> Iterator[tuple[str, Schema]]:
    """Every schema that has examples of its own."""
    if isinstance(told, dict):
        if isinstance(told.get("examples"), list):
            yield place, told
        for name, part in told.items():
            yield from fields_with_examples(part, f"{place}/{name}")
    elif isinstance(told, list):
        for number, part in enumerate(told):
            yield from fields_with_examples(part, f"{place}/{number}")


def test_every_reference_leads_somewhere(document: Schema) -> None:
    every = list(references(document))
    assert len(every) > 500
    for reference in every:
        found(document, reference)


def test_every_answer_with_a_text_has_an_example_that_fits_its_schema(document: Schema) -> None:
    seen = 0
    for call, operation in calls(document):
        for status, answer in operation["responses"].items():
            for media_type, content in answer.get("content", {}).items():
                if not media_type.endswith("json"):
                    continue
                validator = jsonschema_rs.validator_for({**content["schema"], "components": document["components"]})
                assert content["examples"], f"{call} {status}"
                for example in content["examples"].values():
                    validator.validate(found(document, example)["value"])
                    seen += 1
    assert seen > 300


def test_every_example_of_a_field_fits_its_schema(document: Schema) -> None:
    every = list(fields_with_examples(document))
    assert len(every) > 20
    for place, schema in every:
        validator = jsonschema_rs.validator_for({**schema, "components": document["components"]})
        assert all(validator.is_valid(example) for example in schema["examples"]), place


def test_no_recorded_answer_has_the_name_of_a_problem() -> None:
    assert recorded_examples().keys() & FACTS.keys() == set()


def test_a_wrong_example_would_be_found(document: Schema) -> None:
    wrong = document["components"]["examples"]["succeeded_job"]["value"] | {"status": "done"}
    validator = jsonschema_rs.validator_for({"$ref": "#/components/schemas/Job", "components": document["components"]})
    assert not validator.is_valid(wrong)


def test_every_code_is_told_where_it_may_be_answered(document: Schema) -> None:
    told = {
        (code, status)
        for _, operation in calls(document)
        for status, answer in operation["responses"].items()
        for code in answer.get("content", {}).get("application/problem+json", {}).get("examples", {})
    }
    answers = {(code, str(fact.status)) for code, fact in FACTS.items() if fact.status != IN_A_JOB}
    assert {code for code, _ in answers - told} == NOT_TOLD_OF
    assert told - answers == set()


def test_an_answer_that_is_a_job_links_to_whatever_may_be_done_with_it(document: Schema) -> None:
    ids = {operation["operationId"] for _, operation in calls(document)}
    links = document["paths"]["/v1/jobs"]["post"]["responses"]["202"]["links"]
    assert {"read_job", "read_events", "read_result", "cancel_job", "retry_job", "erase_job"} <= links.keys()
    assert {found(document, link)["operationId"] for link in links.values()} <= ids
