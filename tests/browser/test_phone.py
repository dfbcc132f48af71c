"""What a phone asks of the page: to open without a network, and to take what is shared with it."""

import json

import pytest

from tests.browser.conftest import Visiting
from tests.browsing import Visit

pytestmark = pytest.mark.browser

CACHED = """async () => {
    const kept = await Promise.all((await caches.keys()).map(async (name) => (await caches.open(name)).keys()));
    return kept.flat().map((request) => new URL(request.url).pathname);
}"""


def wait_for_the_worker(visitor: Visit) -> None:
    """Return once the service worker serves the page."""
    visitor.page.evaluate("() => navigator.serviceWorker.ready.then(() => {})")
    visitor.page.wait_for_function("() => navigator.serviceWorker.controller !== null")


def test_what_the_phone_shares_is_taken_in_and_lies_in_no_cache(visit: Visiting, scene: bytes) -> None:
    share = """() => {
        const posting = {method: "post", action: "/share", enctype: "multipart/form-data"};
        const form = Object.assign(document.createElement("form"), posting);
        const field = Object.assign(document.createElement("input"), {type: "file", name: "photo", id: "shared"});
        form.append(field);
        document.body.append(form);
    }"""
    with visit() as visitor:
        page = visitor.page
        wait_for_the_worker(visitor)
        page.evaluate(share)
        page.set_input_files("#shared", {"name": "party.png", "mimeType": "image/png", "buffer": scene})
        page.evaluate("() => document.getElementById('shared').form.submit()")
        visitor.wait_for("ready")
        assert page.inner_text("#picture-title") == "party.png"
        assert page.evaluate("location.search") == ""
        page.click("#protect")
        visitor.wait_for("done")
        kept = page.evaluate(CACHED)
        assert "/page/page.js" in kept
        assert {path for path in kept if path != "/" and not path.startswith("/page/")} == set()


def test_what_did_not_get_here_is_said(visit: Visiting) -> None:
    with visit("/?shared") as visitor:
        visitor.page.wait_for_selector("#notice:not([hidden])")
        assert visitor.page.inner_text("#notice").startswith("What you shared did not get here.")


def test_the_page_opens_without_a_network_and_says_so(visit: Visiting) -> None:
    with visit() as visitor:
        page = visitor.page
        wait_for_the_worker(visitor)
        page.context.set_offline(True)
        page.reload()
        page.wait_for_selector("#notice:not([hidden])", timeout=30_000)
        assert page.inner_text("#start-title") == "Protect a photo before you post it"
        assert page.inner_text("#notice").startswith("The service cannot be reached.")


def test_it_is_light_as_it_arrives(visit: Visiting) -> None:
    with visit(service_workers="block") as visitor:
        sizes = visitor.page.evaluate(
            "() => performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))"
            ".filter((each) => !each.name.includes('/v1/')).map((each) => [each.name, each.decodedBodySize])"
        )
        assert len(sizes) > 15
        assert sum(size for _, size in sizes) < 150_000, json.dumps(sizes)
