"""A service that asks for keys: the page asks for one and says why, keeps it in its tab, and works with it."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from jobs.access.keys import create_key
from jobs.settings import Settings
from tests.app.conftest import bundles, serving
from tests.browsing import visiting

__all__ = ["bundles"]

pytestmark = pytest.mark.browser


def test_a_key_is_asked_for_and_lies_in_the_tab_alone(
    browser: Browser, settings: Settings, bundles: Path, scene: bytes
) -> None:
    closed = settings.model_copy(update={"bundles_dir": bundles, "bundle": "small"})
    _, secret = create_key(closed.keys, "the choir", ["submit"])
    with serving(closed) as client, visiting(browser, str(client.base_url), awaited="#key[open]") as visitor:
        page = visitor.page
        assert "gives a key to those who may use it" in page.inner_text("#key")
        page.keyboard.press("Escape")  # nothing can be done without one
        assert page.is_visible("#key-field")
        page.fill("#key-field", "diffam_wrong")
        page.keyboard.press("Enter")
        page.wait_for_selector("#key-refused:not([hidden])")
        page.fill("#key-field", secret)
        page.keyboard.press("Enter")
        page.wait_for_selector(".look img[src]", state="attached")
        with page.expect_request(lambda request: request.url.endswith("/v1/faces")) as looking:
            visitor.choose(scene)
        assert looking.value.headers["authorization"] == f"Bearer {secret}"
        kept = page.evaluate("[Object.values({...sessionStorage}), Object.values({...localStorage}), document.cookie]")
        assert kept == [[secret], [], ""]
        with page.context.expect_page() as opening:
            page.evaluate("window.open('/', '_blank', 'noopener')")
        other = opening.value
        other.wait_for_selector("#key[open]")  # another tab knows nothing of it
        other.close()
