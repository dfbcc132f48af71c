"""Every error answer, RFC 9457 `application/problem+json`; `app.codes` says what each code means."""

import errno
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from app.codes import FACTS, IN_A_JOB, address_of, title_of
from app.methods import allowed_methods
from app.photo.canonical import PhotoRejected
from diffam_client.contract.problem import FieldError, ProblemDocument
from jobs.errors import LedgerError
from model_store.errors import StoreError

log = structlog.get_logger()

CODE_OF_STATUS = {400: "malformed_request", 404: "not_found", 405: "method_not_allowed"}
RETRY_AFTER_S = {409: 1, 429: 5, 503: 5}
MAX_ERRORS = 100  # a body of 64 KiB can be wrong in thousands of places


@dataclass(eq=False)  # an exception must stay hashable
class Problem(Exception):
    """Something about the request itself; `code` is a key of FACTS. `errors`: all fields at fault, if it is fields."""

    code: str
    detail: str
    param: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    errors: Sequence[FieldError] = ()


def problem_response(problem: Problem, request_id: str) -> Response:
    """The answer to send for `problem`."""
    fact, document = FACTS[problem.code], document_of(problem, request_id)
    headers = dict(problem.headers)
    if fact.is_retryable and fact.status in RETRY_AFTER_S:
        headers.setdefault("Retry-After", str(RETRY_AFTER_S[fact.status]))
    return Response(document.model_dump_json(), fact.status, headers, "application/problem+json")


def document_of(problem: Problem, request_id: str) -> ProblemDocument:
    """What is said of `problem`."""
    fact = FACTS[problem.code]
    param = problem.param or fact.param
    errors = list(problem.errors)
    if param and not errors:
        errors = [FieldError(param=param, code=problem.code, detail=problem.detail)]
    return ProblemDocument(
        type=address_of(problem.code),
        title=title_of(problem.code),
        status=fact.status,
        detail=problem.detail,
        code=problem.code,
        param=param,
        retryable=fact.is_retryable,
        request_id=request_id,
        errors=errors,
    )


def field_problem(errors: Sequence[FieldError]) -> Problem:
    """The problem of a request with wrong fields, at least one."""
    first = errors[0]
    return Problem(first.code, first.detail, first.param, errors=errors[:MAX_ERRORS])


def field_error(found: Mapping[str, Any], source_parts: int = 0) -> FieldError:
    """What pydantic found, in our words. source_parts: how many parts of its place say only where fields come from."""
    place = found["loc"][source_parts:] or found["loc"]
    code = "missing_field" if found["type"] == "missing" else "invalid_field"
    return FieldError(param=_told(".".join(str(part) for part in place)), code=code, detail=_told(found["msg"]))


@contextmanager
def noted(errors: list[FieldError]) -> Iterator[None]:
    """Add to `errors` the field that the store refuses inside the block, and go on after it. Raises StoreError."""
    try:
        yield
    except StoreError as error:
        problem = to_problem(error)
        param = FACTS[problem.code].param
        if param is None:
            raise
        errors.append(FieldError(param=param, code=problem.code, detail=problem.detail))


def to_problem(error: Exception) -> Problem:
    """What a caller may know about `error`."""
    match error:
        case Problem():
            return error
        case StoreError(code=code, told=str(told)) if _is_answer(code):
            return Problem(code, told)
        case PhotoRejected(code=code) | StoreError(code=code) | LedgerError(code=code) if _is_answer(code):
            return Problem(code, str(error))
        case HTTPException(__cause__=Problem() | ClientDisconnect() as cause):  # it came while FastAPI read the body
            return to_problem(cause)
        case HTTPException(status_code=status) if status in CODE_OF_STATUS:
            return Problem(CODE_OF_STATUS[status], str(error.detail), headers=error.headers or {})
        case RequestValidationError():
            return _validation_problem(error)
        case ClientDisconnect():
            return Problem("malformed_request", "the request ended before its body did")
        case RedisError():
            log.error("ledger_unavailable", error=type(error).__name__)
            return Problem("ledger_unavailable", "the job ledger cannot be reached")
        case OSError(errno=errno.ENOSPC):
            return Problem("store_full", "no room on disk for this upload")
        case _:
            return Problem("internal", "an error of ours; it has been noted")


def register_problems(app: FastAPI) -> None:
    """Answer every exception that is foreseen with a problem document; the envelope answers the others."""

    async def answer(request: Request, error: Exception) -> Response:
        problem = to_problem(error)
        if problem.code == "method_not_allowed":
            problem = Problem(problem.code, problem.detail, headers={"Allow": ", ".join(allowed_methods(request))})
        return problem_response(problem, request.state.request_id)

    known = (Problem, PhotoRejected, StoreError, LedgerError, RedisError, ClientDisconnect)
    for kind in (*known, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, answer)


def _validation_problem(error: RequestValidationError) -> Problem:
    found = error.errors()
    if isinstance(error.body, bytes) and error.body:  # FastAPI reads as JSON only what says that it is
        return Problem("media_type_unsupported", "send this as application/json")
    if found[0]["type"] == "json_invalid":
        at, why = found[0]["loc"][-1], found[0]["ctx"]["error"]
        return Problem("malformed_request", f"the body is no JSON: {why} at character {at}")
    return field_problem([field_error(each, source_parts=1) for each in found])


def _is_answer(code: str) -> bool:
    return code in FACTS and FACTS[code].status != IN_A_JOB


def _told(text: str) -> str:
    """`text` without the lone surrogates that JSON can smuggle in: no answer could be encoded with them."""
    return text.encode("utf-8", "replace").decode()
