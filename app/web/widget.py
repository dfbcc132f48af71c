"""The widget for upload buttons of other people's sites: `/widget.js`, and what it loads once it may."""

from pathlib import Path

from fastapi import FastAPI, Response

from app.web.languages import languages, texts_of
from app.web.page import REVALIDATED, TEMPLATES, Files

FOLDER = Path(__file__).parent / "widget"


def add_widget(app: FastAPI) -> None:
    """Serve it to whoever asks, because the guard has to hold on pages, too, that may call nothing here.

    All else, the dialog and what the page lends it, browsers give to pages of `allowed_origins` alone.
    """
    app.mount("/widget", Files(directory=FOLDER))

    @app.get("/widget.js", include_in_schema=False)
    async def guard() -> Response:
        headers = {"Cache-Control": REVALIDATED, "Cross-Origin-Resource-Policy": "cross-origin"}
        return Response(rendered(), headers=headers, media_type="text/javascript")


def rendered() -> str:
    """The guard, with the one sentence that it must say where it can load nothing, in every language."""
    unavailable = {tag: texts_of(tag)["widget.unavailable"] for tag in languages()}
    return TEMPLATES.get_template("widget.js.j2").render(unavailable=unavailable)
