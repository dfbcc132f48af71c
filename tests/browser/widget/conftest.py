"""Somebody else's site with the widget, and what a visitor does there."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from hashlib import sha256
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browsing import Visit, visiting
from tests.other_site import Site
from tests.story.conftest import Service, png

USE = "dialog button.primary:visible"
ANYWAY = "text=Post it anyway, unprotected"
TOLD = """() => { window.told = [];
    for (const name of ["protecting", "protected", "failed", "canceled"])
        window.addEventListener(`diffam:${name}`, ({detail}) => window.told.push([name, detail])); }"""
Opening = Callable[..., AbstractContextManager[Visit]]


def digest(data: bytes) -> str:
    """As the site records it."""
    return sha256(data).hexdigest()


def choose(page: Page, *photos: bytes, kind: str = "image/png", ending: str = "png") -> None:
    """Choose files in the site's form, as a visitor does."""
    files: list[Any] = [
        {"name": f"{number}.{ending}", "mimeType": kind, "buffer": photo} for number, photo in enumerate(photos)
    ]
    page.set_input_files("#photo", files)


def names(page: Page) -> list[str]:
    """What the form would send now."""
    found: list[str] = page.evaluate("Array.from(document.getElementById('photo').files, (file) => file.name)")
    return found


@pytest.fixture
def elsewhere(browser: Browser, site: Site, service: Service) -> Opening:
    """Opens a page of the site, to which nothing has been sent yet."""
    site.posts.clear()

    def begin(path: str, origin: str = site.origin, **context: Any) -> AbstractContextManager[Visit]:
        return visiting(browser, f"{origin}/{path}", "#photo", service=service.stack.url, **context)

    return begin


@pytest.fixture(scope="session")
def blank() -> bytes:
    """A photo of nobody."""
    from PIL import Image

    return png(Image.new("RGB", (320, 240), "teal"))
