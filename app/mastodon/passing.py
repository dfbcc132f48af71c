"""What is passed on to the instance: posts, with its own ids of their pictures, and all that has no pictures."""

import re

from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from app.mastodon.attachments import NOT_FOUND
from app.mastodon.bodies import read_body
from app.mastodon.facade import FacadeDep, MastodonRoute, attachments_of
from app.mastodon.instance import Answer
from app.mastodon.refusals import told
from app.problem import Problem
from app.service import ServiceDep

MOST_IDS = 64
UNPROCESSABLE = 422
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
ESSENTIAL = re.compile(r"GET /api/v[12]/instance/?")
"""What clients ask before they post."""
STREAMING = re.compile(r"/api/v1/streaming(/.*)?")

router = APIRouter(route_class=MastodonRoute, include_in_schema=False)


@router.post("/api/v1/statuses")
@router.put("/api/v1/statuses/{status_id}")
async def post_status(request: Request, service: ServiceDep, facade: FacadeDep) -> Response:
    """Post, with protected pictures under the ids that the instance gave them; waits for those on their way."""
    body = await read_body(request)
    if len(body.media_ids) > MOST_IDS:
        raise Problem("malformed_request", f"a post has {MOST_IDS} pictures at most")
    if body.media_ids:
        own = await attachments_of(request, service, facade)
        remote = await own.remote_ids(body.media_ids, service.settings.max_wait_s)
        if isinstance(remote, Answer):
            return told(UNPROCESSABLE if remote.status == NOT_FOUND else remote.status, remote.document)
        body = body.renamed(lambda media_id: remote.get(media_id, media_id))
    return await facade.pass_on(request, body)


@router.get("/oauth/authorize")
async def authorize(request: Request, facade: FacadeDep) -> Response:
    """Log in at the instance itself: no password is typed here."""
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"{facade.instance.url}/oauth/authorize{query}")


@router.api_route("/api/{rest:path}", methods=METHODS)
@router.api_route("/oauth/{rest:path}", methods=METHODS)
@router.api_route("/nodeinfo/{rest:path}", methods=METHODS)
@router.api_route("/.well-known/{rest:path}", methods=METHODS)
async def pass_on(request: Request, service: ServiceDep, facade: FacadeDep) -> Response:
    """Everything that is not about pictures, as it came; but for files."""
    path = request.scope["path"]
    if STREAMING.fullmatch(path):
        raise Problem("not_passed_on", "streams are asked for at the instance itself; its configuration says where")
    if service.settings.mastodon_other == "refuse" and not ESSENTIAL.fullmatch(f"{request.method} {path}"):
        raise Problem("not_passed_on", "only pictures and posts are passed on here; ask the instance itself")
    return await facade.pass_on(request, await read_body(request))
