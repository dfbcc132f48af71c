"""The page for people at `/`, and the operator's at `/admin`. They call the API as everybody does."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Header, Query, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from app.web.languages import FOLDER as LANGUAGES
from app.web.languages import chosen, languages, lasting, saying
from jobs.settings import Settings

STATIC, ADMIN = (Path(__file__).parent / name for name in ("static", "admin"))
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
    """Serve the pages, or send whoever comes to `/` to /docs where the operator wants none."""
    if settings.page:
        app.mount("/page/admin", Files(directory=ADMIN))  # before /page, which would take it
    if settings.page or settings.allowed_origins:  # the widget on pages of these is made of its files, too
        add_files(app)
    if not settings.page:

        @app.get("/", include_in_schema=False)
        async def no_page() -> Response:
            return RedirectResponse("/docs")

        return

    headers = guarding("'self'", *settings.allowed_origins)

    @app.get("/", include_in_schema=False)
    async def page(
        lang: Annotated[str, Query(max_length=35)] = "", accept_language: Annotated[str, Header()] = ""
    ) -> Response:
        return HTMLResponse(rendered(chosen(lang, accept_language), settings), headers=headers)

    @app.get("/admin", include_in_schema=False)
    async def admin() -> Response:
        return HTMLResponse(TEMPLATES.get_template("admin.html.j2").render(), headers=guarding("'none'"))

    @app.get("/manifest.webmanifest", include_in_schema=False)
    async def installable(lang: Annotated[str, Query(max_length=35)] = "") -> Response:
        told = manifest(chosen(lang, ""), settings)
        return JSONResponse(told, headers={"Cache-Control": REVALIDATED}, media_type="application/manifest+json")

    @app.get("/service-worker.js", include_in_schema=False)  # at the top, for it serves what lies below it alone
    async def service_worker() -> Response:
        return FileResponse(STATIC / "service-worker.js", headers={"Cache-Control": REVALIDATED})

    @app.post("/share", include_in_schema=False)
    async def shared_past_the_worker() -> Response:
        """The service worker takes what is shared; where it does not run yet, nothing of the photo is read here."""
        return RedirectResponse("/?shared", status_code=303)


def add_files(app: FastAPI) -> None:
    """Serve the page's own files, and what it says in the language nearest to the one that is asked for."""

    @app.get("/page/languages/{asked}.json", include_in_schema=False)
    async def texts(asked: str) -> Response:
        language = chosen(asked, asked)
        headers = {"Cache-Control": REVALIDATED, "Content-Language": language}
        return FileResponse(LANGUAGES / f"{language}.json", headers=headers)

    app.mount("/page", Files(directory=STATIC))


def manifest(language: str, settings: Settings) -> Mapping[str, Any]:
    """What a phone needs to install the page, and to offer it in its share sheet."""
    say = saying(language)
    return {
        "id": "/",
        "name": say("title"),
        "short_name": "DiffAM",
        "description": say("start.lead"),
        "lang": language,
        "start_url": f"/?lang={language}",
        "scope": "/",
        "display": "standalone",
        "background_color": "#faf7f5",
        "theme_color": "#6d2a5b",
        "icons": [{"src": "/page/icon.svg", "sizes": "any", "type": "image/svg+xml", "purpose": "any"}],
        "share_target": {
            "action": "/share",
            "method": "POST",
            "enctype": "multipart/form-data",
            "params": {"files": [{"name": "photo", "accept": accepted(settings)}]},
        },
    }


def accepted(settings: Settings) -> list[str]:
    """The types of photos that may be chosen."""
    return [f"image/{kind}" for kind in ("jpeg", "png", "webp", *settings.extra_formats)]


def rendered(language: str, settings: Settings) -> str:
    """The page as HTML."""
    say = saying(language)
    return TEMPLATES.get_template("page.html.j2").render(
        say=say,
        language=language,
        languages=languages(),
        accept=",".join(accepted(settings)),
        kept_for=lasting(settings.result_ttl_s, say),
    )


def guarding(*framed_by: str) -> Mapping[str, str]:
    """Headers of a page: what it may load (its own files, pictures it made itself) and who may frame it."""
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' blob: data:",
        "connect-src": "'self'",
        "manifest-src": "'self'",
        "worker-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": " ".join(framed_by),
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {sources}" for name, sources in policy.items()),
        "Referrer-Policy": "no-referrer",
        "Cache-Control": REVALIDATED,
        "Vary": "Accept-Language",
    }
