"""How soon a photo is accepted, beside a bare FastAPI upload; and what clients who all come at once are told.

    python -m benchmarks.accept [--times 100] [--clients 200] [--json FILE]

The service is the whole embedded stack, its worker doing nothing. The yardstick takes the same form, reads the photo
and answers. Both are asked in turns by one client; then by all clients at the same moment, who come back after
`Retry-After` until they are let in. The photos are rendered, grainy as a sensor's, and of one megabyte at most.
"""

import argparse
import asyncio
import json
import platform
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from statistics import quantiles
from typing import Annotated, Any

import httpx
import numpy as np
from fastapi import FastAPI, Form, UploadFile
from PIL import Image

from cli.commit import commit
from cli.stack.stack import running_stack
from jobs.settings import Settings
from model_store.rendered.scenes import demo_scene

IDLE = (sys.executable, "-c", "import signal; signal.pause()")
MOST_BYTES = 1_000_000
PHOTOS = {"jpeg_3_megapixels": ("JPEG", 3), "jpeg_12_megapixels": ("JPEG", 12), "webp_3_megapixels": ("WEBP", 3)}
GRAIN = 4.0
WARM_UP = 5
bare = FastAPI()


@bare.post("/v1/jobs", status_code=202)
async def take(photo: UploadFile, reference_id: Annotated[str, Form()]) -> dict[str, Any]:
    """The yardstick."""
    return {"bytes": len(await photo.read()), "reference_id": reference_id}


def photo_of(name: str) -> bytes:
    """As many pixels as the name says, in the best quality that fits into a megabyte."""
    photo_format, megapixels = PHOTOS[name]
    side = round((megapixels * 1e6) ** 0.5)
    pixels = np.asarray(demo_scene(seed=0, size=1024).resize((side, side)), np.float32)
    grain = np.random.default_rng(0).normal(0, GRAIN, pixels.shape)
    photo = Image.fromarray((pixels + grain).clip(0, 255).astype(np.uint8))
    for quality in range(95, 0, -5):
        file = BytesIO()
        photo.save(file, photo_format, quality=quality)
        if file.tell() <= MOST_BYTES:
            break
    return file.getvalue()


def form_of(photo: bytes) -> httpx.Request:
    """The request, written once: a client's own work must not count."""
    form = httpx.Request("POST", "http://_", files={"photo": ("me", photo)}, data={"reference_id": "rose"})
    form.read()
    return form


@contextmanager
def yardstick() -> Iterator[str]:
    """The bare upload in a process of its own; where it listens."""
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        command = [
            sys.executable,
            "-m",
            "uvicorn",
            "benchmarks.accept:bare",
            "--no-access-log",
            "--fd",
            str(listener.fileno()),
        ]
        process = subprocess.Popen(command, pass_fds=[listener.fileno()], stderr=subprocess.DEVNULL)
        with process:
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                process.terminate()


def one_by_one(urls: dict[str, str], photo: bytes, times: int) -> dict[str, Any]:
    """Milliseconds from the request to the answer, asked in turns; 202 every time."""
    form, taken = form_of(photo), {name: list[float]() for name in urls}
    with httpx.Client(timeout=60) as client:
        for _ in range(WARM_UP + times):
            for name, url in urls.items():
                started = time.perf_counter()
                answer = client.post(
                    f"{url}/v1/jobs", content=form.content, headers={"Content-Type": form.headers["content-type"]}
                )
                taken[name].append(1000 * (time.perf_counter() - started))
                if answer.status_code != 202:
                    raise RuntimeError(answer.text)
                if "location" in answer.headers:  # the store holds no more than one at a time
                    client.delete(url + answer.headers["location"]).raise_for_status()
    found = {}
    for name, each in taken.items():
        cuts = quantiles(each[WARM_UP:], n=20)
        found[name] = {"median_ms": round(cuts[9], 1), "p95_ms": round(cuts[18], 1)}
    return found | {"times_the_yardstick_p95": round(found["service"]["p95_ms"] / found["yardstick"]["p95_ms"], 1)}


async def all_at_once(url: str, photo: bytes, clients: int) -> dict[str, Any]:
    """What each is told until it is let in. failures: anything but a 202, or a 429 or 503 with `Retry-After`."""
    form, told, failures, taken = form_of(photo), Counter[str](), Counter[str](), list[float]()

    async def insist() -> None:
        async with httpx.AsyncClient(timeout=120) as client:
            while True:
                started = time.perf_counter()
                try:
                    answer = await client.post(
                        f"{url}/v1/jobs", content=form.content, headers={"Content-Type": form.headers["content-type"]}
                    )
                except httpx.HTTPError as error:
                    failures[type(error).__name__] += 1
                    return
                told[str(answer.status_code)] += 1
                if answer.status_code == 202:
                    taken.append(time.perf_counter() - started)
                    return
                if answer.status_code not in (429, 503) or "retry-after" not in answer.headers:
                    failures[answer.text] += 1
                    return
                await asyncio.sleep(float(answer.headers["retry-after"]))

    started = time.perf_counter()
    await asyncio.gather(*(insist() for _ in range(clients)))
    return {
        "answers": dict(told),
        "failures": dict(failures),
        "seconds_until_all_are_in": round(time.perf_counter() - started, 1),
        "p95_of_those_let_in_s": round(quantiles(taken, n=20)[18], 2),
    }


def main() -> None:
    """Measure, print, and write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    photos = {name: photo_of(name) for name in PHOTOS}
    facts: dict[str, Any] = {"photos_bytes": {name: len(photo) for name, photo in photos.items()}}
    with tempfile.TemporaryDirectory() as folder, yardstick() as bare_url:
        settings = Settings(_env_file=None, data_dir=Path(folder), bundle="mini", port=0)
        with running_stack(settings, print, IDLE) as stack:
            urls = {"service": stack.url, "yardstick": bare_url}
            httpx.get(f"{stack.url}/livez", timeout=60).raise_for_status()
            facts["one_by_one"] = {name: one_by_one(urls, photo, arguments.times) for name, photo in photos.items()}
            crowd = photos["jpeg_3_megapixels"]
            facts["all_at_once"] = {
                name: asyncio.run(all_at_once(url, crowd, arguments.clients)) for name, url in urls.items()
            }
    facts |= {"clients": arguments.clients, "commit": commit(), "machine": platform.platform()}
    print(json.dumps(facts, indent=2))  # noqa: T201  # this is a command
    if arguments.json:
        arguments.json.write_text(json.dumps(facts, indent=2) + "\n")
    if any(each["failures"] for each in facts["all_at_once"].values()):
        sys.exit("somebody of the crowd was neither let in nor told when to come back")


if __name__ == "__main__":
    main()
