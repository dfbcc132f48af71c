"""YuNet beside OpenCV's cascades: people and crowds that are found, and time on one core.

    python -m benchmarks.detectors --yunet FILE [--people DIR ...] [--repeats 5] [--json FILE]

A folder of people holds photos of one person each. The crowd is a mosaic of a hundred of them. Both detectors take the
bundle's second look; rendered groups are in face_recall. The
time is that of `all` on one face in a picture brought to 1000 x 1000 pixels, taken in turns.
"""

import argparse
import json
import platform
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

import cv2
import numpy as np
import torch

from cli.commit import commit
from diffam_core.faces.detection import Detector
from diffam_core.faces.yunet import Yunet
from diffam_core.images import Photo, decode_photo
from model_store.bundle import open_bundle
from model_store.rendered.scenes import demo_scene

BUNDLE = Path("model_store/bundles/mini")
SUFFIXES = (".jpg", ".png", ".webp")
CROWD, CELL_PX = 100, 300


def photos_in(folder: Path) -> list[Path]:
    """Its pictures."""
    return sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES)


def people(detector: Detector, folder: Path) -> dict[str, Any]:
    """How many photos of one person show a face, those in which further ones are told, and the missed by name."""
    faces = {path.name: detector.all(decode_photo(path.read_bytes())) for path in photos_in(folder)}
    missed = [name for name, found in faces.items() if not found]
    return {
        "photos": len(faces), "found": round(1 - len(missed) / len(faces), 4), "missed": missed,
        "with_further_faces": sum(len(found) > 1 for found in faces.values()),
        "taken_for_turned": sum(any("face_turned" in face.notes for face in found) for found in faces.values()),
    }  # fmt: skip


def crowd(detector: Detector, photos: list[Path]) -> dict[str, int]:
    """Of a hundred people in a mosaic, those in whose cell a face is found, and all finds."""
    across = round(CROWD**0.5)
    mosaic = np.zeros((across * CELL_PX, across * CELL_PX, 3), np.uint8)
    for index, path in enumerate(photos[:: max(1, len(photos) // CROWD)][:CROWD]):
        row, column = divmod(index, across)
        cell = cv2.resize(decode_photo(path.read_bytes()), (CELL_PX, CELL_PX), interpolation=cv2.INTER_AREA)
        mosaic[row * CELL_PX : (row + 1) * CELL_PX, column * CELL_PX : (column + 1) * CELL_PX] = cell
    found = detector.all(mosaic)
    return {"found": len({tuple(int(v // CELL_PX) for v in face.eye_middle) for face in found}), "finds": len(found)}


def milliseconds(detectors: dict[str, Detector], photo: Photo, repeats: int) -> dict[str, float]:
    """Median processor time of a search, the detectors in turns."""
    taken: dict[str, list[float]] = {name: [] for name in detectors}
    for _ in range(repeats):
        for name, detector in detectors.items():
            started = process_time()
            detector.all(photo)
            taken[name].append(process_time() - started)
    return {name: round(1000 * median(seconds), 1) for name, seconds in taken.items()}


def main() -> None:
    """Measure, print, and write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--yunet", type=Path, required=True)
    parser.add_argument("--people", type=Path, nargs="*", default=[])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", choices=("yunet", "cascades"))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    cascades = open_bundle(BUNDLE).models.detector
    detectors: dict[str, Detector] = {
        "yunet": open_bundle(BUNDLE, yunet=Yunet(arguments.yunet)).models.detector, "cascades": cascades,
    }  # fmt: skip
    one_face = np.array(demo_scene(seed=0, size=1000))
    times = {"rendered": milliseconds(detectors, one_face, arguments.repeats)}
    if arguments.people:
        photo = decode_photo(photos_in(arguments.people[0])[0].read_bytes())
        megapixel = cv2.resize(photo, (1000, 1000), interpolation=cv2.INTER_AREA).astype(np.uint8)
        times["photo"] = milliseconds(detectors, megapixel, arguments.repeats)
    facts: dict[str, Any] = {"one_megapixel_ms": times}
    for name in [arguments.only] if arguments.only else detectors:
        facts[name] = {
            "people": {folder.name: people(detectors[name], folder) for folder in arguments.people},
            "crowd": {folder.name: crowd(detectors[name], photos_in(folder)) for folder in arguments.people},
        }
        print(name, json.dumps(facts[name]), flush=True)  # noqa: T201
    facts |= {"commit": commit(), "machine": platform.platform()}
    print(json.dumps({key: facts[key] for key in ("one_megapixel_ms", "commit", "machine")}, indent=2))  # noqa: T201
    if arguments.json:
        arguments.json.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
