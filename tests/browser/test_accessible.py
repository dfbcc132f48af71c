"""Whoever uses the page: with a screen reader, on a narrow phone, in the dark, without motion."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.conftest import Visiting

pytestmark = pytest.mark.browser

SIZES = {"desk": {"width": 1280, "height": 900}, "phone": {"width": 360, "height": 740}}
DARK_LUMA = 60


def found_by_axe(page: Page) -> list[str]:
    """What the axe engine holds against the page as it stands, by rule and place."""
    violations: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [f"{rule['id']}: {node['html'][:120]}" for rule in violations for node in rule["nodes"]]


def is_too_wide(page: Page) -> bool:
    """Whether it scrolls sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_every_state_axe_finds_nothing_and_nothing_sticks_out(
    visit: Visiting, friends: bytes, size: str, scheme: Any
) -> None:
    with visit(viewport=SIZES[size], color_scheme=scheme, reduced_motion="reduce") as visitor:
        page = visitor.page
        seen: dict[str, list[str]] = {}

        def look_at(state: str) -> None:
            assert not is_too_wide(page), state
            seen[state] = found_by_axe(page)

        look_at("start")
        visitor.choose(friends)
        visitor.wait_for("ready")
        page.click("summary >> nth=-1")
        look_at("ready")
        page.click("#mark")
        look_at("marking")
        page.keyboard.press("Escape")
        page.click("#protect")
        visitor.wait_for("working")
        look_at("working")
        visitor.wait_for("done")
        page.click("#result summary")
        look_at("done")
        page.click("#erase")
        visitor.wait_for("erased")
        look_at("erased")
        visitor.choose(b"no picture")
        visitor.wait_for("failed")
        look_at("failed, and an album")
        assert {state: found for state, found in seen.items() if found} == {}
        assert len(seen) == 7
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        red, green, blue = (int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(","))
        assert (max(red, green, blue) < DARK_LUMA) == (scheme == "dark")


def test_who_wants_no_motion_gets_none(visit: Visiting) -> None:
    duration = "getComputedStyle(document.querySelector('.button')).transitionDuration"
    with visit(reduced_motion="no-preference") as visitor:
        assert visitor.page.evaluate(duration) != "0s"
    with visit(reduced_motion="reduce") as visitor:
        assert visitor.page.evaluate(duration) == "0s"
