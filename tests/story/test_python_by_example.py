"""`docs/python.md`, run: its examples against a real service, and what they print beside what the page shows."""

import re
from fnmatch import fnmatchcase
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import diffam_client
from diffam_client import Client, ClientError
from model_store.rendered.scenes import group_scene
from tests.story.conftest import Service, png

pytestmark = pytest.mark.xdist_group("service")

PAGE = (Path(__file__).parents[2] / "docs/python.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(r"^```python\n(.*?)^```\n\n```text\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
SERVED_AT = "http://127.0.0.1:8000"


def test_every_example_of_the_page_prints_what_it_shows(
    service: Service, scene: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.open(BytesIO(scene)).save(tmp_path / "me.jpg", quality=88)
    friends = group_scene(11, 640, 400, faces=2, tilt_deg=10, box_widths=(100, 140))[0]
    (tmp_path / "friends.png").write_bytes(png(Image.fromarray(friends)))
    Image.new("RGB", (200, 150), "teal").save(tmp_path / "wall.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DIFFAM_API_KEY", raising=False)
    names: dict[str, Any] = {}
    for source, shown in EXAMPLE.findall(PAGE):
        exec(compile(source.replace(SERVED_AT, service.stack.url), "docs/python.md", "exec"), names)  # noqa: S102
        assert prints(capsys.readouterr().out, shown), source
    names["client"].close()
    for name, kind in (("out.jpg", "JPEG"), ("friends-0.png", "PNG"), ("friends-1.png", "PNG")):
        with Image.open(tmp_path / name) as picture:
            assert picture.format == kind


def prints(told: str, shown: str) -> bool:
    """Whether that is what the page shows; `…` stands for anything."""
    pattern = re.sub(r"([\[*?])", r"[\1]", shown.strip()).replace("…", "*")
    return fnmatchcase(told.strip(), pattern)


def test_every_example_has_its_output() -> None:
    assert len(EXAMPLE.findall(PAGE)) == PAGE.count("```python\n") > 4


def test_every_call_and_every_error_is_told() -> None:
    told = set(re.findall(r"`(\w+)`", "\n".join(re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE))))
    calls = {name for name in vars(Client) if not name.startswith("_")} - {"close"}
    errors = {
        name for name, each in vars(diffam_client).items() if isinstance(each, type) and issubclass(each, ClientError)
    }
    assert told == calls | errors


@pytest.mark.parametrize(
    ("told", "shown", "fits"),
    [("a [1]", "a [1]\n", True), ("a [1]", "a […]", True), ("a\nb\nc", "a\n…\nc", True), ("a 1", "a [1]", False)],
)
def test_what_differs_is_found(told: str, shown: str, fits: bool) -> None:
    assert prints(told, shown) == fits
