"""The server under the application: uvicorn on h11, with the manners that it lacks.

Silent connections and half-sent heads end, whoever does not read is let go, a connection that ends after an answer says
so in it and stays open until the answer can have been read, and stopping is told to whatever still waits.
"""

import asyncio
import secrets
import socket
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import h11
import uvicorn
from fastapi import FastAPI
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.flow_control import CLOSE_HEADER
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from app.problem import Problem, problem_response
from app.serving.door import check_address
from app.serving.lingering import LingeringTransport
from app.serving.stopping import Stopping
from jobs.logs import configure_logging
from jobs.settings import Settings

GRACE_S = 3
CreateApp = Callable[[Settings, Stopping], FastAPI]


class Config(uvicorn.Config):
    """uvicorn's, from our settings. Addresses of clients are not logged."""

    def __init__(self, settings: Settings, app: FastAPI) -> None:
        super().__init__(
            app,
            host=settings.host,
            port=settings.port,
            http=Protocol,
            ws="none",
            log_config=None,
            log_level="error",  # what strangers send that is no HTTP is not worth a line each
            access_log=False,
            timeout_keep_alive=settings.keep_alive_s,
            timeout_graceful_shutdown=GRACE_S,
        )
        self.settings = settings


class Server(uvicorn.Server):
    """Tells the application that it stops, before it waits for what is under way."""

    def __init__(self, settings: Settings, create_app: CreateApp) -> None:
        self._stopping = Stopping()
        super().__init__(Config(settings, create_app(settings, self._stopping)))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Uploads end with a problem, long polls with the job as it stands."""
        self._stopping.begin()
        await super().shutdown(sockets)


class Protocol(H11Protocol):
    """One connection."""

    def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, Any], _loop: Any = None) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._settings = config.settings
        self._head_timer: asyncio.TimerHandle | None = None
        self._reader_timer: asyncio.TimerHandle | None = None
        self._application = self.app
        self.app = self._announcing

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in H11Protocol
        """It must say what it wants soon."""
        super().connection_made(LingeringTransport(transport, self._is_cut_short))
        self._watch_head()

    def data_received(self, data: bytes) -> None:
        """After the last answer nothing that comes is wanted."""
        if not self.transport.is_closing():
            super().data_received(data)
            self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is left to wait for."""
        super().connection_lost(exc)
        self._forget_head()
        self._forget_reader()

    def pause_writing(self) -> None:
        """The client reads more slowly than we write; it must not stand still."""
        super().pause_writing()
        self._watch_reader()

    def resume_writing(self) -> None:
        """It has caught up."""
        super().resume_writing()
        self._forget_reader()

    def shutdown(self) -> None:
        """The server stops: whoever only reads the rest of an answer has had time for it."""
        if self.transport.is_closing():
            self.transport.abort()
        else:
            super().shutdown()

    def send_400_response(self, msg: str) -> None:
        """What is not HTTP is answered like any other mistake."""
        self._refuse("malformed_request", msg)

    def _is_cut_short(self) -> bool:
        """Whether the client may still be sending what nobody will read."""
        return self.conn.their_state in (h11.SEND_BODY, h11.ERROR)

    def _watch_head(self) -> None:
        if self.conn.their_state is not h11.IDLE:
            self._forget_head()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(self._settings.head_timeout_s, self._give_up_head)

    def _forget_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up_head(self) -> None:
        if self.transport.is_closing():
            return
        if self.conn.trailing_data[0]:
            self._refuse("upload_too_slow", f"the head took over {self._settings.head_timeout_s:g} s")
        self.transport.close()

    def _watch_reader(self) -> None:
        left_bytes = self.transport.get_write_buffer_size()
        self._reader_timer = self.loop.call_later(self._settings.upload_timeout_s, self._give_up_reader, left_bytes)

    def _forget_reader(self) -> None:
        if self._reader_timer is not None:
            self._reader_timer.cancel()

    def _give_up_reader(self, before_bytes: int) -> None:
        if self.transport.get_write_buffer_size() >= before_bytes:
            self.transport.abort()
        else:
            self._watch_reader()

    def _refuse(self, code: str, detail: str) -> None:
        """Answer what never became a request of the application, or stopped being one, and hang up."""
        if self.cycle and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            request_id = secrets.token_hex(8)
            answer = problem_response(Problem(code, detail), request_id)
            headers = [*answer.raw_headers, (b"x-request-id", request_id.encode()), CLOSE_HEADER]
            reason = HTTPStatus(answer.status_code).phrase.encode()
            head = h11.Response(status_code=answer.status_code, headers=headers, reason=reason)
            is_head = self.conn.our_state is h11.SEND_RESPONSE and self.scope["method"] == "HEAD"
            for event in (head, h11.Data(data=b"" if is_head else bytes(answer.body)), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    async def _announcing(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Say `Connection: close` in the answer where the connection is going to be closed after it."""

        async def announce(message: Message) -> None:
            is_last = self.conn.their_state is h11.SEND_BODY or not self.cycle.keep_alive
            if message["type"] == "http.response.start" and is_last and CLOSE_HEADER not in message["headers"]:
                message = dict(message) | {"headers": [*message["headers"], CLOSE_HEADER]}
            await send(message)

        await self._application(scope, receive, announce)


def serve(settings: Settings, create_app: CreateApp, listener: socket.socket | None = None) -> None:
    """Serve the application until SIGTERM, on `listener` if there is one. Raises DoorOpen."""
    check_address(settings)
    configure_logging(settings.log_level)
    Server(settings, create_app).run(sockets=[listener] if listener else None)
