"""Requests and what comes back: a model of the contract, or an error that says what is wrong."""

import warnings
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from diffam_client.contract.job import Job
from diffam_client.contract.problem import ProblemDocument
from diffam_client.errors import AnswerUnreadable, Unreachable, refusal
from diffam_client.retrying import ONCE, retry_after_s
from diffam_client.wire import Listening, Wire

Model = TypeVar("Model", bound=BaseModel)


async def ask(wire: Wire, method: str, path: str, **content: Any) -> httpx.Response:
    """The answer, if it is no problem. content: what `httpx` takes. Raises Unreachable, Refused."""
    request = wire.http.build_request(method, path, **content)
    with reaching(request):
        response = await wire.exchange(request)
    return checked(response)


@asynccontextmanager
async def heard(wire: Wire, path: str, headers: Mapping[str, str], timeout_s: float) -> AsyncIterator[Listening]:
    """An answer to read as it comes, asked for once. timeout_s: of its longest silence. Raises Unreachable, Refused."""
    timeout = httpx.Timeout(wire.http.timeout.write, read=timeout_s, connect=wire.http.timeout.connect)
    request = wire.http.build_request("GET", path, headers=dict(headers), timeout=timeout, extensions=ONCE)
    with reaching(request):
        async with wire.listen(request) as listening:
            if not listening.response.is_success:
                await listening.read()
            checked(listening.response)
            yield listening


@contextmanager
def reaching(request: httpx.Request) -> Iterator[None]:
    """Raises Unreachable where the network fails inside the block."""
    try:
        yield
    except httpx.TransportError as error:
        origin = f"{request.url.scheme}://{request.url.netloc.decode()}"
        raise Unreachable(f"no answer from {origin}: {error or type(error).__name__}") from error


def checked(response: httpx.Response) -> httpx.Response:
    """The response, unless it is a problem; warns where the service says that the call will go. Raises Refused."""
    if since := response.headers.get("Deprecation"):
        request, sunset = response.request, response.headers.get("Sunset", "a day that is not known yet")
        told = f"{request.method} {request.url.path}, or a field of it, is deprecated ({since}) until {sunset}"
        warnings.warn(told, DeprecationWarning, stacklevel=2)
    if response.is_success:
        return response
    raise refusal(_problem(response), retry_after_s(response))


def _problem(response: httpx.Response) -> ProblemDocument:
    """The problem document, or one in its place: a proxy says no in words of its own."""
    try:
        return ProblemDocument.model_validate_json(response.content, extra="ignore")
    except ValidationError:
        status, where = response.status_code, response.headers.get("Location")
        return ProblemDocument(
            type="about:blank",
            title=response.reason_phrase or f"HTTP {status}",
            status=status,
            detail=f"HTTP {status} from {response.request.url.path}" + (f", which points to {where}" if where else ""),
            code=f"http_{status}",
            retryable=status in (429, 502, 503, 504),
            request_id="",
        )


def read(model: type[Model], response: httpx.Response) -> Model:
    """The answer as a model. What a later service tells besides is passed over. Raises AnswerUnreadable."""
    return _understood(model, _json(response), response)


def read_job(response: httpx.Response) -> Job:
    """The job. How far it is in words that only a later service knows, is not told. Raises AnswerUnreadable."""
    told = _json(response)
    try:
        return Job.model_validate(told, extra="ignore")
    except ValidationError as error:
        if isinstance(told, dict) and {place["loc"][0] for place in error.errors() if place["loc"]} == {"progress"}:
            told = told | {"progress": None}
        return _understood(Job, told, response)


def _json(response: httpx.Response) -> Any:
    try:
        return from_json(response.content)
    except ValueError as error:
        raise AnswerUnreadable(f"{response.request.url.path} answers no JSON: is this a DiffAM service?") from error


def _understood(model: type[Model], told: Any, response: httpx.Response) -> Model:
    try:
        return model.model_validate(told, extra="ignore")
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        path = response.request.url.path
        raise AnswerUnreadable(f"{path} answers in words unknown here: {place}: {first['msg']}") from error
