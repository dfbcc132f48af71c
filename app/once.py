"""Nothing that was said twice is taken once: a repeated query parameter or JSON key is refused, not overwritten."""

import json
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from app.problem import field_problem
from diffam_client.contract.problem import FieldError


async def each_parameter_once(request: Request) -> None:
    """Raises Problem. Not a plain function: each call of it would wait for a thread, and `/livez` with it."""
    _refuse_repeated([name for name, _ in request.query_params.multi_items()])


class StrictJson(APIRoute):
    """A route whose JSON body may have each key once. FastAPI reads bodies before any dependency could look."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Any]]:  # type: ignore[override]  # it awaits it only
        handle = super().get_route_handler()

        async def handle_strictly(request: Request) -> Response:
            return await handle(_StrictRequest(request.scope, request.receive))

        return handle_strictly


class _StrictRequest(Request):
    async def json(self) -> Any:
        return json.loads(await self.body(), object_pairs_hook=_each_key_once)


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    _refuse_repeated([name for name, _ in pairs])
    return dict(pairs)


def _refuse_repeated(names: list[str]) -> None:
    repeated = [
        FieldError(param=name, code="invalid_field", detail=f"{name} was sent {times} times: send it once")
        for name, times in Counter(names).items()
        if times > 1
    ]
    if repeated:
        raise field_problem(repeated)
