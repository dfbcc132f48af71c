"""What surrounds every request: an id, a bound on its body, one line in the log, careful headers."""

import re
import secrets
from time import perf_counter

import anyio
import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.problem import Problem, problem_response
from jobs.settings import Settings

log = structlog.get_logger()

REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
FORM_BYTES = 64 * 1024  # room for the fields and boundaries around the photo
HANG_UP = {"Connection": "close"}  # the rest of the body is not wanted


class Envelope:
    """ASGI middleware, because FastAPI has read the whole body before any dependency of a route runs."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._max_body_bytes = settings.max_upload_bytes + FORM_BYTES
        self._body_timeout_s = settings.upload_timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        offered = headers.get("x-request-id", "")
        request_id = offered if REQUEST_ID.fullmatch(offered) else secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        started, status = perf_counter(), 500  # until something is sent

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                marked = MutableHeaders(scope=message)
                marked["X-Request-ID"] = request_id
                marked["X-Content-Type-Options"] = "nosniff"
                marked.setdefault("Cache-Control", "no-store")
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                length = headers.get("content-length", "0")
                if not length.isdecimal() or int(length) > self._max_body_bytes:
                    refusal = problem_response(self._too_large(), request_id)
                    await refusal(scope, receive, send_marked)
                else:
                    await self._app(scope, self._bounded(receive), send_marked)
            finally:
                route = getattr(scope.get("route"), "path", None)  # the template: ids and names stay out of the log
                seconds = round(perf_counter() - started, 4)
                log.info("request_answered", method=scope["method"], route=route, status=status, seconds=seconds)

    def _bounded(self, receive: Receive) -> Receive:
        """Count the bytes as they come and give the whole body `upload_timeout_s`. Raises Problem inside the app."""
        received, deadline = 0, anyio.current_time() + self._body_timeout_s
        is_complete = False

        async def receive_bounded() -> Message:
            nonlocal received, is_complete
            if is_complete:  # only the disconnect is left to come: a long poll may wait for it
                return await receive()
            try:
                with anyio.fail_after(deadline - anyio.current_time()):
                    message = await receive()
            except TimeoutError as error:
                raise self._too_slow() from error
            received += len(message.get("body", b""))
            is_complete = not message.get("more_body", False)
            if received > self._max_body_bytes:
                raise self._too_large()
            return message

        return receive_bounded

    def _too_large(self) -> Problem:
        most = self._max_body_bytes - FORM_BYTES
        return Problem("upload_too_large", f"a photo may have {most} bytes at most", headers=HANG_UP)

    def _too_slow(self) -> Problem:
        return Problem("upload_too_slow", f"the body took over {self._body_timeout_s:g} s", headers=HANG_UP)
