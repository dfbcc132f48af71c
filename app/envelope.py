"""What surrounds every request: an id, a look at who asks, bounds on its body, a line in the log, careful headers."""

import asyncio
import re
import secrets
from collections.abc import Sequence
from time import perf_counter

import anyio
import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.mastodon.refusals import refusal
from app.openapi.deprecation import deprecation_headers
from app.problem import Problem, problem_response, to_problem
from app.serving.allowance import admit, recognise
from app.serving.door import Door
from app.serving.guests import Guests
from app.serving.stopping import Stopping
from app.uploads import Place, Uploads
from jobs.access.keys import Guest, Key, Keyring
from jobs.settings import Settings
from jobs.tracing import traced, traceparent_of

log = structlog.get_logger()

REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
FORM_BYTES = 64 * 1024  # room for the fields and boundaries around the photo; and all that any other body may have
NO_ENCODING = {"Accept-Encoding": "identity"}


class Envelope:
    """ASGI middleware, because FastAPI has read the whole body before any dependency of a route runs."""

    def __init__(self, app: ASGIApp, settings: Settings, stopping: Stopping, keyring: Keyring) -> None:
        self._app = app
        self._keyring = keyring
        self._door = Door(settings)
        self._guests = Guests(settings)
        self._uploads = Uploads(settings)
        self._stopping = stopping
        self._max_upload_bytes = settings.max_upload_bytes
        self._body_timeout_s = settings.upload_timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        offered = headers.get("x-request-id", "")
        request_id = offered if REQUEST_ID.fullmatch(offered) else secrets.token_hex(8)
        traceparent = traceparent_of(headers.getlist("traceparent"))
        scope.setdefault("state", {}).update(
            request_id=request_id, traceparent=traceparent, is_head=False, allowance={}, deprecation={}
        )
        started, status = perf_counter(), None

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                marked = MutableHeaders(scope=message)
                marked["X-Request-ID"] = request_id
                marked["X-Content-Type-Options"] = "nosniff"
                marked.setdefault("Cache-Control", "no-store")
                marked.update(scope["state"]["allowance"])
                marked.update(deprecation_headers(getattr(scope.get("route"), "openapi_extra", None)))
                marked.update(scope["state"]["deprecation"])
            await send(message)

        async def refuse(problem: Problem) -> None:
            answer = refusal if self._guests.are_asked_at(scope["path"]) else problem_response
            await answer(problem, request_id)(scope, receive, send_marked)

        with structlog.contextvars.bound_contextvars(request_id=request_id, **traced(traceparent)):
            try:
                await self._admitted(scope, headers, receive, send_marked)
            except Exception as error:  # every request must be answered, whatever happened
                problem = to_problem(error)
                if problem.code == "internal":
                    log.error("request_failed", exc_info=error)
                if status is not None:  # too late for another answer: the server cuts this one off
                    raise
                await refuse(problem)
            except asyncio.CancelledError:  # the server stops, and has waited as long as it may
                if status is None:
                    await refuse(shutting_down())
                raise
            finally:
                route = getattr(scope.get("route"), "path", None)  # the template: ids and names stay out of the log
                seconds = round(perf_counter() - started, 4)
                log.info("request_answered", method=scope["method"], route=route, status=status, seconds=seconds)

    async def _admitted(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        """Raises Problem before any of the body is read, if it is not to be."""
        _check_framing(headers)
        self._door.check(scope["method"], scope["path"], headers)
        askers = await self._askers(scope, headers)
        scope["state"]["key"] = askers[-1] if askers else None
        most_bytes = self._most_bytes(headers)
        for asker in askers:
            length = _length(headers)
            size_bytes = most_bytes if length is None else length
            await admit(scope, asker, size_bytes if _is_form(headers) else 0)
        place = self._place(headers, most_bytes)
        scope["state"]["place"] = place
        try:
            await self._app(scope, self._bounded(receive, most_bytes), send)
        finally:
            if place:
                place.give_back()

    async def _askers(self, scope: Scope, headers: Headers) -> Sequence[Key | Guest]:
        """Whom the request counts for, who asks last; nobody where no key is asked for.

        Raises Problem, KeysDamaged, RedisError.
        """
        if self._guests.are_asked_at(scope["path"]):
            return self._guests.of(scope, headers)
        key = await recognise(scope, self._keyring)
        return [key] if key else []

    def _most_bytes(self, headers: Headers) -> int:
        """What the body may have. Raises Problem: it says itself that it has more."""
        most_bytes = FORM_BYTES + (self._max_upload_bytes if _is_form(headers) else 0)
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise Problem("media_type_unsupported", "send the body without a content encoding", headers=NO_ENCODING)
        length = _length(headers)
        if length is not None and length > most_bytes:
            raise self._too_large(most_bytes, length)
        return most_bytes

    def _place(self, headers: Headers, most_bytes: int) -> Place | None:
        """The room that the upload takes, all that it may have if it does not say how much. Raises Problem."""
        if not _is_form(headers):
            return None
        length = _length(headers)
        return self._uploads.take(most_bytes if length is None else length)

    def _bounded(self, receive: Receive, most_bytes: int) -> Receive:
        """Count the bytes as they come and give the whole body `upload_timeout_s`. Raises Problem inside the app."""
        received, deadline = 0, anyio.current_time() + self._body_timeout_s
        is_complete = False

        async def receive_bounded() -> Message:
            nonlocal received, is_complete
            if is_complete:  # only the disconnect is left to come: a long poll may wait for it
                return await receive()
            message: Message = {}
            with self._stopping.patience(deadline - anyio.current_time()):
                message = await receive()
            if not message:
                raise shutting_down() if self._stopping.has_begun else self._too_slow()
            received += len(message.get("body", b""))
            is_complete = not message.get("more_body", False)
            if received > most_bytes:
                raise self._too_large(most_bytes, received)
            return message

        return receive_bounded

    def _too_large(self, most_bytes: int, size_bytes: int) -> Problem:
        if most_bytes == FORM_BYTES and size_bytes <= FORM_BYTES + self._max_upload_bytes:
            return Problem("media_type_unsupported", f"more than {FORM_BYTES} bytes: send it as multipart/form-data")
        return Problem("upload_too_large", f"a photo may have {self._max_upload_bytes} bytes at most")

    def _too_slow(self) -> Problem:
        return Problem("upload_too_slow", f"the body took over {self._body_timeout_s:g} s")


def shutting_down() -> Problem:
    """The answer to whatever is cut short when the server stops."""
    return Problem("shutting_down", "the service is stopping; send this again")


def _is_form(headers: Headers) -> bool:
    return headers.get("content-type", "").strip().lower().startswith("multipart/form-data")


def _check_framing(headers: Headers) -> None:
    """Raises Problem: the body says in two ways where it ends, and a proxy may have believed the other one.

    Hence the end of the connection, too: what follows may be the hidden half of a smuggled request (RFC 9112, 6.1).
    """
    if "content-length" in headers and "transfer-encoding" in headers:
        detail = "send either Content-Length or Transfer-Encoding, not both"
        raise Problem("malformed_request", detail, headers={"Connection": "close"})


def _length(headers: Headers) -> int | None:
    """As the body says itself; the server has checked that it is a number. None if its end shows only as it comes."""
    if "transfer-encoding" in headers:
        return None
    return int(headers.get("content-length", "0"))
