"""A call or a field that is to go says so: in the document, in its answers, and to whoever uses the Python client."""

from collections.abc import Iterator
from datetime import date
from io import BytesIO
from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request, Response
from pydantic import BaseModel, Field

from app.form import read_form
from app.main import create_app
from app.openapi.deprecation import deprecated
from app.serving.stopping import Stopping
from diffam_client import Client
from jobs.settings import Settings
from tests.app.conftest import serving

OLD = deprecated(date(2026, 1, 1), date(2026, 7, 1))
TOLD = {"deprecation": "@1767225600", "sunset": "Wed, 01 Jul 2026 00:00:00 GMT"}


class Form(BaseModel):
    """A field that stays, and one that goes."""

    new: str = ""
    old: Annotated[str, Field(json_schema_extra=OLD)] = ""


def with_old_calls(settings: Settings, stopping: Stopping) -> FastAPI:
    """The application, and what a later version might have."""
    router = APIRouter()

    @router.get("/v1/old", openapi_extra=OLD)
    async def old() -> list[str]:
        return []

    @router.post("/v1/form")
    async def form(request: Request) -> Response:
        async with read_form(request, Form, "photo", (), 100) as sent:
            sent.accept()
        return Response()

    app = create_app(settings, stopping)
    app.include_router(router)
    return app


@pytest.fixture
def service(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    monkeypatch.setattr("tests.app.conftest.create_app", with_old_calls)
    with serving(settings) as client:
        yield client


def told(answer: httpx.Response) -> dict[str, str]:
    answer.raise_for_status()
    return {name: answer.headers[name] for name in TOLD if name in answer.headers}


def test_a_call_that_is_to_go_says_so_and_no_other_does(service: httpx.Client) -> None:
    assert told(service.get("/v1/old")) == told(service.head("/v1/old")) == TOLD
    assert told(service.get("/v1/limits")) == {}
    assert service.get("/openapi.json").json()["paths"]["/v1/old"]["get"]["deprecated"] is True


def test_a_field_that_is_to_go_says_so_where_it_was_sent(service: httpx.Client) -> None:
    photo = {"photo": ("me.png", BytesIO(b"photo"))}
    assert told(service.post("/v1/form", files=photo, data={"old": "x"})) == TOLD
    assert told(service.post("/v1/form", files={"photo": ("me.png", BytesIO(b"photo"))}, data={"new": "x"})) == {}


def test_the_python_client_warns() -> None:
    answers = httpx.MockTransport(lambda _: httpx.Response(200, headers=TOLD, json={"references": []}))
    with (
        Client("http://127.0.0.1:1", transport=answers) as client,
        pytest.warns(DeprecationWarning, match=r"GET /v1/references.* until Wed, 01 Jul 2026"),
    ):
        client.references()
