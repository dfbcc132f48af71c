"""The references and the target identities of the miniature: rendered, nobody real."""

from pathlib import Path

import torch
from PIL import Image

from diffam_core.images import to_pixels
from diffam_core.networks.parser import CHANNELS
from model_store.rendered.people import Face, bare, sample_identities, sample_makeup, sample_nuisance, take
from model_store.rendered.portraits import SEEDS
from model_store.rendered.renderer import FRAMING, Frame, Rendering, render

PICTURE_PX = 256
CALM = {"yaw": 0.0, "pitch": 0.0, "light_x": 0.1, "light_y": -0.3, "ambient": 0.7, "exposure": 1.0, "shine": 0.04,
        "smile": 0.02, "mouth_open": 0.0, "eye_open": 1.0, "gaze_x": 0.0, "gaze_y": 0.0, "brow_raise": 0.0,
        "hairline": -0.75, "hair_sweep": 0.1, "noise": 0.0}  # fmt: skip
"""A studio portrait: what make-up is best read from."""
REFERENCES = {
    "rose": ("Rose", "Cool pink lips with violet eyeshadow.", (0.88, 0.20, 0.46), (0.50, 0.24, 0.68)),
    "ember": ("Ember", "Warm red lips with golden eyeshadow.", (0.78, 0.10, 0.06), (0.80, 0.54, 0.14)),
    "lagoon": ("Lagoon", "Dark plum lips with blue-green eyeshadow.", (0.42, 0.05, 0.28), (0.08, 0.44, 0.58)),
}
"""id -> title, description, lip colour, eyeshadow colour."""
TARGETS = {"aurora": "Aurora", "bruno": "Bruno", "celia": "Celia"}
MID_TONE = 0.45


def _still(
    n: int, x: float = FRAMING.eye_middle[0], y: float = FRAMING.eye_middle[1], distance: float = FRAMING.eye_distance
) -> Frame:
    one = torch.ones(n)
    return Frame(one * x, one * y, one * distance, one * 0)


def _person(seed: int, row: int, nuisance_seed: int) -> Face:
    generator = torch.Generator().manual_seed(nuisance_seed)
    person = take(sample_identities(row + 1, seed), torch.tensor([row]))
    return person | sample_nuisance(1, generator) | sample_makeup(1, generator, wearing=0.0)


def _number(value: float) -> torch.Tensor:
    return torch.tensor([value])


def draw_reference(name: str) -> tuple[Rendering, Rendering]:
    """A reference worn by a mid-tone face in a studio, and the same picture without it."""
    _, _, lips, shadow = REFERENCES[name]
    row = list(REFERENCES).index(name)
    face = _person(SEEDS["references"], row, 100 + row) | {key: _number(value) for key, value in CALM.items()}
    face |= {"melanin": _number(MID_TONE), "redness": _number(0.0), "blush_strength": _number(0.25)}
    face |= {"upper_lip": _number(0.075), "lower_lip": _number(0.09), "eye_height": _number(0.07)}
    face |= {"lips_colour": torch.tensor([lips]), "shadow_colour": torch.tensor([shadow])}
    face |= {"lips_strength": _number(1.0), "shadow_strength": _number(1.0)}
    return render(face, PICTURE_PX, _still(1)), render(bare(face), PICTURE_PX, _still(1))


def draw_target(name: str, picture: int) -> Rendering:
    """Picture 0 (to aim at) or 1 (to test with) of a virtual identity."""
    row = list(TARGETS).index(name)
    face = _person(SEEDS["targets"], row, 200 + 10 * row + picture)
    calmer = {key: face[key] * 0.4 for key in ("yaw", "pitch")} | {"noise": _number(0.0), "hairline": _number(-0.7)}
    return render(face | calmer, PICTURE_PX, _still(1))


def save_picture(image: torch.Tensor, path: Path) -> None:
    """Write `(1, 3 or 1, h, w)` as PNG: colours in [-1, 1], masks in [0, 1]."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if image.shape[1] == 1:
        Image.fromarray((image[0, 0] * 255).round().byte().numpy(), "L").save(path, optimize=True)
    else:
        Image.fromarray(to_pixels(image[0])).save(path, optimize=True)


def save_cast(folder: Path) -> None:
    """Write all references with their bare twins and masks, and both pictures of all targets."""
    for name in REFERENCES:
        worn, without = draw_reference(name)
        save_picture(worn.image, folder / f"references/{name}/look.png")
        save_picture(without.image, folder / f"references/{name}/bare.png")
        for region in CHANNELS:
            save_picture(getattr(worn, region), folder / f"references/{name}/{region}.png")
    for name in TARGETS:
        for picture in (0, 1):
            save_picture(draw_target(name, picture).image, folder / f"targets/{name}_{picture}.png")
