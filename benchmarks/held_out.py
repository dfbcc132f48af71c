"""Who still knows real people after a thorough result: each recogniser held out in turn, another photo as the gallery.

    python -m benchmarks.held_out PEOPLE [--faces 20] [--reference everyday] [--held-out sface,dlib]
        [--effort quick] [--target clara] [--seed 0] [--json FILE]

PEOPLE is a folder with two photos of each person. The first is protected by the pipeline that serves users, as a JPEG
of quality 92; in the finished file, and after each treatment, the face is found again. Thresholds are the recognisers'
own, means are over those held out, each in its own run.
"""

import argparse
import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from benchmarks.pairs import open_served, protect, wished
from cli.commit import commit
from diffam_client.contract.wish import Treatment
from diffam_core.faces.face import FoundFace
from diffam_core.images import Photo, to_portrait
from diffam_core.models import FalseAcceptRate
from diffam_core.score import psnr_db, ssim
from evaluation.judged.tasks import holding_out
from jobs.settings import Settings
from model_store.bundle import Bundle
from model_store.datasets.folder import people_in
from model_store.datasets.people import Person
from model_store.datasets.pictures import read_photo
from model_store.recognisers import Judges
from protection.measuring.again import meet_again
from protection.measuring.judging import Sight, embed_sights, meet, sight_of
from protection.measuring.survival import PROFILES, treat

FARS: tuple[FalseAcceptRate, ...] = ("0.01", "0.001")
TREATED: tuple[Treatment, ...] = ("jpeg75", "jpeg50", "half", "blur", "screenshot")
FINISHED = "finished"
console = Console(highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class Sitter:
    """A person: the photo to protect, its face, what judges see there and in another photo of the same person."""

    photo: Photo
    face: FoundFace
    sight: Sight
    gallery: Sight


def gather(bundle: Bundle, judges: Judges, people: Sequence[Person], count: int, seed: int) -> list[Sitter]:
    """The first `count` of shuffled people whose face is found in both photos."""
    order, found = np.random.default_rng(seed).permutation(len(people)), list[Sitter]()
    for index in order:
        if len(found) == count:
            break
        photos = [read_photo(path) for path in people[index].photos[:2]]
        faces = [bundle.models.detector.all(photo) for photo in photos]
        if len(photos) < 2 or not all(faces):
            continue
        first, second = (sight_of(judges, photo, each[0]) for photo, each in zip(photos, faces, strict=True))
        if first is not None and second is not None:
            found.append(Sitter(photos[0], faces[0][0], first, second))
    return found


def without(bundle: Bundle, judges: Judges, held_out: str) -> Bundle:
    """The bundle with another recogniser held out, in all styles that never attacked it."""
    names = tuple(judges.recognisers)
    styles = tuple(task for style in bundle.catalog.styles if (task := holding_out(style, held_out, names)))
    return replace(bundle, catalog=replace(bundle.catalog, styles=styles))


def likeness(original: Photo, finished: Photo) -> tuple[float, float]:
    """PSNR in dB and SSIM of whole photos."""
    pair = to_portrait(finished), to_portrait(original)
    return float(psnr_db(*pair)), float(ssim(*pair))


def known(bundle: Bundle, judges: Judges, sitters: Sequence[Sitter], photos: Sequence[Photo]) -> dict[str, Any]:
    """By judge and false accept rate, the share of owners whom it still knows."""
    sights = []
    for sitter, photo in zip(sitters, photos, strict=True):
        met = meet_again(bundle.models, photo, sitter.face, sitter.photo.shape[1])
        sights.append(meet(judges, photo, met.face, sitter.sight.points))
    own, seen = embed_sights(judges, [each.gallery for each in sitters]), embed_sights(judges, sights)
    return {
        name: {far: float(((own[name] * seen[name]).sum(1) >= judge.thresholds[far]).float().mean()) for far in FARS}
        for name, judge in judges.recognisers.items()
    }


def _told(row: dict[str, Any]) -> str:
    return " ".join(f"{name} {shares['0.01']:.2f}/{shares['0.001']:.2f}" for name, shares in row.items())


def main() -> None:
    """Protect, meet again, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("people", type=Path)
    parser.add_argument("--faces", type=int, default=20)
    parser.add_argument("--reference", default="everyday")
    parser.add_argument("--effort", default="thorough")
    parser.add_argument("--target")
    parser.add_argument("--held-out", default="")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    bundle = open_served(Settings())
    judges = bundle.judges
    if judges is None:
        raise SystemExit("no recogniser was pulled")
    sitters = gather(bundle, judges, people_in(asked.people), asked.faces, asked.seed)
    wish = wished(asked.reference, asked.effort, asked.target)
    rows: dict[str, Any] = {"before": known(bundle, judges, sitters, [each.photo for each in sitters])}
    console.print(f"before: {_told(rows['before'])}")
    for held_out in [name for name in asked.held_out.split(",") if name] or list(judges.recognisers):
        photos, seconds = zip(
            *(protect(without(bundle, judges, held_out), s.photo, wish) for s in sitters), strict=True
        )
        alike = np.array([likeness(s.photo, photo) for s, photo in zip(sitters, photos, strict=True)])
        states = {FINISHED: photos} | {name: [treat(photo, PROFILES[name]) for photo in photos] for name in TREATED}
        rows[held_out] = {name: known(bundle, judges, sitters, state) for name, state in states.items()} | {
            "psnr_db": alike[:, 0].mean().round(2), "least_psnr_db": alike[:, 0].min().round(2),
            "ssim": alike[:, 1].mean().round(4), "seconds": round(float(np.median(seconds)), 2),
        }  # fmt: skip
        facts = " ".join(f"{key} {rows[held_out][key]}" for key in ("psnr_db", "least_psnr_db", "ssim", "seconds"))
        console.print(f"held out {held_out}: {_told(rows[held_out][FINISHED])}; {facts}")
    for state in (FINISHED, *TREATED):
        for far in FARS:
            own = [row[state][name][far] for name, row in rows.items() if name in judges.recognisers]
            console.print(f"{state}: mean own match of the held-out at FAR {far}: {np.mean(own):.3f}")
    if asked.json:
        made_by = {"commit": commit(), "machine": platform.machine(), "threads": torch.get_num_threads()}
        about = vars(asked) | {"people": asked.people.name, "json": None, "n": len(sitters)}
        asked.json.write_text(json.dumps({"asked": about, "made_by": made_by, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
