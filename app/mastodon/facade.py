"""What the routes of the facade work with, and in whose words they answer."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlencode

from fastapi import Depends, FastAPI, Request, Response
from fastapi.routing import APIRoute

from app.mastodon.attachments import Attachments
from app.mastodon.bodies import Body
from app.mastodon.instance import Instance, open_instance
from app.mastodon.notes import Notes
from app.mastodon.refusals import refusal
from app.problem import Problem, to_problem
from app.service import ServiceDep
from app.serving.guests import token_of
from jobs.connect import connect
from jobs.settings import Settings


class MastodonRoute(APIRoute):
    """Answers in the words of Mastodon's clients where something went wrong."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Any]]:  # type: ignore[override]  # it awaits it only
        handle = super().get_route_handler()

        async def handle_told(request: Request) -> Response:
            try:
                answer: Response = await handle(request)
            except Exception as error:
                problem = to_problem(error)
                if problem.code == "internal":
                    raise
                return refusal(problem, request.state.request_id)
            return answer

        return handle_told


class Facade(NamedTuple):
    """The instance behind it, and what is remembered of attachments."""

    instance: Instance
    notes: Notes

    async def pass_on(self, request: Request, body: Body) -> Response:
        """The instance's answer to a request. body: what it says, as the instance is to read it. Raises Problem."""
        path = request.scope["path"]
        if "//" in path or "\\" in path or {".", ".."} & set(path.split("/")):
            raise Problem("not_found", "nothing is at this address")
        headers = {name: value for name, value in request.headers.items() if name != "content-type"}
        if body.media_type:
            headers["content-type"] = body.media_type
        return await self.instance.relay(request.method, path, urlencode(body.query), headers, body.content)


@asynccontextmanager
async def open_facade(app: FastAPI, settings: Settings) -> AsyncIterator[None]:
    """Serve the facade inside the block, if the settings name an instance. Raises RedisNotConfigured."""
    if settings.mastodon_url is None:
        yield
        return
    with connect(settings) as redis:
        async with open_instance(settings.mastodon_url, settings) as instance:
            app.state.mastodon = Facade(instance, Notes(redis, settings))
            yield


async def _facade(request: Request) -> Facade:
    facade: Facade = request.app.state.mastodon
    return facade


FacadeDep = Annotated[Facade, Depends(_facade)]


async def attachments_of(request: Request, service: ServiceDep, facade: FacadeDep) -> Attachments:
    """Those of whoever asks. Raises Problem: nobody says who that is."""
    token = token_of(request.headers)
    if token is None:
        detail = "send the instance's token: Authorization: Bearer ..."
        raise Problem("key_missing", detail, headers={"WWW-Authenticate": "Bearer"})
    return Attachments(service, facade.instance, facade.notes, token)


AttachmentsDep = Annotated[Attachments, Depends(attachments_of)]
