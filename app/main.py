"""The application of the web process: `create_app(settings)`. Never imports torch."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from starlette.middleware.cors import CORSMiddleware

from app.envelope import Envelope
from app.mastodon import media, passing
from app.mastodon.facade import open_facade
from app.methods import HeadIsGet
from app.once import each_parameter_once
from app.openapi.document import complete_document
from app.problem import register_problems
from app.routes import (
    admin,
    catalog,
    deliveries,
    events,
    faces,
    finetuning,
    health,
    jobs,
    limits,
    listing,
    pictures,
    problems,
    sending,
)
from app.routes.docs import add_docs
from app.service import open_service
from app.serving.stopping import Stopping
from app.web.page import add_page
from app.web.widget import add_widget
from jobs.access.keys import Keyring
from jobs.settings import Settings

DESCRIPTION = """\
Send a face photo and name a make-up reference; get the photo back wearing it: natural to friends, no longer matched to
its owner by face-recognition systems. `POST /v1/jobs`, watch `GET /v1/jobs/{id}`, fetch `GET /v1/jobs/{id}/result`.
"""
TOLD_TO_PAGES = (
    "Deprecation", "ETag", "Idempotent-Replayed", "Link", "Location", "Preference-Applied", "RateLimit",
    "RateLimit-Policy", "Retry-After", "Sunset", "WWW-Authenticate", "X-Request-ID",
)  # fmt: skip


def create_app(settings: Settings, stopping: Stopping | None = None) -> FastAPI:
    """The application; catalog and Redis are opened when it starts, not before. `stopping`: told by its server.

    Raises KeysDamaged.
    """
    stopping, keyring = stopping or Stopping(), Keyring(settings.keys)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_service(app, settings, stopping, keyring), open_facade(app, settings):
            yield

    app = FastAPI(
        title="DiffAM",
        description=DESCRIPTION,
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(each_parameter_once)],
    )
    app.add_middleware(HeadIsGet)
    app.add_middleware(Envelope, settings=settings, stopping=stopping, keyring=keyring)
    if settings.allowed_origins:  # outside of all others: pages must read refusals, too
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.allowed_origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=TOLD_TO_PAGES,
        )
    register_problems(app)
    for routes in (
        sending, listing, jobs, events, pictures, deliveries, faces, catalog, limits, finetuning, admin, health,
        problems,
    ):  # fmt: skip
        app.include_router(routes.router)
    if settings.mastodon_url:  # beside the others: what holds for our own calls does not hold for Mastodon's
        app.router.routes += [*media.router.routes, *passing.router.routes]
    add_page(app, settings)
    add_widget(app)
    add_docs(app)
    complete_document(app)
    return app
