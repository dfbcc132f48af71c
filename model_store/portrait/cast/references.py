"""The references of the portrait bundle: looks painted on people that no camera saw, with their exact bare twins."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from diffam_core.images import Photo
from diffam_core.networks.parser import CHANNELS
from model_store.portrait.mesh import Points
from model_store.portrait.painting import LOOKS, paint
from model_store.portrait.perception import truths
from model_store.portrait.portraits import MARGIN_PX, Portraits


@dataclass(frozen=True)
class Cast:
    """A look of `painting.LOOKS` under a name for people, and who wears it: a portrait's name."""

    title: str
    description: str
    wearer: str


REFERENCES = {
    "everyday": Cast(
        "Everyday", "Rose lips, a hint of taupe on the lids, soft liner. For the office and every face.", "ai/female_53"
    ),
    "smoky": Cast("Smoky", "Charcoal around the eyes, dark liner, nude lips.", "ai/female_31"),
    "berry": Cast("Berry", "Berry lips and plum lids, cool blush.", "ai/female_17"),
    "coral": Cast("Coral", "Coral lips with warm bronze lids: summer.", "ai/female_62"),
    "plum": Cast("Plum", "Deep plum lips and violet lids.", "ai/female_60"),
    "evening": Cast("Evening", "Red lips and dark winged eyes: the strongest look.", "ai/female_02"),
    "groomed": Cast("Groomed", "Fuller brows, even skin, lip balm: no colour. For men's faces, too.", "ai/male_16"),
}
"""By the look's name. Everybody looks straight at the camera, mouth shut, without glasses, and nobody comes twice."""


def save_references(portraits: Portraits, points: Tensor, folder: Path) -> None:
    """Write `references/<look>/` with look.png, bare.png and a mask for each of `CHANNELS`, 256 pixels.

    points: `(n, 468, 2)` in pixels of the wide pictures.  Raises ValueError when somebody is not among the portraits.
    """
    for look, worn in REFERENCES.items():
        row = portraits.names.index(worn.wearer)
        wide, mesh = pixels_of(portraits.wide[row]), points[row].double().numpy()
        for name, picture in _pictures(wide, mesh, look).items():
            save_picture(picture, folder / f"references/{look}/{name}.png")


def pixels_of(wide: UInt8[Tensor, "3 side side"]) -> Photo:
    """A picture of `Portraits` with its channels last."""
    return np.ascontiguousarray(wide.permute(1, 2, 0).numpy())


def _pictures(wide: Photo, mesh: Points, look: str) -> dict[str, UInt8[np.ndarray, "352 352 *channels"]]:
    masks = truths(wide, mesh)
    told = {name: masks[..., place] for place, name in enumerate(CHANNELS)}
    return {"look": paint(wide, mesh, LOOKS[look]), "bare": wide, **told}


def save_picture(wide: UInt8[np.ndarray, "352 352 *channels"], path: Path) -> None:
    """Write the portrait in the middle of a wide picture, or of a mask, as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(wide[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX]).save(path, optimize=True)
