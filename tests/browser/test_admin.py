"""The operator's page in a real browser: whom it lets in, and how it follows what happens."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from diffam_client.contract.job import JobError
from diffam_client.contract.report import Progress
from jobs.access.keys import create_key
from jobs.ledger import Ledger
from jobs.new_job import NewJob
from jobs.settings import Settings
from tests.app.conftest import bundles, serving
from tests.browser.test_accessible import SIZES, found_by_axe, is_too_wide
from tests.browsing import Visit, visiting
from tests.jobs.conftest import BUNDLE, INPUT
from tests.jobs.test_overview import FACTS, learn, training
from tests.story.conftest import png

__all__ = ["bundles"]

pytestmark = pytest.mark.browser

TIMEOUT_MS = 10_000


@dataclass
class Visitor:
    """Somebody at the page, and the ledger behind it, in which the test plays the worker."""

    visit: Visit
    ledger: Ledger
    operator: str
    choir: str
    choir_id: str

    @property
    def page(self) -> Page:
        return self.visit.page

    def enter(self, secret: str) -> None:
        """Give a key where one is asked for."""
        self.page.fill("#key-field", secret)
        self.page.keyboard.press("Enter")

    def send(self) -> str:
        """A job of the choir's."""
        return self.ledger.accept(NewJob(INPUT, BUNDLE, owner=self.choir_id), b"photo").job_id

    def sees(self, table: str, *texts: str) -> None:
        """Wait until a table has one row of such cells."""
        row = self.page.locator(f"#{table} tbody tr")
        expect(row).to_have_count(1, timeout=TIMEOUT_MS)
        for text in texts:
            expect(row).to_contain_text(text, timeout=TIMEOUT_MS)


@contextmanager
def at_the_page(
    browser: Browser, settings: Settings, bundles: Path, ledger: Ledger, **context: Any
) -> Iterator[Visitor]:
    """Before a key was given."""
    closed = settings.model_copy(update={"bundles_dir": bundles, "bundle": "small"})
    (_, operator), (key, choir) = create_key(closed.keys, "me", ["admin"]), create_key(closed.keys, "choir", ["submit"])
    with (
        serving(closed) as client,
        visiting(browser, f"{client.base_url}/admin", awaited="#key[open]", **context) as visit,
    ):
        yield Visitor(visit, ledger, operator, choir, key.id)


def test_it_lets_in_who_may_see_it_and_shows_nothing_to_others(
    browser: Browser, settings: Settings, bundles: Path, ledger: Ledger
) -> None:
    with at_the_page(browser, settings, bundles, ledger) as visitor:
        page = visitor.page
        visitor.enter("diffam_wrong")
        expect(page.locator("#key-refused")).to_have_text("This key is not known here, or was revoked.")
        visitor.enter(visitor.choir)
        expect(page.locator("#key-refused")).to_contain_text("it lacks the scope admin")
        assert page.is_hidden("#view")
        assert page.inner_text("#at") == ""
        visitor.enter(visitor.operator)
        page.wait_for_selector("#view:not([hidden])")
        expect(page.locator("#state")).to_have_text("Live")
        expect(page.locator("#keys tbody tr")).to_have_count(2)
        kept = page.evaluate("[Object.values({...sessionStorage}), Object.values({...localStorage}), document.cookie]")
        assert kept == [[visitor.operator], [], ""]


