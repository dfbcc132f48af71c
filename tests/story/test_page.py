"""The page and the widget, once through, as somebody with a photo uses them; `tests/browser` has every way through."""

from collections.abc import Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser

from tests.browsing import chromium, visiting
from tests.other_site import Site
from tests.story.conftest import Service

pytestmark = pytest.mark.xdist_group("service")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's own."""
    with chromium() as found:
        yield found


def test_a_photo_is_protected_in_three_actions_and_deleted_in_one_more(
    service: Service, scene: bytes, browser: Browser
) -> None:
    with visiting(browser, service.stack.url) as visit:
        page = visit.page
        visit.choose(scene)
        visit.wait_for("ready")
        page.click("#protect")
        visit.wait_for("done")
        with page.expect_download() as downloading:
            page.click("#download")
        taken = Path(downloading.value.path()).read_bytes()
        assert downloading.value.suggested_filename == "me-protected.png"
        assert Image.open(BytesIO(taken)).size == Image.open(BytesIO(scene)).size

        (job_id,) = {request.url.split("/")[5] for request in visit.requests if request.url.endswith("/result")}
        told = service.api.get(job_id)
        assert told.output is not None
        assert told.output.photo is not None
        assert sha256(taken).hexdigest() == told.output.photo.sha256

        page.click("#erase")
        visit.wait_for("erased")
        assert "410 Gone" in page.inner_text("#proof")
        assert service.client.get(f"/v1/jobs/{job_id}").status_code == 410


def test_a_form_of_another_site_sends_the_protected_photo(
    service: Service, site: Site, scene: bytes, browser: Browser
) -> None:
    with visiting(browser, f"{site.origin}/uploads", "#photo", service=service.stack.url) as visit:
        page = visit.page
        page.set_input_files("#photo", {"name": "me.png", "mimeType": "image/png", "buffer": scene})
        page.click("dialog button.primary:visible")
        page.click("#post")
        page.wait_for_selector("#thanks")
    assert [[name for name, _ in post] for post in site.posts] == [["me.png"], ["me.png"]]  # at once, and by its button
    (sent,) = set(site.digests())
    (job_id,) = {request.url.split("/")[5] for request in visit.requests if request.url.endswith("/result")}
    assert sent != sha256(scene).hexdigest()
    assert service.client.get(f"/v1/jobs/{job_id}").status_code == 410
