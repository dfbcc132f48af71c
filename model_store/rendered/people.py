"""Who a rendered face is, how it happens to look today, and what make-up it wears.

A face is a dict of tensors with one row per face: numbers `(n,)`, colours `(n, 3)` in [0, 1]. Lengths are in face
units: half the height of a head is about 1, x points right, y points down, the origin lies between the eyes' height
and the nose. Identity is what recognisers must learn; the rest is nuisance, hair and hairline included, because
real recognisers hardly look at either.
"""

import torch
from torch import Tensor

Face = dict[str, Tensor]

IDENTITY = {
    "face_width": (0.68, 0.82),
    "face_top": (0.98, 1.12),
    "face_bottom": (0.92, 1.12),
    "face_square": (1.9, 2.7),
    "jaw_square": (1.7, 3.0),
    "eye_x": (0.32, 0.38),
    "eye_y": (-0.14, 0.00),
    "eye_width": (0.125, 0.175),
    "eye_height": (0.050, 0.080),
    "eye_tilt": (-0.12, 0.18),
    "iris_size": (0.050, 0.064),
    "lid_fold": (0.010, 0.045),
    "brow_rise": (0.13, 0.22),
    "brow_length": (0.14, 0.22),
    "brow_thickness": (0.014, 0.040),
    "brow_arch": (0.00, 0.07),
    "brow_tilt": (-0.20, 0.20),
    "nose_length": (0.34, 0.50),
    "nose_width": (0.085, 0.155),
    "bridge_width": (0.040, 0.085),
    "nose_height": (0.10, 0.24),
    "mouth_y": (0.50, 0.66),
    "mouth_width": (0.21, 0.32),
    "upper_lip": (0.042, 0.082),
    "lower_lip": (0.055, 0.100),
    "cupid_bow": (0.00, 0.55),
    "cheek_height": (0.00, 0.13),
    "chin_height": (0.00, 0.16),
    "fold_depth": (0.00, 0.30),
    "ear_size": (0.13, 0.20),
    "melanin": (0.00, 1.00),
    "redness": (-0.04, 0.05),
    "brow_darkness": (0.25, 0.95),
    "iris_hue": (0.00, 1.00),
    "lip_redness": (0.15, 0.85),
}
NUISANCE = {
    "yaw": (-0.28, 0.28),
    "pitch": (-0.20, 0.20),
    "light_x": (-0.60, 0.60),
    "light_y": (-0.75, 0.25),
    "ambient": (0.45, 0.75),
    "exposure": (0.80, 1.15),
    "shine": (0.00, 0.16),
    "smile": (-0.02, 0.075),
    "mouth_open": (-0.05, 0.05),
    "eye_open": (0.80, 1.10),
    "gaze_x": (-0.35, 0.35),
    "gaze_y": (-0.20, 0.20),
    "brow_raise": (-0.025, 0.025),
    "hairline": (-0.86, -0.42),
    "hair_parting": (-0.5, 0.5),
    "hair_sweep": (-0.5, 0.5),
    "hair_volume": (0.10, 0.34),
    "hair_length": (-0.1, 2.2),
    "hair_wave": (0.00, 0.05),
    "hair_phase": (0.0, 6.28),
    "hair_melanin": (0.0, 1.0),
    "hair_grey": (-0.6, 0.9),
    "background_angle": (0.0, 6.28),
    "background_grain": (0.0, 0.06),
    "noise": (0.00, 0.025),
}
SKIN = torch.tensor(
    [[0.98, 0.84, 0.75], [0.93, 0.75, 0.62], [0.80, 0.58, 0.44], [0.58, 0.38, 0.27], [0.36, 0.23, 0.17]]
)
HAIR = torch.tensor(
    [[0.90, 0.78, 0.52], [0.66, 0.45, 0.26], [0.42, 0.20, 0.12], [0.24, 0.14, 0.09], [0.07, 0.06, 0.06]]
)
IRIS = torch.tensor(
    [[0.36, 0.55, 0.75], [0.35, 0.52, 0.36], [0.55, 0.42, 0.20], [0.38, 0.20, 0.10], [0.15, 0.09, 0.06]]
)
LIP_COLOURS = {
    "red": (0.72, 0.06, 0.10),
    "pink": (0.90, 0.32, 0.52),
    "orange": (0.90, 0.38, 0.16),
    "plum": (0.42, 0.08, 0.30),
    "brown": (0.45, 0.20, 0.13),
}
SHADOW_COLOURS = {
    "blue": (0.22, 0.36, 0.78),
    "green": (0.16, 0.52, 0.36),
    "violet": (0.48, 0.26, 0.66),
    "gold": (0.80, 0.60, 0.22),
    "smoky": (0.16, 0.14, 0.17),
}
BLUSH_COLOURS = {"rose": (0.90, 0.35, 0.42), "peach": (0.95, 0.52, 0.34)}


def _uniform(table: dict[str, tuple[float, float]], n: int, generator: torch.Generator) -> Face:
    return {name: low + (high - low) * torch.rand(n, generator=generator) for name, (low, high) in table.items()}


def along(palette: Tensor, position: Tensor) -> Tensor:
    """Colours `(n, 3)` at positions `(n,)` in [0, 1] along a palette `(k, 3)`, interpolated."""
    scaled = position.clamp(0, 1) * (len(palette) - 1)
    lower = scaled.floor().clamp(max=len(palette) - 2).long()
    return torch.lerp(palette[lower], palette[lower + 1], (scaled - lower)[:, None])


def sample_identities(n: int, seed: int) -> Face:
    """`n` people; the same seed gives the same people."""
    return _uniform(IDENTITY, n, torch.Generator().manual_seed(seed))


def sample_nuisance(n: int, generator: torch.Generator) -> Face:
    """Everything about a picture that is not its person: pose, light, expression, hair, background."""
    nuisance = _uniform(NUISANCE, n, generator)
    for name in ("background_a", "background_b", "cloth"):
        nuisance[name] = torch.rand(n, 3, generator=generator)
    return nuisance


def sample_makeup(n: int, generator: torch.Generator, wearing: float = 0.5) -> Face:
    """Make-up for `n` faces; a share `wearing` wears any. `*_name` are indices into the colour tables."""
    makeup: Face = {}
    worn = torch.rand(n, generator=generator) < wearing
    for part, colours in (("lips", LIP_COLOURS), ("shadow", SHADOW_COLOURS), ("blush", BLUSH_COLOURS)):
        palette = torch.tensor(list(colours.values()))
        index = torch.randint(len(palette), (n,), generator=generator)
        strength = worn * (0.55 + 0.45 * torch.rand(n, generator=generator))
        makeup[f"{part}_name"] = index
        makeup[f"{part}_colour"] = (palette[index] + 0.05 * torch.randn(n, 3, generator=generator)).clamp(0, 1)
        makeup[f"{part}_strength"] = strength * (0.7 if part == "blush" else 1.0)
    return makeup


def bare(face: Face) -> Face:
    """The same face in the same picture without make-up."""
    zero = torch.zeros_like(face["yaw"])
    return face | {f"{part}_strength": zero for part in ("lips", "shadow", "blush")}


def take(face: Face, rows: Tensor) -> Face:
    """The faces at `rows` (indices or a mask)."""
    return {name: value[rows] for name, value in face.items()}
