"""Requests whose answers are kept: what a client reads today must still be there tomorrow.

`python -m tests.story.recording` makes the files of `tests/story/recorded/` anew, with a service of its own, and the
examples of the OpenAPI document. Do that only where the API is meant to change, and tell in CHANGELOG.md what did.
"""

import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from socket import gethostname
from typing import Any

import httpx
import pytest
from PIL import Image

from app.openapi.examples import RECORDED
from cli.stack.stack import running_stack
from jobs.settings import Settings
from jobs.webhooks.secrets import secret_of
from model_store.rendered.scenes import demo_scene, group_scene
from tests.receiver import receiving
from tests.story.conftest import png
from tests.story.tour import tour

FOLDER = Path(__file__).parent / "recorded"
VARYING = {
    "id", "revision", "sha256", "bytes", "batch_size",
    "created_at", "started_at", "finished_at", "expires_at", "queue_s", "run_s", "stages_s", "links", "url",
}  # fmt: skip
"""Fields that differ from run to run, or hang on the last bit of a pixel; that they are there is what counts."""
TOLERANCE = 2e-3
"""Machines sum in different orders."""


@dataclass(frozen=True)
class Recorded:
    """A request: where it goes, its photo, and the fields beside it."""

    path: str
    photo: Image.Image
    fields: dict[str, str] = field(default_factory=dict)


def requests() -> dict[str, Recorded]:
    """By the name of the file that keeps the answer. No cosine of theirs is near a threshold: no verdict may tip."""
    friends = Image.fromarray(group_scene(11, 640, 400, faces=2, tilt_deg=10, box_widths=(100, 140))[0])
    return {
        "protect": Recorded("/v1/jobs", demo_scene(seed=1, size=512), {"reference_id": "rose"}),
        "auto": Recorded(
            "/v1/jobs",
            friends,
            {
                "reference_id": "lagoon", "target_id": "celia", "faces": "1", "strength": "auto",
                "survival": "jpeg75,half,messenger",
            },
        ),
        "candidates": Recorded(
            "/v1/jobs",
            demo_scene(seed=2, size=384),
            {
                "reference_id": "ember", "target_id": "celia", "candidates": "2", "regions": "lips,eyes",
                "output_format": "webp", "strength": "0.8",
            },
        ),
        "faces": Recorded("/v1/faces", friends),
    }  # fmt: skip


def answer(client: httpx.Client, request: Recorded) -> Any:
    """The job's JSON once it is over."""
    sent = client.post(request.path, data=request.fields, files={"photo": ("photo.png", png(request.photo))})
    job = sent.raise_for_status().json()
    while job["status"] in ("queued", "running"):
        job = client.get(f"/v1/jobs/{job['id']}", headers={"Prefer": "wait=30"}).json()
    return job


def settled(told: Any, name: str = "") -> Any:
    """The same JSON with the kind of every varying value in its place."""
    match told:
        case dict():
            return {key: settled(value, key if name not in VARYING else name) for key, value in told.items()}
        case list():
            return [settled(value, name) for value in told]
        case None:
            return None
        case _:
            return type(told).__name__ if name in VARYING else told


def differences(then: Any, now: Any, place: str = "job") -> list[str]:
    """Where `now` says something else than `then`; what it says besides is no difference."""
    match then, now:
        case dict(), dict():
            lost = [f"{place}.{key} is gone" for key in then.keys() - now.keys()]
            kept = sorted(then.keys() & now.keys())
            return lost + [each for key in kept for each in differences(then[key], now[key], f"{place}.{key}")]
        case list(), list() if len(then) == len(now):
            pairs = enumerate(zip(then, now, strict=True))
            return [each for index, (a, b) in pairs for each in differences(a, b, f"{place}[{index}]")]
        case ((int() | float()), (int() | float())) if type(then) is type(now):
            return [] if now == pytest.approx(then, rel=TOLERANCE, abs=TOLERANCE) else [f"{place}: {then} is {now}"]
        case _:
            return [] if (type(then), then) == (type(now), now) else [f"{place}: {then!r} is {now!r}"]


def stale(answers: dict[str, Any]) -> list[str]:
    """Where the recorded examples of that name have other fields, or other kinds of values, than these answers."""
    examples = json.loads(RECORDED.read_text())
    return [each for name, now in answers.items() for each in unlike(examples[name], now, name)]


def unlike(then: Any, now: Any, place: str) -> list[str]:
    """Where the two have other fields or kinds of values. What is null or empty in one of them may be anything."""
    match then, now:
        case (None, _) | (_, None):
            return []
        case dict(), dict():
            lost = [f"{place}.{key} is in one only" for key in sorted(then.keys() ^ now.keys())]
            kept = sorted(then.keys() & now.keys())
            return lost + [each for key in kept for each in unlike(then[key], now[key], f"{place}.{key}")]
        case list(), list():
            return [found for first in then[:1] for each in now for found in unlike(first, each, f"{place}[]")]
        case str(), str() if "data: " in then:
            return unlike(_events(then), _events(now), place)
        case _:
            return [] if type(then) is type(now) else [f"{place}: {then!r} is {now!r}"]


def _events(stream: str) -> list[Any]:
    """What the events of a stream hold."""
    return [json.loads(line.removeprefix("data: ")) for line in stream.splitlines() if line.startswith("data: ")]


def main() -> None:
    """Start a service, make every request, keep the answers."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="diffam-recording-") as data:
        settings = Settings(_env_file=None, redis_url=None, data_dir=Path(data), port=0, webhook_loopback=True)
        secret_of(settings.webhooks, "")
        with (
            running_stack(settings, print) as stack,
            httpx.Client(base_url=stack.url, timeout=60) as client,
            receiving() as hook,
        ):
            stack.wait_until_ready()
            examples = json.dumps(dict(tour(client, hook.url)), indent=1)
            for here, there in ((hook.url, "https://photos.example.org/hook"), (f"{gethostname()}:", "gpu-1:")):
                examples = examples.replace(here, there)
            RECORDED.write_text(examples + "\n")
            for name, request in requests().items():
                told = settled(answer(client, request))
                (FOLDER / f"{name}.json").write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
