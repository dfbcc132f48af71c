"""The people that the portrait bundle is made from, found and cut once; who trains, and who is held out.

Pictures are cut half as wide again as a portrait, so that turned, shifted and shrunken views of them have no borders.
"""

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import torch
from jaxtyping import UInt8
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from diffam_core.errors import DiffAMError
from diffam_core.faces.face import cut_portrait
from diffam_core.faces.framing import Framing
from diffam_core.faces.yunet import Yunet, YunetDetector
from diffam_core.images import shrink
from model_store.additions import finished
from model_store.datasets.pictures import list_pictures, read_photo
from model_store.errors import DatasetMissing
from model_store.training.stages import OnStep

FOLDERS = ("ai", "sfhq_t2i")
"""Whom training may see: people that no camera saw. Folders of real people beside them are for measuring alone."""
FRAMING, SIZE_PX = Framing((0.5, 0.46), 0.28), 128
"""Of the bundle's portraits."""
CLOSE_PX, WIDE_PX, MARGIN_PX = 256, 352, 48
"""A wide picture is a close one, which make-up is painted on, and a margin on every side."""
WIDE_FRAMING = Framing(
    tuple((MARGIN_PX + place * CLOSE_PX) / WIDE_PX for place in FRAMING.eye_middle),  # type: ignore[arg-type]
    FRAMING.eye_distance * CLOSE_PX / WIDE_PX,
)
FIRST_HELD_OUT = 64
"""Of the numbered people in `ai`."""


@dataclass(frozen=True)
class Portraits:
    """Wide pictures, uint8 `(n, 3, 352, 352)`, and the name of each, `folder/stem`."""

    wide: UInt8[Tensor, "people 3 wide wide"]
    names: tuple[str, ...]

    def rows(self, held_out: bool, folder: str = "") -> Tensor:
        """Those on one side of the split, of one folder or of all."""
        rows = [row for row, name in enumerate(self.names) if name.startswith(folder) and is_held_out(name) is held_out]
        return torch.tensor(rows, dtype=torch.long)


def is_held_out(name: str) -> bool:
    """Whether training never sees this picture: from number 64 in `ai`, a fixed fifth elsewhere.

    The people of `ai` resemble each other across the two sides (real recognisers take many for one person), so what
    is measured on `sfhq_t2i` is the stricter figure.
    """
    folder, _, stem = name.partition("/")
    if folder == "ai":
        return int(stem.rpartition("_")[2]) >= FIRST_HELD_OUT
    return sha256(stem.encode()).digest()[0] % 5 == 0


def cut_portraits(people: Path, detector: Path, path: Path, on_step: OnStep) -> None:
    """Find the largest face in every picture of `FOLDERS`, cut it and save them all in one file.

    detector: YuNet's ONNX file.  Pictures without a face are left out; the loss that is told is their share.
    Raises DatasetMissing, DatasetDamaged, OSError.
    """
    finder = YunetDetector(WIDE_FRAMING, Yunet(detector))
    for folder in FOLDERS:
        if not (people / folder).is_dir():
            raise DatasetMissing(f"no people to train on: there is no folder {people / folder}")
    pictures = [photo for folder in FOLDERS for photo in list_pictures(people / folder, folder).values()]
    cut: dict[str, Tensor] = {}
    for step, picture in enumerate(pictures, start=1):
        photo = read_photo(picture)
        try:
            wide = cut_portrait(photo, finder.largest(photo), WIDE_PX)[0]
        except DiffAMError:
            continue
        finally:
            on_step(step, len(pictures), (step - len(cut) - 1) / step)
        cut[f"{picture.parent.name}/{picture.stem}"] = ((wide + 1) * 127.5).round().to(torch.uint8)
    with finished(path) as partial:
        save_file({"wide": torch.stack(list(cut.values()))}, partial, {"names": json.dumps(list(cut))})


def read_portraits(path: Path) -> Portraits:
    """What `cut_portraits` saved. Raises OSError."""
    with safe_open(path, "pt") as file:
        return Portraits(file.get_tensor("wide"), tuple(json.loads(file.metadata()["names"])))


def eyes_in(framing: Framing, size_px: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where the eyes are in a portrait of `size_px`, in its pixels, the one on the left of the picture first."""
    (x, y), half = framing.eye_middle, framing.eye_distance / 2
    height = y * size_px - 0.5
    return ((x - half) * size_px - 0.5, height), ((x + half) * size_px - 0.5, height)


def close(wide: UInt8[Tensor, "people 3 352 352"]) -> UInt8[Tensor, "people 3 256 256"]:
    """The portraits in the middle of wide pictures, without the margin."""
    return wide[:, :, MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX]


def middle(
    halves: UInt8[Tensor, "people channels half half"],
) -> UInt8[Tensor, "people channels size size"]:
    """The portraits, or their masks, in the middle of halved wide pictures, without the margin."""
    edge = MARGIN_PX // 2
    return halves[..., edge:-edge, edge:-edge]


def halved(wide: UInt8[Tensor, "people channels side side"]) -> UInt8[Tensor, "people channels half half"]:
    """Pictures or masks of half the side, averaged, at the scale of the bundle's portraits."""
    half = wide.shape[-1] // 2
    return torch.cat([shrink(some.float(), half).round().to(torch.uint8) for some in wide.split(32)])
