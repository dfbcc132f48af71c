"""Trains the parser of the portrait bundle: the masks of the face mesh are its truth, on bare and painted portraits."""

from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional

from diffam_core.images import Photo
from diffam_core.networks.parser import CHANNELS, DETAILS, FaceParser
from model_store.portrait.learning import Course, learn
from model_store.portrait.mesh import Points
from model_store.portrait.painting import LOOKS, paint, teeth
from model_store.portrait.portraits import FOLDERS, Portraits, halved, middle
from model_store.portrait.regions import Mask, Regions, regions_of
from model_store.portrait.views import lit, places, taken
from model_store.rendered.portraits import to_float
from model_store.training.stages import OnStep

WIDTHS = [24, 48, 72]
COURSE, BATCH = Course(steps=900, learning_rate=3e-3, seed=13, weight_decay=0.01, decay=0.99), 8
TOLD = (*CHANNELS, *DETAILS)
WEIGHT = (4.0, 4.0, 1.0, 1.0, 4.0, 4.0, 4.0)
"""Lips, lids and the like are small: their pixels count more."""
UNLIKE = 2.4
"""How many spreads of the cheeks' colour away a pixel is hair, or a hat."""
LEAST_SPREAD = (9.0, 4.5, 4.5)
"""In CIELAB, for cheeks without any texture."""


def truths(photo: Photo, points: Points) -> UInt8[np.ndarray, "height width 7"]:
    """The parser's channels for the face of these points, 0 to 255. Teeth that the mesh took for lips are mouth."""
    regions = regions_of(photo, points)
    bare = _bare_skin(photo, regions)
    lab = cv2.cvtColor(photo.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    shown = teeth(lab.astype(np.float32, copy=False), regions)
    features = np.maximum.reduce([regions.lips, regions.mouth, regions.eyeballs, regions.brows])
    above = _above_eyes(regions, points)
    masks = {
        "lips": regions.lips * (1 - shown),
        "eyes": regions.lids * np.maximum(bare, 1 - above),
        "skin": regions.face * bare * (1 - features),
        "face": regions.face * np.maximum.reduce([bare, 1 - above, features]),
        "brows": regions.brows * regions.face,
        "eyeballs": regions.eyeballs,
        "mouth": np.maximum(regions.mouth, shown),
    }
    return np.stack([np.clip(np.round(masks[name] * 255), 0, 255) for name in TOLD], axis=-1).astype(np.uint8)


def _bare_skin(photo: Photo, regions: Regions) -> Mask:
    """Where no hair hangs into the face: the outline of a mesh runs over it.

    Hair has another colour than the cheeks and comes from outside the outline; lights on a nose, wrinkles and
    shadows inside a face stay skin. Lightness counts by a third, because faces are lit from one side.
    """
    lab = cv2.cvtColor(photo.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    cheeks = lab[regions.blush > 0.5 * regions.blush.max()]
    middle = np.median(cheeks, axis=0)
    spread = np.maximum(1.5 * np.median(np.abs(cheeks - middle), axis=0), LEAST_SPREAD) * (3, 1, 1)
    away = np.sqrt((((lab - middle) / spread) ** 2).sum(axis=-1)).astype(np.float32)
    away = cv2.GaussianBlur(away, (0, 0), max(0.3, 0.8 * regions.unit))
    inside = (regions.face > 0.5).astype(np.uint8)
    unlike = cv2.morphologyEx(inside * (away > UNLIKE).astype(np.uint8), cv2.MORPH_OPEN, _disc(regions.unit))
    _, parts = cv2.connectedComponents(unlike)
    rim = inside - cv2.erode(inside, _disc(2 * regions.unit))
    hair = np.isin(parts, np.unique(parts[(rim > 0) & (unlike > 0)])) & (unlike > 0)
    soft = cv2.GaussianBlur(hair.astype(np.float32), (0, 0), max(0.3, 0.6 * regions.unit))
    bare: Mask = (1 - soft).astype(np.float32)
    return bare


def _disc(radius: float) -> Photo:
    side = 2 * max(1, round(radius)) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)).astype(np.uint8)


def _above_eyes(regions: Regions, points: Points) -> Mask:
    """1 from the brows upwards, 0 from the middle of the eyes down: there, shadows and beards are still face."""
    height, width = regions.face.shape
    corners = points[[33, 133, 362, 263]].mean(0)
    across = points[263] - points[33]
    down = np.array([-across[1], across[0]]) / np.hypot(*across)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    below = ((x - corners[0]) * down[0] + (y - corners[1]) * down[1]) / regions.unit
    above: Mask = np.clip(-below / 4, 0, 1).astype(np.float32)
    return above


