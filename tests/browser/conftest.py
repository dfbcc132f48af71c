"""One browser and one service for all these tests; the service is the story's, the photos are rendered."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from playwright.sync_api import Browser

from model_store.rendered.scenes import demo_scene
from tests.browsing import Visit, chromium, visiting
from tests.story.conftest import Service, listener, png, scene, service, site

__all__ = ["listener", "scene", "service", "site"]

Visiting = Callable[..., AbstractContextManager[Visit]]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's own."""
    with chromium() as found:
        yield found


@pytest.fixture
def visit(browser: Browser, service: Service) -> Visiting:
    """Opens the page; arguments are those of Playwright's `new_context`, `path` what follows the origin."""

    def begin(path: str = "/", **context: Any) -> AbstractContextManager[Visit]:
        return visiting(browser, service.stack.url + path, **context)

    return begin


@pytest.fixture(scope="session")
def friends() -> bytes:
    """Two rendered people, side by side, 1024 by 512 pixels."""
    from PIL import Image

    both = Image.new("RGB", (1024, 512))
    for place, seed in enumerate((1, 3)):
        both.paste(demo_scene(seed=seed, size=512), (512 * place, 0))
    return png(both)
