"""HEAD wherever there is GET, and which methods an address has."""

from fastapi import Request
from starlette.routing import Match, Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

READS = ("GET", "HEAD")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class HeadIsGet:
    """ASGI middleware: HEAD is answered as GET would be, without the body. FastAPI's routes know GET alone."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_bodiless(message: Message) -> None:
            scope["route"] = as_get.get("route")  # for what is logged and told of it
            await send(dict(message) | {"body": b""} if message["type"] == "http.response.body" else message)

        scope["state"]["is_head"] = True  # what would go on and on is not begun
        as_get = dict(scope) | {"method": "GET"}
        await self._app(as_get, receive, send_bodiless)


def allowed_methods(request: Request) -> list[str]:
    """What the address of `request` can be asked for, over all routes that match it."""
    allowed: list[str] = []
    here = dict(request.scope)
    here["root_path"] = here.get("app_root_path", here["root_path"])  # a mount has moved it
    for method in METHODS:
        scope = here | {"method": method}
        for route in request.app.routes:
            is_file = isinstance(route, Mount)  # a folder of files matches every method, and serves one
            if route.matches(scope)[0] is Match.FULL and (method == "GET" or not is_file):
                allowed += READS if method == "GET" else [method]
                break
    return allowed