def teach(wide: Photo, points: Points, look: str | None) -> tuple[UInt8[Tensor, "3 side side"], Tensor]:
    """A wide picture bare or in a look, and the masks of the bare one, uint8 `(7, side, side)`."""
    masks = truths(wide, points)
    shown = wide if look is None else paint(wide, points, LOOKS[look])
    return torch.from_numpy(shown).permute(2, 0, 1), torch.from_numpy(masks).permute(2, 0, 1)


def lessons(portraits: Portraits, points: Tensor, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """People bare, and again in a look each, in turn; both, with their masks, at the scale of the bundle's portraits.

    points: `(n, 468, 2)` in pixels of the wide pictures.  Returns uint8 `(rows, c, 176, 176)` thrice.
    """
    bare, worn, masks = [], [], []
    looks = list(LOOKS)
    for place, row in enumerate(rows.tolist()):
        photo = np.ascontiguousarray(portraits.wide[row].permute(1, 2, 0).numpy())
        mesh = points[row].double().numpy()
        painted, mask = teach(photo, mesh, looks[place % len(looks)])
        bare.append(halved(portraits.wide[row][None]))
        worn.append(halved(painted[None]))
        masks.append(halved(mask[None]))
    return torch.cat(bare), torch.cat(worn), torch.cat(masks)


def build_parser() -> FaceParser:
    """The untrained parser, initialised by the course's seed."""
    torch.manual_seed(COURSE.seed)
    return FaceParser(WIDTHS, details=True)


def train_parser(
    taught: tuple[Tensor, Tensor, Tensor], checkpoints: Path, on_step: OnStep, course: Course = COURSE
) -> FaceParser:
    """Cross entropy and Dice over random views of bare and painted `lessons`; returns the averaged weights."""
    bare, worn, masks = taught
    weight = torch.tensor(WEIGHT).view(1, len(TOLD), 1, 1)

    def loss(network: nn.Module, generator: torch.Generator) -> Tensor:
        rows = torch.randint(len(masks), (BATCH,), generator=generator)
        is_worn = torch.rand(BATCH, generator=generator) < 0.5
        pictures = torch.where(is_worn.view(-1, 1, 1, 1), worn[rows], bare[rows])
        where = places(BATCH, generator)
        logits = network(lit(taken(to_float(pictures), where), generator))
        truth = taken(masks[rows].float() / 255, where, "bilinear").clamp(0, 1)
        return functional.binary_cross_entropy_with_logits(logits, truth, weight=weight) + missed(logits, truth)

    trained = learn(build_parser(), course, loss, checkpoints, on_step)
    if not isinstance(trained, FaceParser):
        raise TypeError("the average of a parser is one")
    return trained


def missed(
    logits: Float[Tensor, "batch regions size size"], truth: Float[Tensor, "batch regions size size"]
) -> Float[Tensor, ""]:
    """Soft Dice loss in [0, 1], each region counting the same (Milletari et al., V-Net, 3DV 2016).

    Cross entropy alone leaves regions of a hundredth of the pixels below one half for a long time.
    """
    told, within = logits.sigmoid(), (0, 2, 3)
    return (1 - (2 * (told * truth).sum(within) + 1) / ((told + truth).sum(within) + 1)).mean()


@torch.no_grad()
def measure_parser(network: FaceParser, portraits: Portraits, points: Tensor) -> dict[str, dict[str, float]]:
    """Per folder of held-out people: the intersection over union of each region with the mesh's, bare and painted.

    Over all people's pixels together: a mouth that is shut has none.
    """
    figures: dict[str, dict[str, float]] = {}
    for folder in FOLDERS:
        rows = portraits.rows(held_out=True, folder=folder)
        if not len(rows):
            continue
        bare, worn, masks = lessons(portraits, points, rows)
        truth = middle(masks) > 127
        figures[folder] = {"people": len(rows)}
        for state, pictures in (("bare", bare), ("painted", worn)):
            parts = middle(pictures).split(16)
            seen = torch.cat([network.eval()(to_float(some)) for some in parts]) > 0
            both, either = (seen & truth).sum((0, 2, 3)), (seen | truth).sum((0, 2, 3))
            shares = (both / either.clamp(min=1)).tolist()
            figures[folder] |= {f"{name}_{state}": round(v, 4) for name, v in zip(TOLD, shares, strict=True)}
    return figures
