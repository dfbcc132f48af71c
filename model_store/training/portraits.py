"""Whom styles and removal are fine-tuned on: rendered people where a bundle says so, else those of a dataset."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from diffam_core.errors import FaceTooSmall, NoFaceFound
from diffam_core.faces.face import cut_portrait
from diffam_core.models import Models
from model_store.bundle import Bundle
from model_store.catalog import read_manifest
from model_store.datasets import PUBLISHED
from model_store.datasets.people import PublishedDataset, choose
from model_store.datasets.pictures import read_photo
from model_store.errors import DatasetMissing, DatasetTooSmall
from model_store.rendered.portraits import draw_portraits


@dataclass(frozen=True)
class Training:
    """On how many photos of whom is trained, from which seed, and how many steps lie between two checkpoints.

    dataset, folder: a published dataset and where it lies; None are the bundle's own people.
    """

    photos: int = 192
    dataset: str | None = None
    folder: Path | None = None
    seed: int = 0
    keep_every: int = 10


Kind = Literal["portraits", "made_up", "bare"]
"""Whom styles are fine-tuned on, whom removal undresses, and whom removal must leave alone."""
RENDERED = "rendered"


def find_dataset(name: str) -> PublishedDataset:
    """A published dataset by its name. Raises DatasetMissing."""
    if name not in PUBLISHED:
        raise DatasetMissing(f"no dataset {name!r}; there are: {', '.join((RENDERED, *PUBLISHED))}")
    return PUBLISHED[name]


def training_portraits(bundle: Bundle, training: Training, kind: Kind = "portraits") -> Tensor:
    """Faces `(photos, 3, view, view)` in [-1, 1], each of another person, the same ones every time.

    Raises DatasetMissing with neither a dataset nor people of the bundle's own, DatasetDamaged, DatasetTooSmall.
    """
    if training.dataset in (None, RENDERED):
        row = read_manifest(bundle.catalog.folder).get("portraits", {})
        if "seed" not in row:
            raise DatasetMissing(
                f"the bundle {bundle.catalog.name!r} has no portraits of its own: name a dataset and its folder"
            )
        seed, wearing = (row["seed"] + 1, 1.0) if kind == "made_up" else (row["seed"], 0.0)
        return draw_portraits(training.photos, seed, bundle.models.view_px, wearing)
    published = find_dataset(training.dataset)
    if training.folder is None:
        raise DatasetMissing(f"where is {published.title}? Name its folder")
    return cut_portraits(bundle.models, published, training.folder, training.photos, kind)


def cut_portraits(
    models: Models, dataset: PublishedDataset, folder: Path, count: int, kind: Kind = "portraits"
) -> Tensor:
    """The first `count` faces `(count, 3, view, view)` of the training side that the detector finds, in their framing.

    Raises DatasetMissing, DatasetDamaged, DatasetTooSmall.
    """
    read = {"portraits": dataset.portraits, "made_up": dataset.made_up, "bare": dataset.bare}[kind]
    people = choose(read(folder), "train", seed=0)
    found: list[Tensor] = []
    for person in people:
        if len(found) == count:
            break
        photo = read_photo(person.photos[0])
        try:
            found.append(cut_portrait(photo, models.detector.largest(photo), models.view_px))
        except (NoFaceFound, FaceTooSmall):
            continue
    if len(found) < count:
        raise DatasetTooSmall(
            f"{count} people to train on were asked for; {len(people)} of {dataset.title} at {folder} are on the"
            f" training side, and a face was found in the photos of {len(found)}"
        )
    return torch.cat(found)
