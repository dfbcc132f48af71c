"""What a photo's size costs: time of a 12-megapixel photo beside a 1-megapixel one, memory of a 50-megapixel one.

    python -m benchmarks.any_photo [--repeats 5] [--json FILE]

Both photos show the same rendered person, in the same share of the frame, so that everything grows with the photo.
Decoding and encoding are timed by themselves and taken off. Memory is the peak of a process of its own over what it
held once its models were loaded and warm.
"""

import argparse
import json
import platform
import resource
import subprocess
import sys
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import cv2
import numpy as np
import torch

from cli.commit import commit
from diffam_client.contract.wish import Wish
from diffam_core.images import Photo, decode_photo, decode_rgba, encode_photo
from model_store.bundle import Bundle, open_bundle
from model_store.catalog import BUNDLES
from model_store.rendered.scenes import demo_scene
from protection.pipeline import ProtectedPhoto, protect_photos
from protection.plan import Request

SIZES = {1: (1155, 866), 12: (4000, 3000), 50: (8160, 6120)}
"""Megapixels -> width, height."""


def scene(megapixels: int) -> Photo:
    """A rendered person, enlarged, with sensor noise at the photo's own resolution."""
    width, height = SIZES[megapixels]
    base = np.array(demo_scene(seed=0, size=1024))[:768]
    large = cv2.resize(base, (width, height), interpolation=cv2.INTER_CUBIC)
    strip = np.random.default_rng(0).integers(-2, 3, (64, width, 3), dtype=np.int8)
    for top in range(0, height, 64):  # in strips: memory is what is measured here
        rows = large[top : top + 64]
        rows[:] = np.clip(rows.astype(np.int16) + strip[: len(rows)], 0, 255).astype(np.uint8)
    return large.astype(np.uint8)


def protect(bundle: Bundle, png: bytes) -> float:
    """Seconds of one protection."""
    started = perf_counter()
    (result,) = protect_photos(bundle, [Request(png, Wish(reference_id="rose", target_id="aurora"))], lambda *_: None)
    if not isinstance(result, ProtectedPhoto):
        raise result
    return perf_counter() - started


def coding(png: bytes) -> float:
    """Seconds that the codecs take of it: the upload in, the file out, the file in again."""
    started = perf_counter()
    photo, _ = decode_rgba(png)
    decode_photo(encode_photo(photo, "png", kept={}))
    return perf_counter() - started


def costs(bundle: Bundle, repeats: int) -> dict[str, Any]:
    """Median seconds without coding, both sizes in turn."""
    pngs = {size: encode_photo(scene(size), "png") for size in (1, 12)}
    seconds: dict[int, list[float]] = {size: [] for size in pngs}
    for _ in range(repeats):
        for size, png in pngs.items():
            seconds[size].append(protect(bundle, png) - coding(png))
    middle = {size: median(each) for size, each in seconds.items()}
    return {
        "seconds": {f"{size}_megapixels": round(value, 3) for size, value in middle.items()},
        "ratio_12_to_1": round(middle[12] / middle[1], 3),
    }


def peak_bytes() -> int:
    """Most memory that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def memory(file: Path) -> None:
    """Protect one photo in this process and print the peak over the loaded, warm models."""
    bundle = open_bundle(BUNDLES / "mini")
    protect(bundle, encode_photo(np.array(demo_scene(seed=0, size=512)), "png"))
    before = peak_bytes()
    protect(bundle, file.read_bytes())
    print(peak_bytes() - before)  # noqa: T201  # read by the parent


def main() -> None:
    """Measure, print, and write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--memory", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.memory:
        memory(arguments.memory)
        return
    large = Path("out/any_photo_50.png")
    large.parent.mkdir(exist_ok=True)
    large.write_bytes(encode_photo(scene(50), "png"))
    child = [sys.executable, "-m", "benchmarks.any_photo", "--memory", str(large)]
    peak = int(subprocess.run(child, capture_output=True, text=True, check=True).stdout)
    large.unlink()
    found = costs(open_bundle(BUNDLES / "mini"), arguments.repeats) | {
        "peak_gigabytes_50_megapixels": round(peak / 1e9, 3),
        "commit": commit(),
        "machine": platform.platform(),
    }
    text = json.dumps(found, indent=2)
    print(text)  # noqa: T201  # this is a command
    if arguments.json:
        arguments.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
