"""The API's own page at /docs. Its files come from a package: no page of ours loads anything from elsewhere."""

from typing import Any

from fastapi import FastAPI, Response
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.staticfiles import StaticFiles

from app.serving.gate import is_open_to_all, scope_of
from app.webhooks.messages import Challenge, ChallengeMessage, EventMessage
from diffam_client.contract.webhook import EVENTS

KEYS = {
    "type": "http",
    "scheme": "bearer",
    "description": "A key that `diffam keys create` showed. Where the operator made none, nobody needs one.",
}
ASSETS = "/docs/assets"


def add_docs(app: FastAPI) -> None:
    """Serve Swagger UI at /docs."""
    app.mount(ASSETS, StaticFiles(packages=[("fastapi_swagger", "resources")]))

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title=app.title,
            swagger_js_url=f"{ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{ASSETS}/favicon-32x32.png",
        )


def tell_of_webhooks(app: FastAPI) -> None:
    """Say in the OpenAPI document what a `webhook_url` is sent, and what it is to answer."""

    def told(message: EventMessage) -> None:
        """Sent to the `webhook_url` of a job, signed as Standard Webhooks are; any 2xx takes it, 410 stops them all."""

    def challenged(message: ChallengeMessage) -> Challenge:
        """Sent before the first message, and signed like it: whoever does not answer it is sent nothing else."""
        return message.data

    for event in EVENTS:
        app.webhooks.post(event, tags=["webhooks"])(told)
    app.webhooks.post("endpoint.verification", tags=["webhooks"])(challenged)


def tell_of_keys(app: FastAPI) -> None:
    """Say in the OpenAPI document which calls need a key, and with which scope."""
    plain = app.openapi

    def with_keys() -> dict[str, Any]:
        document = plain()
        document.setdefault("components", {})["securitySchemes"] = {"key": KEYS}
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                if not is_open_to_all(path):
                    scope = scope_of(method.upper(), path)
                    operation["security"] = [{"key": [scope] if scope else []}, {}]
        return document

    app.openapi = with_keys  # type: ignore[method-assign]  # FastAPI's own way to extend the document
