"""What the widget is made of: a guard for everybody, and all else for pages of the origins that are allowed."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.codes import FACTS
from app.web.languages import languages, texts_of
from jobs.access.keys import create_key
from jobs.settings import Settings

WEB = Path(__file__).parents[3] / "app/web"
SHOP = "https://shop.example.org"
HEAVIEST_BYTES = 100_000
IMPORT = re.compile(r"""^(?:import|export) .*from "(.*)";$""", re.MULTILINE)

Serve = Callable[[Settings], Any]


def loaded_with(client: httpx.Client, address: str, seen: dict[str, httpx.Response]) -> dict[str, httpx.Response]:
    """What a browser on that page loads with a module, by address."""
    if address not in seen:
        seen[address] = client.get(address, headers={"Origin": SHOP})
        for found in IMPORT.findall(seen[address].text):
            loaded_with(client, str(httpx.URL(f"http://x{address}").join(found).path), seen)
    return seen


@pytest.mark.parametrize("page", [True, False])
def test_an_allowed_page_loads_all_of_it_without_a_key_and_with_or_without_the_page(
    settings: Settings, serve: Serve, page: bool
) -> None:
    create_key(settings.keys, "a", ["submit"])
    with serve(settings.model_copy(update={"allowed_origins": (SHOP,), "page": page})) as client:
        loaded = loaded_with(client, "/widget/dialog.js", {})
        for tag in ("en-GB", "zh-TW", "tlh"):
            loaded[tag] = client.get(f"/page/languages/{tag}.json", headers={"Origin": SHOP})
        assert len(loaded) > 12
        assert {answer.status_code for answer in loaded.values()} == {200}
        assert {answer.headers["access-control-allow-origin"] for answer in loaded.values()} == {SHOP}
        spoken = [loaded[tag].headers["content-language"] for tag in ("en-GB", "zh-TW", "tlh")]
        assert spoken == ["en", "zh-Hans", "en"]
        assert sum(len(answer.content) for name, answer in loaded.items() if name.endswith(".js")) < HEAVIEST_BYTES
        elsewhere = client.get("/widget/dialog.js", headers={"Origin": "https://other.example.org"})
        assert "access-control-allow-origin" not in elsewhere.headers


@pytest.mark.parametrize("page", [True, False])
def test_the_guard_is_there_for_everybody_for_without_it_originals_would_go(
    settings: Settings, serve: Serve, page: bool
) -> None:
    create_key(settings.keys, "a", ["submit"])
    with serve(settings.model_copy(update={"page": page})) as client:
        answer = client.get("/widget.js", headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"})
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
        assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
        for tag in languages():
            assert texts_of(tag)["widget.unavailable"].encode("ascii", "backslashreplace").decode() in answer.text


def test_it_writes_no_html_and_no_style_into_a_document() -> None:
    sources = [*WEB.glob("widget/*.js"), WEB / "templates/widget.js.j2"]
    assert len(sources) > 5
    for source in sources:
        text = source.read_text("utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|setAttribute\(\"style\"", text)
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)


def test_sentences_of_its_own_are_about_codes_that_it_can_meet() -> None:
    own = {about.removeprefix("widget.problem.") for about in texts_of("en") if about.startswith("widget.problem.")}
    assert own - set(FACTS) == {"unreachable", "film"}
    assert {"key_missing", "key_refused", "no_face_found"} <= own
