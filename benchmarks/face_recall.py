"""Which faces of rendered group photos are found, how exactly, what else is taken for one, and how long it takes.

    python -m benchmarks.face_recall [--scenes 12] [--repeats 5] [--smallest-share 0.0225] [--yunet FILE] [--json FILE]

Scenes have 1 to 7 people whose heads lean up to 35 degrees, faces from 48 pixels, photos from 0.75 to 12 megapixels.
"""

import argparse
import json
import platform
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import cv2
import numpy as np
import torch

from cli.commit import commit
from diffam_core.faces.detection import SMALLEST_SHARE
from diffam_core.faces.yunet import Yunet
from diffam_core.images import Photo
from model_store.bundle import open_bundle
from model_store.rendered.scenes import error_of, group_scene, pair

BUNDLE = Path("model_store/bundles/mini")
SIZES = ((1000, 750), (1000, 750), (1600, 1200), (2400, 1800), (1200, 1600), (4000, 3000))
MEGAPIXELS = {"1": (1155, 866), "12": (4000, 3000), "50": (8660, 5774)}


def milliseconds(find: Callable[[Photo], object], photo: Photo, repeats: int) -> dict[str, float]:
    """Median time of a search: by the clock, and of the processor alone."""
    clock, processor = [], []
    for _ in range(repeats):
        started, busy = perf_counter(), process_time()
        find(photo)
        clock.append(perf_counter() - started)
        processor.append(process_time() - busy)
    return {"clock": round(1000 * median(clock)), "processor": round(1000 * median(processor))}


def main() -> None:
    """Search the scenes, print, and write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--smallest-share", type=float, default=SMALLEST_SHARE)
    parser.add_argument("--yunet", type=Path, help="the detector, in place of OpenCV's cascades")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    yunet = Yunet(arguments.yunet) if arguments.yunet else None
    models = open_bundle(BUNDLE, yunet=yunet).models
    find = partial(models.detector.all, smallest_share=arguments.smallest_share)
    drawn, errors, found_count, rows = 0, [], 0, []
    for index in range(arguments.scenes):
        width, height = SIZES[index % len(SIZES)]
        people = 1 + (3 * index + arguments.seed) % 7
        photo, truth = group_scene(arguments.seed + index, width, height, people, 35, (48, 0.3 * min(width, height)))
        found = find(photo)
        pairs = pair(found, truth)
        drawn, found_count = drawn + len(truth), found_count + len(found)
        errors += [error_of(face, where) for face, where in pairs]
        missed = [round(where.box_width) for where in truth if not any(where is other for _, other in pairs)]
        rows.append({"size": [width, height], "drawn": len(truth), "found": len(pairs), "missed_widths_px": missed,
                     "false": len(found) - len(pairs)})  # fmt: skip
        print(json.dumps(rows[-1]), flush=True)  # noqa: T201
    times = {}
    for name, (width, height) in MEGAPIXELS.items() if arguments.repeats else ():
        photo = np.ascontiguousarray(cv2.resize(group_scene(90, 1155, 866, 4, 35, (60, 250))[0], (width, height)))
        times[name] = {"find_face": milliseconds(models.detector.largest, photo, arguments.repeats),
                       "find_faces": milliseconds(find, photo, arguments.repeats)}  # fmt: skip
        print(name, json.dumps(times[name]), flush=True)  # noqa: T201
    facts: dict[str, Any] = {
        "recall": round(len(errors) / drawn, 4), "precision": round(len(errors) / found_count, 4), "faces": drawn,
        "eye_error": {"median": round(float(np.median(errors)), 4), "p95": round(float(np.quantile(errors, 0.95)), 4)},
        "detector": "yunet" if arguments.yunet else "cascades",
        "smallest_share": arguments.smallest_share, "scenes": rows,
        "milliseconds_by_megapixels": times, "seed": arguments.seed, "threads": torch.get_num_threads(),
        "opencv_threads": cv2.getNumThreads(), "commit": commit(), "machine": platform.platform(),
    }  # fmt: skip
    print(json.dumps({key: value for key, value in facts.items() if key != "scenes"}, indent=2))  # noqa: T201
    if arguments.json:
        arguments.json.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
