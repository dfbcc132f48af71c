"""Portraits in make-up mixed at random, beside their bare twins, and what each wears.

CLIP, the perceptual trunk and make-up removal learn from them. Each part is worn or not by itself, so that a network
must look at the part and cannot guess it from another.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from model_store.additions import finished
from model_store.portrait.painting import Colour, Look, paint
from model_store.portrait.portraits import Portraits, halved, is_held_out
from model_store.training.stages import OnStep

VERSIONS, SEED = 3, 17
"""Of everybody in make-up, beside the bare one."""
MADE_UP = "Makeup_"
"""In the name of people who wear make-up already: nobody knows their bare faces."""
PALETTES: dict[str, dict[str, Colour]] = {
    "lips": {
        "red": (168, 18, 34), "rose": (186, 84, 92), "berry": (150, 28, 58),
        "coral": (214, 72, 62), "plum": (112, 32, 72), "nude": (172, 88, 84),
    },
    "shadow": {
        "dark": (62, 52, 58), "brown": (140, 104, 92), "bronze": (168, 112, 74),
        "violet": (92, 62, 120), "blue": (60, 84, 130),
    },
    "blush": {"pink": (205, 90, 110), "peach": (228, 124, 100)},
}  # fmt: skip
"""Colours that captions name."""
WORN = {"lips": (0.65, 0.45, 0.9), "shadow": (0.6, 0.35, 0.75), "blush": (0.5, 0.18, 0.36)}
"""How often a part is worn, and between how little and how much of it."""
LINES = {"liner": (0.5, 0.4, 1.0), "brows": (0.3, 0.2, 0.7), "tone": (0.4, 0.2, 0.45), "gloss": (0.3, 0.1, 0.25)}
"""The same of what has no colour."""
SPREAD = 10.0
"""Standard deviation of a worn colour around the named one, per channel of 255."""


@dataclass(frozen=True)
class Worn:
    """People in several versions at half the scale of wide pictures; the first is bare.

    makeup: `NAME_strength` `(people, versions)` of each part and line; of parts also `NAME_name`, the index in its
    palette or -1, and `NAME_colour` in [0, 1], `(people, versions, 3)`.  rows: of the wide pictures.
    """

    pictures: UInt8[Tensor, "people versions 3 half half"]
    rows: Int[Tensor, " people"]
    names: tuple[str, ...]
    makeup: dict[str, Tensor]

    def side(self, held_out: bool, folder: str = "") -> "Worn":
        """Those on one side of the split, of one folder or of all."""
        chosen = [at for at, name in enumerate(self.names) if name.startswith(folder) and is_held_out(name) is held_out]
        makeup = {key: value[chosen] for key, value in self.makeup.items()}
        return Worn(self.pictures[chosen], self.rows[chosen], tuple(self.names[at] for at in chosen), makeup)

    def flat(self, chosen: slice = slice(None)) -> tuple[Tensor, dict[str, Tensor]]:
        """Pictures `(n, 3, half, half)` and what they wear, `(n, ...)`, of some versions of everybody."""
        makeup = {key: value[:, chosen].flatten(0, 1) for key, value in self.makeup.items()}
        return self.pictures[:, chosen].flatten(0, 1), makeup


def mix(generator: torch.Generator) -> tuple[Look, dict[str, Tensor]]:
    """A random look, and the row of `Worn.makeup` that says what it is."""
    laid_on: dict[str, tuple[Colour, float]] = {}
    row: dict[str, Tensor] = {}
    for part, (often, least, most) in WORN.items():
        chance, much = torch.rand(2, generator=generator).tolist()
        index = int(torch.randint(len(PALETTES[part]), (), generator=generator))
        named = torch.tensor(list(PALETTES[part].values())[index], dtype=torch.float32)
        colour = (named + SPREAD * torch.randn(3, generator=generator)).round().clamp(0, 255)
        strength = least + (most - least) * much if chance < often else 0.0
        red, green, blue = (int(value) for value in colour)
        laid_on[part] = ((red, green, blue), strength)
        row[f"{part}_strength"] = torch.tensor(strength)
        row[f"{part}_name"] = torch.tensor(index if strength else -1)
        row[f"{part}_colour"] = colour / 255 if strength else torch.zeros(3)
    lines = {}
    for line, (often, least, most) in LINES.items():
        chance, much = torch.rand(2, generator=generator).tolist()
        lines[line] = least + (most - least) * much if chance < often else 0.0
        row[f"{line}_strength"] = torch.tensor(lines[line])
    worn = Look("Mixed", laid_on["lips"], laid_on["shadow"], laid_on["blush"], **lines)
    return worn, row


def bare_row() -> dict[str, Tensor]:
    """The row of `Worn.makeup` of a bare face."""
    row = {f"{name}_strength": torch.tensor(0.0) for name in (*WORN, *LINES)}
    for part in WORN:
        row |= {f"{part}_name": torch.tensor(-1), f"{part}_colour": torch.zeros(3)}
    return row


def paint_mixtures(
    portraits: Portraits, points: Float[Tensor, "n 468 2"], on_step: OnStep, versions: int = VERSIONS
) -> Worn:
    """Everybody of both sides who wears no make-up yet, bare and painted so often; told with a loss of 0.

    points: of the meshes, in pixels of the wide pictures.  Painted at the scale at which the networks look, a quarter
    of the work.
    """
    generator = torch.Generator().manual_seed(SEED)
    rows = [row for row, name in enumerate(portraits.names) if MADE_UP not in name]
    pictures, told = [], []
    for step, row in enumerate(rows, start=1):
        half = halved(portraits.wide[row][None])[0]
        photo = np.ascontiguousarray(half.permute(1, 2, 0).numpy())
        mesh = (points[row].double().numpy() + 0.5) / 2 - 0.5
        looks = [mix(generator) for _ in range(versions)]
        painted = [torch.from_numpy(paint(photo, mesh, look)).permute(2, 0, 1) for look, _ in looks]
        pictures.append(torch.stack([half, *painted]))
        told.append([bare_row(), *(row for _, row in looks)])
        on_step(step, len(rows), 0.0)
    makeup = {key: torch.stack([torch.stack([row[key] for row in each]) for each in told]) for key in bare_row()}
    return Worn(torch.stack(pictures), torch.tensor(rows), tuple(portraits.names[row] for row in rows), makeup)


def save_worn(worn: Worn, path: Path) -> None:
    """Write the file of the stage, complete or not at all."""
    tensors = {"pictures": worn.pictures, "rows": worn.rows} | {f"makeup.{k}": v for k, v in worn.makeup.items()}
    with finished(path) as partial:
        save_file({k: v.contiguous() for k, v in tensors.items()}, partial, {"names": json.dumps(worn.names)})


def read_worn(path: Path) -> Worn:
    """What `save_worn` wrote. Raises OSError."""
    with safe_open(path, "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  (not a mapping)
        names = tuple(json.loads(file.metadata()["names"]))
    makeup = {key.removeprefix("makeup."): value for key, value in tensors.items() if key.startswith("makeup.")}
    return Worn(tensors["pictures"], tensors["rows"], names, makeup)
