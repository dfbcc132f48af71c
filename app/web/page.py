"""The page for people at `/`. It calls the same API as everybody else; nothing here touches a photo."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Header, Query, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from app.web.languages import FOLDER as LANGUAGES
from app.web.languages import chosen, languages, lasting, saying
from jobs.settings import Settings

STATIC = Path(__file__).parent / "static"
TEMPLATES = Environment(loader=PackageLoader("app.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
REVALIDATED = "no-cache"  # kept, but asked about each time: a new version of the service shows at once


class Files(StaticFiles):
    """The page's own files."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """A file, or 304."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = REVALIDATED
        return response


def add_page(app: FastAPI, settings: Settings) -> None:
    """Serve the page at `/`, or send whoever comes there to /docs where the operator wants none."""
    if not settings.page:

        @app.get("/", include_in_schema=False)
        async def no_page() -> Response:
            return RedirectResponse("/docs")

        return

    app.mount("/page/languages", Files(directory=LANGUAGES))
    app.mount("/page", Files(directory=STATIC))
    headers = guarding(settings)

    @app.get("/", include_in_schema=False)
    async def page(
        lang: Annotated[str, Query(max_length=35)] = "", accept_language: Annotated[str, Header()] = ""
    ) -> Response:
        return HTMLResponse(rendered(chosen(lang, accept_language), settings), headers=headers)


def rendered(language: str, settings: Settings) -> str:
    """The page as HTML."""
    say = saying(language)
    return TEMPLATES.get_template("page.html.j2").render(
        say=say,
        language=language,
        languages=languages(),
        accept=",".join(f"image/{kind}" for kind in ("jpeg", "png", "webp", *settings.extra_formats)),
        kept_for=lasting(settings.result_ttl_s, say),
    )


def guarding(settings: Settings) -> Mapping[str, str]:
    """Headers of the page: what it may load (its own files, pictures it made itself) and who may frame it."""
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' blob: data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": " ".join(("'self'", *settings.allowed_origins)),
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {sources}" for name, sources in policy.items()),
        "Referrer-Policy": "no-referrer",
        "Cache-Control": REVALIDATED,
        "Vary": "Accept-Language",
    }
