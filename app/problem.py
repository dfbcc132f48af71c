"""Every error answer, RFC 9457 `application/problem+json`, and the one table from code to status."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import NamedTuple

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from app.photo import PhotoRejected
from jobs.errors import LedgerError
from model_store.errors import StoreError

log = structlog.get_logger()


class Fact(NamedTuple):
    """What a code means over HTTP; `param` is the form field at fault."""

    status: int
    param: str | None = None
    is_retryable: bool = False


FACTS: Mapping[str, Fact] = {
    "malformed_request": Fact(400),
    "not_found": Fact(404),
    "unknown_job": Fact(404),
    "method_not_allowed": Fact(405),
    "upload_too_slow": Fact(408, is_retryable=True),
    "result_not_ready": Fact(409, is_retryable=True),
    "job_failed": Fact(409),
    "job_over": Fact(409),
    "reference_exists": Fact(409, "reference_id"),
    "style_exists": Fact(409, "target_id"),
    "reference_shipped": Fact(409, "reference_id"),
    "erased_job": Fact(410),
    "upload_too_large": Fact(413, "photo"),
    "photo_too_large": Fact(413, "photo"),
    "media_type_unsupported": Fact(415),
    "photo_format_unsupported": Fact(415, "photo"),
    "photo_empty": Fact(422, "photo"),
    "photo_damaged": Fact(422, "photo"),
    "photo_animated": Fact(422, "photo"),
    "photo_too_small": Fact(422, "photo"),
    "photo_transparent": Fact(422, "photo"),
    "missing_field": Fact(422),
    "invalid_field": Fact(422),
    "unknown_reference": Fact(422, "reference_id"),
    "unknown_target": Fact(422, "target_id"),
    "style_not_trained": Fact(422, "target_id"),
    "name_invalid": Fact(422, "reference_id"),
    "unknown_recogniser": Fact(422, "held_out"),
    "held_out_attacked": Fact(422, "held_out"),
    "internal": Fact(500),
    "queue_full": Fact(503, is_retryable=True),
    "store_full": Fact(503, is_retryable=True),
    "ledger_unavailable": Fact(503, is_retryable=True),
    "no_worker": Fact(503, is_retryable=True),
}
CODE_OF_STATUS = {400: "malformed_request", 404: "not_found", 405: "method_not_allowed"}
RETRY_AFTER_S = {409: 1, 503: 5}


@dataclass(eq=False)  # an exception must stay hashable
class Problem(Exception):
    """Something about the request itself; `code` is a key of FACTS."""

    code: str
    detail: str
    param: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class ProblemDocument(BaseModel):
    """The body of every error answer. `retryable`: the same request may succeed later."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    param: str | None = None
    retryable: bool
    request_id: str


PROBLEMS = {
    "default": {
        "description": "What went wrong, as a problem document",
        "content": {"application/problem+json": {"schema": ProblemDocument.model_json_schema()}},
    }
}


def problem_response(problem: Problem, request_id: str) -> Response:
    """The answer to send for `problem`."""
    fact = FACTS[problem.code]
    document = ProblemDocument(
        title=HTTPStatus(fact.status).phrase,
        status=fact.status,
        detail=problem.detail,
        code=problem.code,
        param=problem.param or fact.param,
        retryable=fact.is_retryable,
        request_id=request_id,
    )
    headers = dict(problem.headers)
    if fact.is_retryable and fact.status in RETRY_AFTER_S:
        headers["Retry-After"] = str(RETRY_AFTER_S[fact.status])
    return Response(document.model_dump_json(), fact.status, headers, "application/problem+json")


def to_problem(error: Exception) -> Problem:
    """What a caller may know about `error`."""
    match error:
        case Problem():
            return error
        case StoreError(code=code, told=str(told)) if code in FACTS:
            return Problem(code, told)
        case PhotoRejected(code=code) | StoreError(code=code) | LedgerError(code=code) if code in FACTS:
            return Problem(code, str(error))
        case HTTPException(status_code=status) if status in CODE_OF_STATUS:
            return Problem(CODE_OF_STATUS[status], str(error.detail), headers=error.headers or {})
        case RequestValidationError():
            first = error.errors()[0]
            code = "missing_field" if first["type"] == "missing" else "invalid_field"
            return Problem(code, first["msg"], param=str(first["loc"][-1]))
        case ClientDisconnect():
            return Problem("malformed_request", "the request ended before its body did")
        case RedisError():
            log.error("ledger_unavailable", error=type(error).__name__)
            return Problem("ledger_unavailable", "the job ledger cannot be reached")
        case _:
            return Problem("internal", "an error of ours; it has been noted")


def register_problems(app: FastAPI) -> None:
    """Answer every exception with a problem document. Unforeseen ones are still raised to the server's log."""

    async def answer(request: Request, error: Exception) -> Response:
        return problem_response(to_problem(error), request.state.request_id)

    known = (Problem, PhotoRejected, StoreError, LedgerError, RedisError, ClientDisconnect)
    for kind in (*known, HTTPException, RequestValidationError, Exception):
        app.add_exception_handler(kind, answer)
