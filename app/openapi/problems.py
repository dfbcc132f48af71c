"""Which problems a call may answer with: a response for every status, in it an example for every code."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from app.codes import FACTS, IN_A_JOB
from app.problem import RETRY_AFTER_S, Problem, document_of
from app.serving.door import PROBES, READS
from app.serving.gate import is_open_to_all, makes_a_job, scope_of

Responses = dict[int | str, dict[str, Any]]

MEDIA_TYPE = "application/problem+json"
FORM_TYPE = "multipart/form-data"
REQUEST_ID = "e53e7455ae13ac0d"

ANY_JOB = ("unknown_job", "erased_job")
"""Of a call that names a job."""
NEW_JOB = ("queue_full", "store_full", "too_many_jobs", "erased_job")
"""Of a call that makes a job, or finds the one that it made before."""
SENT_ONCE = (*NEW_JOB, "request_in_progress", "missing_field")
PHOTO = tuple(code for code, fact in FACTS.items() if code.startswith("photo_") and fact.status != IN_A_JOB)
WEBHOOK = tuple(code for code, fact in FACTS.items() if code.startswith("webhook") and fact.status != IN_A_JOB)


def problems(*codes: str) -> Responses:
    """What a route says of its errors; `at_the_door` adds those of every request. codes: keys of FACTS."""
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys(("invalid_field", *codes)):
        by_status.setdefault(FACTS[code].status, []).append(code)
    return {status: _response(status, each) for status, each in by_status.items()}


def add_problems(operation: dict[str, Any], codes: Iterable[str]) -> None:
    """Tell in an operation of the document that these are possible, too."""
    responses = operation["responses"]
    for code in codes:
        status = FACTS[code].status
        told = responses.setdefault(str(status), _response(status, []))
        told["content"][MEDIA_TYPE]["examples"] |= _examples([code])
    operation["responses"] = dict(sorted(responses.items()))


def at_the_door(method: str, path: str, operation: Mapping[str, Any]) -> list[str]:
    """What may be answered before a route is asked, or whatever it does. path: the route's template."""
    codes = ["malformed_request", "internal", "shutting_down"]
    codes += [] if path in PROBES else ["host_not_allowed"]
    codes += [] if method in READS else ["origin_not_allowed"]
    if not is_open_to_all(path):
        codes += ["key_missing", "key_refused", "wrong_keys_exceeded"]
        codes += ["rate_exceeded", "keys_damaged", "ledger_unavailable"]
        codes += ["scope_missing"] if scope_of(method, path) else []
    codes += ["too_many_jobs"] if makes_a_job(method, path) else []
    if "requestBody" in operation:
        codes += ["upload_too_slow", "upload_too_large", "media_type_unsupported"]
        if FORM_TYPE in operation["requestBody"]["content"]:
            codes += ["too_many_uploads", "bytes_exceeded"]
    return codes


def problem_examples() -> dict[str, Any]:
    """By code, the document that answers it; for `components/examples`."""
    answers = (code for code, fact in FACTS.items() if fact.status != IN_A_JOB)
    documents = {code: document_of(Problem(code, FACTS[code].explanation), REQUEST_ID) for code in answers}
    return {code: {"summary": each.title, "value": each.model_dump()} for code, each in documents.items()}


def _response(status: int, codes: list[str]) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/ProblemDocument"}
    response: dict[str, Any] = {
        "description": HTTPStatus(status).phrase,
        "content": {MEDIA_TYPE: {"schema": schema, "examples": _examples(codes)}},
    }
    if status in RETRY_AFTER_S:
        response["headers"] = {"Retry-After": {"$ref": "#/components/headers/RetryAfter"}}
    if status == HTTPStatus.UNAUTHORIZED:
        response["headers"] = {"WWW-Authenticate": {"$ref": "#/components/headers/Challenge"}}
    return response


def _examples(codes: Iterable[str]) -> dict[str, Any]:
    return {code: {"$ref": f"#/components/examples/{code}"} for code in codes}
