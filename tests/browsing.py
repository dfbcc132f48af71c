"""A real browser: the system's Chromium, driven by Playwright."""

import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, Request, sync_playwright

QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
NAMES = ("chromium", "chromium-browser", "google-chrome")
OF_THE_NETWORK = "Failed to load resource"
"""How Chromium's console tells of answers that are no 200; the tests look at those themselves."""

PICTURES = Path(__file__).parents[1] / "out/browser"
"""What the tests saw last; git knows nothing of it."""
seen: Counter[str] = Counter()


@dataclass
class Visit:
    """A page in a browser, and what it asked the network for. complaints: what its console said of errors."""

    page: Page
    requests: list[Request] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def note(self, message: ConsoleMessage) -> None:
        """Keep what the console says of errors; a violated security policy is one."""
        if message.type == "error" and OF_THE_NETWORK not in message.text:
            self.complaints.append(message.text)

    def choose(self, *photos: bytes, name: str = "me.png") -> None:
        """Choose files as a visitor does."""
        files: list[Any] = [
            {"name": name if len(photos) == 1 else f"{number}-{name}", "mimeType": "image/png", "buffer": photo}
            for number, photo in enumerate(photos)
        ]
        self.page.set_input_files("#choose", files)

    def wait_for(self, state: str, timeout_s: float = 60) -> None:
        """Return once the photo that is shown is in that state."""
        self.page.wait_for_selector(f"#work[data-state={state}]", timeout=1000 * timeout_s)

    def origins(self) -> set[str]:
        """Whom the page asked for anything; what it made itself is nobody's."""
        asked = [urlsplit(request.url) for request in self.requests]
        return {f"{url.scheme}://{url.netloc}" for url in asked if url.scheme not in ("blob", "data")}


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's browser; skips the test where there is none."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(QUIET))
        yield browser
        browser.close()


def keep(page: Page) -> None:
    """A picture of the page as a test leaves it, for people to look at."""
    name = re.sub(r"\W+", "_", os.environ["PYTEST_CURRENT_TEST"].split("::")[-1].rsplit(" ", 1)[0]).strip("_")
    seen[name] += 1
    with suppress(Error):  # it may be gone already
        page.screenshot(path=PICTURES / f"{name}_{seen[name]}.png", full_page=True)


@contextmanager
def visiting(browser: Browser, url: str, awaited: str = ".look", service: str = "", **context: Any) -> Iterator[Visit]:
    """The page at that address, in a window of its own.

    awaited: what shows that it is there. service: whom it may ask beside its own server. context: of Playwright's
    `new_context`. Whatever happened, the page must have asked nobody else for anything and complained of nothing.
    """
    options: dict[str, Any] = {"locale": "en-GB", "viewport": {"width": 1280, "height": 900}}
    with browser.new_context(**options | context) as window:
        visit = Visit(window.new_page())
        visit.page.on("request", lambda request: visit.requests.append(request))  # it takes no builtin
        visit.page.on("console", visit.note)
        visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        visit.page.goto(url)
        visit.page.wait_for_selector(awaited, state="attached")
        try:
            yield visit
        finally:
            keep(visit.page)
        assert visit.origins() == {"{0.scheme}://{0.netloc}".format(urlsplit(url)), service} - {""}
        assert visit.complaints == []
