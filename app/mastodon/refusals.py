"""How a Mastodon client is told what went wrong: in the one word that all of them look for, `error`."""

import json
from collections.abc import Mapping

from fastapi import Response

from app.codes import FACTS
from app.problem import RETRY_AFTER_S, Problem


def refusal(problem: Problem, request_id: str) -> Response:
    """The answer to send for `problem`, at the facade."""
    fact = FACTS[problem.code]
    headers = dict(problem.headers)
    if fact.is_retryable and fact.status in RETRY_AFTER_S:
        headers.setdefault("Retry-After", str(RETRY_AFTER_S[fact.status]))
    return told(fact.status, {"error": problem.detail, "code": problem.code, "request_id": request_id}, headers)


def told(status: int, document: object, headers: Mapping[str, str] | None = None) -> Response:
    """JSON, as it is."""
    return Response(json.dumps(document), status, headers, "application/json")
