"""The authors' pictures as the bundle's references and targets."""

import io
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Int
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor

from diffam_core.images import Photo
from diffam_core.networks.bisenet import EYE_MARGIN_PX, EYES, FACE, LIDS, LIPS, PARSED_PX, SKIN, grown_box
from diffam_core.networks.parser import CHANNELS
from model_store.additions import NAME, finished
from model_store.errors import PictureDamaged
from model_store.manifest import ReferenceRow, TargetRow
from model_store.published.manifest import PORTRAIT
from model_store.published.pieces import Piece
from model_store.training.recipe import read_recipe

SIDE_PX = PORTRAIT["view_px"]
PARTS = ("m", "nm", "mask")
LARGEST_LABEL = 13
LARGEST_PICTURE_BYTES = 64 * 2**20


def write_references(pieces: Iterable[Piece], folder: Path) -> list[ReferenceRow]:
    """Store every reference of the pieces in `folder`, scaled to the bundle's portraits; returns the manifest's rows.

    A reference is `pairs/{name}_m.png` (made up), `_nm.png` (bare) and `_mask.png` (labels).  Raises PictureDamaged.
    """
    found: dict[str, dict[str, Piece]] = {}
    for piece in pieces:
        name, _, part = piece.path.stem.rpartition("_")
        if piece.shelf == "pairs" and name and part in PARTS:
            found.setdefault(name, {})[part] = piece
    rows = []
    for name, parts in found.items():
        if missing := [part for part in PARTS if part not in parts]:
            raise PictureDamaged(f"the look {name} lacks {', '.join(f'{name}_{part}.png' for part in missing)}")
        rows.append(_write_reference(name, parts, folder))
    return rows


def _write_reference(name: str, parts: dict[str, Piece], folder: Path) -> ReferenceRow:
    shelf = f"references/{_id(name)}"
    labels = _labels(parts["mask"], folder, SIDE_PX)
    pictures = {"look": _rgb(parts["m"], folder, SIDE_PX), "bare": _rgb(parts["nm"], folder, SIDE_PX)}
    for region, mask in zip(CHANNELS, mt_regions(labels), strict=True):
        if region != "face" and not mask.any():
            raise PictureDamaged(f"{parts['mask'].label} shows no {region}; is it the mask with the labels 0 to 13?")
        pictures[region] = (mask.numpy() * 255).astype(np.uint8)
    for file, pixels in pictures.items():
        _save(pixels, folder / shelf / f"{file}.png")
    return {
        "id": _id(name), "title": name, "description": "A look of the paper, from the make-up transfer dataset.",
        "image": f"{shelf}/look.png", "bare": f"{shelf}/bare.png",
        "masks": {region: f"{shelf}/{region}.png" for region in CHANNELS},
    }  # fmt: skip


def mt_regions(labels: Int[Tensor, "height width"]) -> Bool[Tensor, "4 height width"]:
    """The make-up transfer dataset's labels as the parser's regions: lips, eyes, skin, face.

    Eyes are the boxes around both, grown as those of the bundle's parser, filled with what is face or nose there.
    """
    margin_px = round(EYE_MARGIN_PX * labels.shape[-1] / PARSED_PX)
    around = torch.stack([grown_box((labels == eye)[None], margin_px)[0] for eye in EYES]).any(dim=0)
    lips, skin, face, lids = (torch.isin(labels, torch.tensor(own)) for own in (LIPS, SKIN, FACE, LIDS))
    return torch.stack([lips, lids & around, skin, face])


def write_targets(pieces: Iterable[Piece], folder: Path) -> list[TargetRow]:
    """Store every target of which both pictures are there; returns the manifest's rows.

    Pictures go together as in the paper, else by equal names.  Raises PictureDamaged for one that stays alone.
    """
    shelves: dict[str, dict[str, Piece]] = {"target": {}, "test": {}}
    for piece in pieces:
        if piece.shelf in shelves:
            shelves[piece.shelf][piece.path.stem] = piece
    partner = {Path(row.aim).stem: Path(row.test).stem for row in read_recipe("paper").targets}
    rows = []
    for name, aim in sorted(shelves["target"].items()):
        test = shelves["test"].get(partner.get(name, name))
        if test is None:
            raise PictureDamaged(
                f"{aim.label} has no picture to test with: test/{partner.get(name, name)} of the same person is missing"
            )
        own = _id(name)
        files = [f"targets/{own}_{number}.png" for number in range(2)]
        for piece, file in zip((aim, test), files, strict=True):
            _save(_rgb(piece, folder), folder / file)
        consent = "a picture of the paper's research data; ask the person before any use beyond research"
        rows.append(TargetRow(id=own, title=f"Target {name}", consent=consent, images=files))
    return rows


def _id(name: str) -> str:
    """The bundle's id for a published name. Raises PictureDamaged."""
    own = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    if not NAME.fullmatch(own):
        raise PictureDamaged(f"{name!r} cannot be an id; rename its files to 1 to 40 letters, digits and underscores")
    return own


def _open(piece: Piece, scratch: Path) -> Image.Image:
    with piece.opened(scratch) as path:
        if path.stat().st_size > LARGEST_PICTURE_BYTES:
            raise PictureDamaged(f"{piece.label} is too large for a picture of one face")
        data = path.read_bytes()
    try:
        image = Image.open(io.BytesIO(data))
        image.load()
    except (OSError, ValueError, SyntaxError, RuntimeError, Image.DecompressionBombError) as error:
        raise PictureDamaged(f"{piece.label} cannot be decoded as a picture; get it again") from error
    return image


def _rgb(piece: Piece, scratch: Path, side: int | None = None) -> Photo:
    image = ImageOps.exif_transpose(_open(piece, scratch)).convert("RGB")
    return np.array(image if side is None else image.resize((side, side), Image.Resampling.BICUBIC))


def _labels(piece: Piece, scratch: Path, side: int) -> Tensor:
    """Labels `(side, side)`; palettes keep their indices, and of equal colour channels one is enough."""
    image = _open(piece, scratch)
    labels: NDArray[np.uint8] = np.array(
        (image if image.mode in ("L", "P") else image.convert("L")).resize((side, side), Image.Resampling.NEAREST)
    )
    if labels.max() > LARGEST_LABEL:
        raise PictureDamaged(f"{piece.label} is no mask of the make-up transfer dataset: its labels end at 13")
    return torch.from_numpy(labels.astype(np.int64))


def _save(pixels: NDArray[np.uint8], path: Path) -> None:
    with finished(path) as partial:
        Image.fromarray(pixels).save(partial, "PNG")
