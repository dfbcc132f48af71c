"""The widget's dialog: looks and choices, keyboard and screen reader, languages, keys; and the example that uses it."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect

from jobs.access.keys import create_key, revoke_key
from jobs.settings import Settings
from tests.app.conftest import bundles, serving
from tests.browser.test_accessible import SIZES, is_too_wide
from tests.browser.widget.conftest import ANYWAY, USE, Opening, choose, digest, names
from tests.browsing import visiting
from tests.other_site import other_site

__all__ = ["bundles"]

pytestmark = pytest.mark.browser

EXAMPLE = Path(__file__).parents[3] / "examples/photo-sharing/site.py"
IN_THE_DIALOG = {"fromShadowDom": ["html > div", "dialog"]}


def test_the_person_may_choose_the_look_where_the_site_leaves_it_open_and_what_they_left_out_stays_out(
    elsewhere: Opening, scene: bytes, blank: bytes
) -> None:
    with elsewhere("plain?multiple&reference=&effort=quick&strength=0.6") as visit:
        page = visit.page
        sent: list[str] = []
        page.route("**/v1/jobs", lambda route: note_fields(route, sent))
        choose(page, scene, blank)
        page.wait_for_selector("[aria-label='1.png: did not work']")
        page.click("[aria-label^='1.png']")
        page.click("dialog >> text=Leave it out")
        page.select_option("dialog select", "ember")
        page.wait_for_selector("progress:visible")
        page.click(USE)
        assert names(page) == ["0.png"]
    assert {("rose" in each, "ember" in each) for each in sent} == {(True, False), (False, True)}
    assert all("quick" in each and "0.6" in each and "me.png" not in each for each in sent)


def note_fields(route: Route, sent: list[str]) -> None:
    """Keep what a form says beside its photo."""
    sent.append((route.request.post_data_buffer or b"").decode("latin-1"))
    route.continue_()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_every_state_axe_finds_nothing_in_the_dialog_and_it_fits(
    elsewhere: Opening, scene: bytes, blank: bytes, size: str, scheme: Any
) -> None:
    with elsewhere("plain?multiple", viewport=SIZES[size], color_scheme=scheme, reduced_motion="reduce") as visit:
        page = visit.page
        seen: dict[str, list[str]] = {}

        def look_at(state: str) -> None:
            assert not is_too_wide(page), state
            box = page.locator("dialog").bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= SIZES[size]["width"]
            seen[state] = found_in_the_dialog(page)

        choose(page, scene, blank)
        page.wait_for_selector("progress:visible")
        look_at("working")
        page.wait_for_selector("[aria-label='1.png: did not work']")
        page.click("[aria-label^='1.png']")
        look_at("failed")
        page.wait_for_selector("[aria-label='0.png: protected']", timeout=60_000)
        page.click("[aria-label^='0.png']")
        page.wait_for_selector("dialog input[type=range]")
        look_at("done")
        assert {state: found for state, found in seen.items() if found} == {}, json.dumps(seen)
        page.locator("dialog input[type=range]").evaluate("(slider) => { slider.ariaLabel = null; }")
        assert [each.split(":")[0] for each in found_in_the_dialog(page)] == ["label"]  # so it did look inside


def found_in_the_dialog(page: Page) -> list[str]:
    """What the axe engine holds against it, by rule and place; the site around it is its owner's."""
    violations = Axe().run(page, context={"include": [IN_THE_DIALOG]}).response["violations"]
    return [f"{rule['id']}: {node['html'][:120]}" for rule in violations for node in rule["nodes"]]


def test_the_keyboard_is_enough_and_a_screen_reader_is_told(elsewhere: Opening, scene: bytes) -> None:
    with elsewhere("plain") as visit:
        page = visit.page
        choose(page, scene)
        page.wait_for_selector(USE)
        assert page.evaluate("document.activeElement.shadowRoot.activeElement.id") == "title"
        line = page.locator("dialog input[type=range]")
        page.keyboard.press("Tab")
        expect(line).to_be_focused()
        page.keyboard.press("ArrowLeft")
        assert line.input_value() == "49"
        for _ in range(5):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.shadowRoot?.activeElement?.textContent") == "Use this photo":
                break
        page.keyboard.press("Enter")
        assert names(page) == ["0.png"]


def test_it_speaks_the_language_of_the_site(elsewhere: Opening, scene: bytes) -> None:
    with elsewhere("plain?lang=zh-CN") as visit:
        choose(visit.page, scene)
        visit.page.wait_for_selector(USE)
        assert visit.page.inner_text(USE) == "使用这张照片"
        assert visit.page.get_attribute("dialog", "lang") == "zh-Hans"
        assert "{" not in visit.page.inner_text("dialog")


def test_a_key_in_the_page_goes_with_every_call_and_one_that_was_revoked_is_told(
    browser: Browser, settings: Settings, bundles: Path, scene: bytes
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        origin = f"http://localhost:{listener.getsockname()[1]}"
        closed = settings.model_copy(update={"bundles_dir": bundles, "bundle": "small", "allowed_origins": (origin,)})
        key, secret = create_key(closed.keys, "a site", ["public"])
        with (
            serving(closed) as client,
            other_site(listener, str(client.base_url)) as site,
            visiting(browser, f"{origin}/plain?key={secret}", "#photo", service=str(client.base_url)) as visit,
        ):
            page = visit.page
            with page.expect_response("**/v1/jobs") as answering:
                choose(page, scene)
            assert answering.value.status == 202  # nobody works here: it waits
            with page.expect_response(lambda answer: answer.request.method == "DELETE") as erasing:
                page.click("dialog >> text=Cancel")
            assert erasing.value.status == 204
            asked = [each for each in visit.requests if "/v1/" in each.url]
            assert {each.headers["authorization"] for each in asked} == {f"Bearer {secret}"}
            revoke_key(closed.keys, key.id)
            choose(page, scene)
            page.wait_for_selector(ANYWAY)
            assert "no longer knows this site's key" in page.inner_text("dialog")
            assert site.posts == []


def test_the_example_starts_as_its_page_says_and_its_feed_shows_what_was_protected(
    browser: Browser, scene: bytes, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, str(EXAMPLE), "--port", str(port)]
    environment = os.environ | {"DIFFAM_DATA_DIR": str(tmp_path)}
    with subprocess.Popen(command, env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as example:
        assert example.stderr is not None
        assert any("Uvicorn running" in line for line in example.stderr)
        try:
            with browser.new_page() as page:
                page.goto(f"http://localhost:{port}/")
                page.fill("[name=author]", "Ada")
                page.set_input_files("[type=file]", {"name": "me.png", "mimeType": "image/png", "buffer": scene})
                page.click(USE)
                page.click("text=Share")
                page.wait_for_selector("article img")
                assert page.locator("article h2").inner_text().startswith("Ada")
                shown = page.request.get(f"http://localhost:{port}/posts/0/0")
                assert shown.headers["content-type"] == "image/png"
                assert digest(shown.body()) != digest(scene)
        finally:
            example.send_signal(signal.SIGINT)
