"""The OpenAPI document: what FastAPI tells of the routes, and what holds for all of them: keys, problems, links."""

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from app.openapi.examples import recorded_examples
from app.openapi.forms import without_null
from app.openapi.problems import Responses, add_problems, at_the_door, problem_examples
from app.serving.gate import is_open_to_all, scope_of
from app.webhooks.messages import Challenge, ChallengeMessage, EventMessage
from diffam_client.contract.job import Event
from diffam_client.contract.problem import ProblemDocument
from diffam_client.contract.webhook import EVENTS

Operation = dict[str, Any]

KEYS = {
    "type": "http",
    "scheme": "bearer",
    "description": "A key that `diffam keys create` showed. Where the operator made none, nobody needs one.",
}
JOB = "/v1/jobs/{job_id}"
OTHERWISE: Responses = {"default": {"description": "Sent again later; 410 stops all that would follow"}}
HEADERS = {
    "Location": ("string", "Where the job is"),
    "RetryAfter": ("integer", "Seconds after which it is worth coming back"),
    "ETag": ("string", "Send it as `If-None-Match`, and nothing comes twice"),
    "PreferenceApplied": ("string", "How long the answer waited at most, where `Prefer` asked for that"),
    "IdempotentReplayed": ("string", "`true`: the job was made by an earlier request"),
    "Challenge": ("string", "Which key is needed (RFC 6750)"),
}
OF_A_JOB = {
    "Location": "Location", "Retry-After": "RetryAfter", "ETag": "ETag", "Preference-Applied": "PreferenceApplied",
    "Idempotent-Replayed": "IdempotentReplayed",
}  # fmt: skip


def complete_document(app: FastAPI) -> None:
    """Have the application tell all of it."""
    plain = app.openapi
    _tell_of_webhooks(app)

    def complete() -> dict[str, Any]:
        is_new = app.openapi_schema is None
        document: dict[str, Any] = plain()
        if is_new:
            _complete(document)
        return document

    app.openapi = complete  # type: ignore[method-assign]  # FastAPI's own way to extend the document


def _complete(document: dict[str, Any]) -> None:
    components = document["components"]
    models = [(Event, "serialization"), (ProblemDocument, "serialization")]
    _, schemas = models_json_schema(models, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    for name in ("HTTPValidationError", "ValidationError"):  # FastAPI's own words for what our problems say
        components["schemas"].pop(name, None)
    components["schemas"] |= schemas["$defs"]
    components["examples"] = problem_examples() | recorded_examples()
    components["headers"] = {
        name: {"description": text, "schema": {"type": kind}} for name, (kind, text) in HEADERS.items()
    }
    components["securitySchemes"] = {"key": KEYS}
    for method, path, operation in _operations(document):
        add_problems(operation, at_the_door(method, path, operation))
        if not is_open_to_all(path):
            scope = scope_of(method, path)
            operation["security"] = [{"key": [scope] if scope else []}, {}]
        for parameter in operation.get("parameters", ()):
            parameter["schema"] = without_null(parameter["schema"])
    components["links"] = _links(document)
    for response in _answers_of_a_job(document):
        response["links"] = {name: {"$ref": f"#/components/links/{name}"} for name in components["links"]}
        response["headers"] = {name: {"$ref": f"#/components/headers/{each}"} for name, each in OF_A_JOB.items()}


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Operation]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield method.upper(), path, operation


def _links(document: Mapping[str, Any]) -> dict[str, Any]:
    """To everything that may be done with a job, from an answer that is one."""
    return {
        operation["operationId"].partition("_v1_")[0]: {
            "operationId": operation["operationId"],
            "parameters": {"job_id": "$response.body#/id"},
        }
        for method, path, operation in _operations(document)
        if path.startswith(JOB) and method != "PUT"
    }


def _answers_of_a_job(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for _, _, operation in _operations(document):
        for response in operation["responses"].values():
            schema = response.get("content", {}).get("application/json", {}).get("schema")
            if schema == {"$ref": "#/components/schemas/Job"}:
                yield response


def _tell_of_webhooks(app: FastAPI) -> None:
    """Say what a `webhook_url` is sent, and what it is to answer."""

    def told(message: EventMessage) -> None:
        """Sent to the `webhook_url` of a job, signed as Standard Webhooks are; any 2xx takes it, 410 stops them all."""

    def challenged(message: ChallengeMessage) -> Challenge:
        """Sent before the first message, and signed like it: whoever does not answer it is sent nothing else."""
        return message.data

    for event in EVENTS:
        app.webhooks.post(event, tags=["webhooks"], responses=OTHERWISE)(told)
    app.webhooks.post("endpoint.verification", tags=["webhooks"], responses=OTHERWISE)(challenged)