def test_a_job_is_seen_to_wait_to_run_and_to_fail_by_its_code(
    browser: Browser, settings: Settings, bundles: Path, ledger: Ledger
) -> None:
    with at_the_page(browser, settings, bundles, ledger) as visitor:
        page = visitor.page
        job_id = visitor.send()
        visitor.enter(visitor.operator)
        visitor.sees("next", job_id[:8], "Photos", "choir")
        expect(page.locator("#workers-none")).to_be_visible()
        claim = ledger.claim(job_id, "here:1")
        assert claim is not None
        ledger.heartbeat("here:1", [claim], FACTS.model_dump_json())
        ledger.progress(claim, Progress(stage="refine", step=1, steps=2))
        visitor.sees("running", job_id[:8], "refining", "here:1", "1 of 3")
        visitor.sees("workers", "here:1", job_id[:8], "mini", "cpu")
        assert page.is_visible("#next-none")
        assert float(page.get_attribute("#running progress", "value") or 0) == pytest.approx(0.85)
        ledger.fail(claim, JobError(code="no_face_found", message="", retryable=False))
        visitor.sees("failures", "no_face_found", "No face was found in the photo.", "would not help")
        assert page.is_visible("#running-none")
        page.focus("#failures a")
        again = ledger.claim(visitor.send(), "here:1")
        assert again is not None
        ledger.fail(again, JobError(code="no_face_found", message="", retryable=False))
        expect(page.locator("#failures tbody td >> nth=1")).to_have_text("2failed", timeout=TIMEOUT_MS)
        expect(page.locator("#failures a")).to_be_focused()  # whoever is somewhere stays there
        assert job_id not in page.content()


def test_it_rests_while_nobody_looks_and_says_when_the_service_is_gone(
    browser: Browser, settings: Settings, bundles: Path, ledger: Ledger
) -> None:
    hide = """(isHidden) => {
        Object.defineProperty(document, "hidden", {value: isHidden, configurable: true});
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    with at_the_page(browser, settings, bundles, ledger) as visitor:
        page = visitor.page
        visitor.enter(visitor.operator)
        page.wait_for_selector("#view:not([hidden])")
        page.evaluate(hide, True)
        expect(page.locator("#state")).to_have_text("Paused")
        asked = len(visitor.visit.requests)
        page.wait_for_timeout(3500)
        assert len(visitor.visit.requests) == asked
        page.evaluate(hide, False)
        expect(page.locator("#state")).to_have_text("Live")
        page.context.set_offline(True)
        expect(page.locator("#notice")).to_contain_text("cannot be reached", timeout=TIMEOUT_MS)
        assert page.is_visible("#queue")
        page.context.set_offline(False)
        expect(page.locator("#notice")).to_be_hidden(timeout=TIMEOUT_MS)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_sticks_out(
    browser: Browser, settings: Settings, bundles: Path, ledger: Ledger, size: str, scheme: Any
) -> None:
    context: dict[str, Any] = {"viewport": SIZES[size], "color_scheme": scheme}
    with at_the_page(browser, settings, bundles, ledger, **context) as visitor:
        page = visitor.page
        found = {"key": found_by_axe(page)}
        claim = ledger.claim(visitor.send(), "a-machine-with-a-long-name.example.org:4194304")
        assert claim is not None
        ledger.heartbeat("a-machine-with-a-long-name.example.org:4194304", [claim], FACTS.model_dump_json())
        taught = training(ledger)
        learn(ledger, taught, 1, 40, 0.5)
        ledger.keep_sheet(taught, 40, png(Image.new("RGB", (256, 128), "pink")))
        failing = ledger.claim(visitor.send(), "here:1")
        assert failing is not None
        ledger.fail(failing, JobError(code="photo_takes_too_long", message="", retryable=False))
        for number in range(2):
            ledger.accept(NewJob(INPUT, BUNDLE, job_id=f"holiday-in-a-far-country-{number}"), b"photo")
        visitor.enter(visitor.operator)
        page.wait_for_selector("#training:not([hidden])")
        assert page.locator("#next tbody th").all_inner_texts() == ["holiday-", "holiday-"]
        assert page.get_attribute(".curve", "aria-label") == "Loss dodge: from 0.5 to 0.5"
        page.wait_for_function("() => document.querySelector('.looks img').naturalWidth === 256")
        found["all of it"] = found_by_axe(page)
        assert {state: each for state, each in found.items() if each} == {}
        assert not is_too_wide(page)
