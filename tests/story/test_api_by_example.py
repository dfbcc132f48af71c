"""`docs/api.md`, run: its commands against a real service, and the answers beside those that the page shows."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from PIL import Image

from cli.demo import demo_photo
from diffam_client.contract.wish import Wish
from model_store.rendered.scenes import group_scene
from tests.story.conftest import Service, png
from tests.told import exif_of

pytestmark = pytest.mark.xdist_group("service")

PAGE = (Path(__file__).parents[2] / "docs/api.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(r"^```sh\n(.*?)^```\n\n```(?:http|text)\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
SERVED_AT = "http://127.0.0.1:8000"
LEFT_OUT = "…"
OWN = re.compile(r"[0-9a-f]{32}|[0-9a-f]{16,64}|\d{10}\.\d{6}|\d{4}-\d\d-\d\dT[\d:.]+Z")
"""What differs from run to run inside a text: ids, digests, cursors, times."""
MEASURED = ("word", "sentence", "dodged", "impersonated", "passes", "found_again")
"""What a style or a rounding may tip: that it is told is what counts."""
POLLS = 40


@dataclass(frozen=True)
class Answer:
    """What came back for a command: the status line and headers of `curl -i`, and the body or all that it printed."""

    status: str
    headers: dict[str, str]
    body: Any

    @property
    def is_over(self) -> bool:
        """False while it tells of a job that waits or runs."""
        return not (isinstance(self.body, dict) and self.body.get("status") in ("queued", "running"))


def read_answer(text: str) -> Answer:
    """What curl printed, or the page shows."""
    if not text.startswith("HTTP/"):
        return Answer("", {}, text.strip())
    head, _, body = text.replace("\r\n", "\n").partition("\n\n")
    if " 100 " in head:  # curl asks before it sends a large body
        return read_answer(body)
    status, *lines = head.splitlines()
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return Answer(status, headers, json.loads(body) if body.strip() else None)


def commands(block: str) -> list[str]:
    """A command per entry; a backslash continues a line."""
    return block.replace("\\\n", " ").strip().splitlines()


def ask(command: str, url: str, folder: Path, known: dict[str, str]) -> Answer:
    """Run a command of the page as a reader's shell would."""
    there = command.replace(SERVED_AT, url).replace("curl ", "curl --silent --show-error ", 1)
    told = subprocess.run(
        [shutil.which("bash") or "bash", "-c", there],
        cwd=folder, env=os.environ | known, timeout=120, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return read_answer(told.stdout)


def shape(told: Any) -> Any:
    """A number becomes its kind, a text loses what differs from run to run."""
    match told:
        case bool() | None:
            return told
        case int() | float():
            return "a number"
        case _:
            return OWN.sub("*", told)


def differences(shown: Any, told: Any, place: str) -> list[str]:
    """Where an answer is not what the page shows. `…` stands for anything, for further keys, or for further items."""
    match shown, told:
        case str(), _ if shown == LEFT_OUT or (shown, told) == ("queued", "running"):  # a worker may be quick
            return []
        case dict(), dict():
            lost = [f"{place}.{key} is not told" for key in shown.keys() - told.keys() - {LEFT_OUT}]
            new = [] if LEFT_OUT in shown else [f"{place}.{key} is not shown" for key in told.keys() - shown.keys()]
            both = sorted(key for key in shown.keys() & told.keys() if key not in MEASURED)
            return lost + new + [each for key in both for each in differences(shown[key], told[key], f"{place}.{key}")]
        case list(), list():
            given = [item for item in shown if item != LEFT_OUT]
            if len(given) > len(told) or (len(given) == len(shown) and len(shown) != len(told)):
                return [f"{place} has {len(told)} items"]
            pairs = enumerate(zip(given, told, strict=False))
            return [each for index, (a, b) in pairs for each in differences(a, b, f"{place}[{index}]")]
        case _:
            return [] if shape(shown) == shape(told) else [f"{place}: {shown!r} is {told!r}"]


def test_every_command_of_the_page_is_answered_as_it_shows(service: Service, tmp_path: Path) -> None:
    if not (shutil.which("curl") and shutil.which("bash")):
        pytest.skip("the commands of the page need curl and bash")
    (tmp_path / "me.png").write_bytes(demo_photo())
    exif = exif_of(artist="Ada Example", date="2024:05:31 17:02:09")
    Image.open(tmp_path / "me.png").convert("RGB").save(tmp_path / "credited.jpg", exif=exif)
    friends = group_scene(11, 640, 400, faces=2, tilt_deg=10, box_widths=(100, 140))[0]
    (tmp_path / "friends.png").write_bytes(png(Image.fromarray(friends)))
    known: dict[str, str] = {}
    wrong = []
    for block, shown in EXAMPLE.findall(PAGE):
        told = []
        for command in commands(block):
            for _ in range(POLLS):
                answer = ask(command, service.stack.url, tmp_path, known)
                if answer.is_over or "wait=" not in command:
                    break
                sleep(0.1)
            told.append(answer)
            if isinstance(answer.body, dict) and "id" in answer.body:
                known |= {"ID": answer.body["id"], "ETAG": answer.headers.get("etag", "")}
        expected = read_answer(shown)
        place = commands(block)[-1]
        answer = told[-1]
        if not expected.status:
            answer = Answer("", {}, "\n".join(each.body for each in told))
        wrong += differences(expected.status, answer.status, place)
        wrong += differences(expected.headers | {LEFT_OUT: ""}, answer.headers, f"{place}: header")
        wrong += differences(expected.body, answer.body, f"{place}: answer")
    assert wrong == []
    assert {path.name for path in tmp_path.iterdir()} > {"protected.png", "comparison.jpg", "second.png"}
    with Image.open(tmp_path / "protected.png") as after, Image.open(tmp_path / "me.png") as before:
        assert after.size == before.size


def test_every_command_of_the_page_has_its_answer() -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert blocks == [block for block, _ in EXAMPLE.findall(PAGE)]
    assert all(command.startswith("curl ") for block in blocks for command in commands(block))


def test_every_field_of_a_wish_is_told() -> None:
    rows = re.findall(r"^\| (`.*?`) \|", PAGE, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} >= set(Wish.model_fields)


@pytest.mark.parametrize(
    ("shown", "told", "wrong"),
    [
        ({"a": 1, "b": "x"}, {"a": 2.5, "b": "x"}, []),
        ({"a": 1}, {"a": 1, "b": 2}, ["answer.b is not shown"]),
        ({"a": 1, "…": "…"}, {"a": 1, "b": 2}, []),
        ({"a": 1, "b": 2}, {"a": 1}, ["answer.b is not told"]),
        ([1, "…"], [1, 2, 3], []),
        ([1], [1, 2], ["answer has 2 items"]),
        ("/v1/jobs/0123456789abcdef0123456789abcdef", "/v1/jobs/fedcba9876543210fedcba9876543210", []),
        ("strong", "weak", ["answer: 'strong' is 'weak'"]),
        (True, 1, ["answer: True is 1"]),
        (None, 1, ["answer: None is 1"]),
    ],
)
def test_what_differs_is_found_and_what_may_differ_is_none(shown: Any, told: Any, wrong: list[str]) -> None:
    assert differences(shown, told, "answer") == wrong
