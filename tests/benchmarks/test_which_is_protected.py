"""The quiz: what a pair shows, how answers are counted, and that nothing but the change tells which is which."""

import io
import json
import shutil
import subprocess
from base64 import b64decode
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image
from scipy.stats import binomtest

from benchmarks.pairs import Pair
from benchmarks.which_is_protected import HEAD_PX, Question, ask, p_values, write_quiz
from diffam_core.faces.face import FoundFace
from diffam_core.faces.framing import Framing

FACE = FoundFace((150, 80, 100, 120), (180, 120), (220, 120), Framing((0.5, 0.46), 0.28))
BRIGHT, DARK = (np.full((300, 500, 3), grey, np.uint8) for grey in (200, 50))
PROTECTED = (0, 1, 1)


class Page(HTMLParser):
    """Pictures and buttons in order, each with its attributes, and the text of both scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script" and data.strip():
            self.scripts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Attributes of each element with that tag."""
        return [attributes for name, attributes in self.tags if name == tag]


def picture(url: str | None) -> Image.Image:
    """What a data URL shows."""
    assert url is not None
    return Image.open(io.BytesIO(b64decode(url.removeprefix("data:image/jpeg;base64,"))))


@pytest.fixture(scope="module")
def questions() -> list[Question]:
    """Of a bright original and a dark protected photo."""
    return [ask(Pair(BRIGHT, DARK, FACE, "rose"), protected) for protected in PROTECTED]


@pytest.fixture(scope="module")
def page(questions: list[Question]) -> Page:
    """The quiz of three pairs."""
    return Page(write_quiz(questions, {"seed": 0}))


def test_the_protected_photo_is_on_the_side_that_the_solution_names(page: Page) -> None:
    pictures = [picture(image["src"]) for image in page.all("img")]
    greys = [np.asarray(each).mean() for each in pictures]
    assert [each.size for each in pictures[:2]] == [(HEAD_PX, HEAD_PX), (500, 300)]
    dark = [grey < 100 for grey in greys[::2]]
    assert dark == [grey < 100 for grey in greys[1::2]]
    assert dark == [True, False, False, True, False, True]
    assert json.loads(page.scripts[0])["protected"] == ["left", "right", "right"]


def test_both_pictures_of_a_pair_differ_in_nothing_but_pixels(page: Page) -> None:
    images = page.all("img")
    assert len(images) == 4 * len(PROTECTED)
    assert all(image.keys() == {"alt", "src"} and image["alt"] == "" for image in images)
    for first, second in zip(images[::4] + images[1::4], images[2::4] + images[3::4], strict=True):
        one, other = picture(first["src"]), picture(second["src"])
        assert (one.size, one.info.keys(), one.quantization) == (other.size, other.info.keys(), other.quantization)  # type: ignore[attr-defined]


def test_one_of_two_must_be_answered_and_nothing_is_loaded_from_elsewhere(page: Page) -> None:
    assert [button["data-side"] for button in page.all("button")] == ["left", "right"] * len(PROTECTED)
    assert all(str(image["src"]).startswith("data:") for image in page.all("img"))
    assert {"link", "iframe"}.isdisjoint(tag for tag, _ in page.tags)
    assert all("src" not in script for script in page.all("script"))


def test_p_values_are_those_of_scipys_one_sided_test() -> None:
    wanted = [binomtest(right, 12, 0.5, "greater").pvalue for right in range(13)]
    assert p_values(12) == pytest.approx(wanted)


@pytest.fixture(scope="module")
def play(page: Page, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Runs the page's own script with keys and clicks."""
    if shutil.which("node") is None:
        pytest.skip("no node to run the page's script with")
    folder = tmp_path_factory.mktemp("quiz")
    for name, text in zip(("facts", "script"), page.scripts, strict=True):
        (folder / name).write_text(text, encoding="utf-8")

    def run(pressed: str) -> Any:
        command = ["node", str(Path(__file__).with_name("page.js")), str(folder / "script"), str(folder / "facts")]
        return json.loads(subprocess.run([*command, pressed], capture_output=True, check=True, text=True).stdout)

    return run


def test_answers_by_key_and_click_are_counted_and_told_with_their_chance(play: Any) -> None:
    played = play("ArrowLeft,Enter,ArrowLeft,click:right,ArrowRight")
    places = [where for where, _, _ in played["seen"]]
    assert places == ["Pair 1 of 3", "Pair 2 of 3", "Pair 2 of 3", "Pair 3 of 3", "That was the last one."]
    assert [done for _, done, _ in played["seen"]] == [0, 1, 1, 2, 3]
    assert [shown for _, _, shown in played["seen"]][1:4:2] == [[False, True, False], [False, False, True]]
    assert played["told"].startswith("2 of 3 right, 67 %.")
    saved = json.loads(unquote(played["saved"].removeprefix("data:application/json,")))
    assert (saved["n"], saved["right"], saved["p_value"]) == (3, 2, pytest.approx(0.5))
    assert saved["answers"] == ["left", "left", "right"]
    assert saved["asked"] == {"seed": 0}


def test_nothing_is_told_before_the_last_answer(play: Any) -> None:
    played = play("ArrowLeft,ArrowRight")
    assert "told" not in played
    assert "saved" not in played
