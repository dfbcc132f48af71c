"""The faces that styles are fine-tuned on: rendered ones where a bundle says so, else those of a published dataset."""

from collections.abc import Callable
from pathlib import Path

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
from model_store.miniature.styling import style_photos

Portraits = Callable[[int], Tensor]
"""`portraits(count)`: that many aligned faces `(count, 3, view, view)` in [-1, 1], the same ones every time."""


RENDERED = "rendered"


def find_dataset(name: str) -> PublishedDataset:
    """A published dataset by its name. Raises DatasetMissing."""
    if name not in PUBLISHED:
        raise DatasetMissing(f"no dataset {name!r}; there are: {', '.join((RENDERED, *PUBLISHED))}")
    return PUBLISHED[name]


def training_portraits(bundle: Bundle, dataset: str | None = None, folder: Path | None = None) -> Portraits:
    """Faces of the dataset's training side, the first photo of each person; "rendered" or None are the bundle's own.

    Raises DatasetMissing when there is neither.
    """
    if dataset in (None, RENDERED):
        row = read_manifest(bundle.catalog.folder).get("portraits", {})
        if "seed" not in row:
            raise DatasetMissing(
                f"the bundle {bundle.catalog.name!r} has no portraits of its own: name a dataset and its folder"
            )
        return lambda count: style_photos(count, row["seed"])
    published = find_dataset(dataset)
    if folder is None:
        raise DatasetMissing(f"where is {published.title}? Name its folder")
    return lambda count: cut_portraits(bundle.models, published, folder, count)


def cut_portraits(
    models: Models, dataset: PublishedDataset, folder: Path, count: int, is_made_up: bool = False, seed: int = 0
) -> Tensor:
    """The first `count` faces `(count, 3, view, view)` of the training side that the detector finds, in their framing.

    is_made_up: of those that removal trains on, else of those that transfer trains on.  Raises DatasetMissing,
    DatasetDamaged, DatasetTooSmall.
    """
    people = choose((dataset.made_up if is_made_up else dataset.portraits)(folder), "train", seed)
    found: list[Tensor] = []
    for person in people:
        if len(found) == count:
            break
        photo = read_photo(person.photos[0])
        try:
            found.append(cut_portrait(photo, models.find_face(photo), models.view_px))
        except (NoFaceFound, FaceTooSmall):
            continue
    if len(found) < count:
        raise DatasetTooSmall(
            f"{count} people to train on were asked for; {len(people)} of {dataset.title} at {folder} are on the"
            f" training side, and a face was found in the photos of {len(found)}"
        )
    return torch.cat(found)
