"""Draws faces: implicit shapes, anti-aliased by the gradient of their own field, lit through a height field.

`render(face, size_px, frame)` is deterministic but for sensor noise, which takes its own generator. A `Frame` says
where the eyes are, in fractions of the picture; in rendered portraits they lie as `FRAMING` says.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from diffam_core.faces.framing import Framing
from model_store.rendered.people import HAIR, IRIS, SKIN, Face, along

FRAMING = Framing(eye_middle=(0.5, 0.46), eye_distance=0.28)
"""Of rendered portraits, and so of every network that is trained on them."""


@dataclass(frozen=True)
class Frame:
    """Where the eyes are: middle between them and their distance as fractions of the side, roll in radians; `(n,)`."""

    x: Tensor
    y: Tensor
    distance: Tensor
    roll: Tensor


@dataclass(frozen=True)
class Rendering:
    """`image (n, 3, size, size)` in [-1, 1]; region masks `(n, 1, size, size)` in [0, 1]."""

    image: Tensor
    lips: Tensor
    eyes: Tensor
    skin: Tensor
    face: Tensor


def _col(value: Tensor) -> Tensor:
    return value.reshape(value.shape[0], -1, 1, 1)


def _fill(field: Tensor) -> Tensor:
    """Coverage in [0, 1] of the region `field < 0`, one pixel soft: field over the length of its own gradient."""
    dx = torch.zeros_like(field)
    dy = torch.zeros_like(field)
    dx[..., :, 1:-1] = (field[..., :, 2:] - field[..., :, :-2]) / 2
    dy[..., 1:-1, :] = (field[..., 2:, :] - field[..., :-2, :]) / 2
    dx[..., :, 0], dx[..., :, -1] = dx[..., :, 1], dx[..., :, -2]
    dy[..., 0, :], dy[..., -1, :] = dy[..., 1, :], dy[..., -2, :]
    return (0.5 - field / (dx.square() + dy.square()).sqrt().clamp(min=1e-6)).clamp(0, 1)


def _over(canvas: Tensor, colour: Tensor, alpha: Tensor) -> Tensor:
    return canvas + (colour - canvas) * alpha


def _bump(x: Tensor, y: Tensor, width: Tensor | float, height: Tensor | float) -> Tensor:
    return torch.exp(-(x / width).square() - (y / height).square())


class _Painter:
    """One batch being drawn: the coordinate grids and the parameters, shaped to broadcast over pixels."""

    def __init__(self, face: Face, size: int, frame: Frame) -> None:
        self.p = {name: _col(value.float()) for name, value in face.items()}
        p = self.p
        centres = (torch.arange(size) + 0.5) / size
        dy, dx = torch.meshgrid(centres, centres, indexing="ij")
        rx, ry = dx - _col(frame.x), dy - _col(frame.y)
        cos, sin = torch.cos(_col(frame.roll)), torch.sin(_col(frame.roll))
        eye_shift_x, eye_shift_y = self._turn(p["eye_x"], p["eye_y"])
        units = 2 * p["eye_x"] / _col(frame.distance)
        self.x = (rx * cos + ry * sin) * units + eye_shift_x
        self.y = (ry * cos - rx * sin) * units + p["eye_y"] + eye_shift_y
        shift_x, shift_y = self._turn(self.x, self.y)
        self.u, self.v = self.x - shift_x, self.y - shift_y
        self.skin = along(SKIN, face["melanin"])[..., None, None] + p["redness"] * torch.tensor([1.0, -0.3, -0.5]).view(
            1, 3, 1, 1
        )

    def _turn(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """How far a turned head carries the point at (x, y): nearer points move more."""
        depth = (1 - (x / 0.85).square() - (y / 1.15).square()).clamp(min=0)
        return self.p["yaw"] * 0.42 * depth, self.p["pitch"] * 0.42 * depth

    def face_field(self) -> Tensor:
        p = self.p
        across = (self.u.abs() / p["face_width"]).clamp(min=1e-4)
        up = ((-self.v).clamp(min=1e-4) / p["face_top"]).square()
        down = (self.v.clamp(min=1e-4) / p["face_bottom"]) ** p["jaw_square"]
        return across ** p["face_square"] + up + down - 1

    def shade(self) -> tuple[Tensor, Tensor]:
        """Diffuse light `(n, 1, h, w)` around 1 and specular `(n, 1, h, w)` of the head's height field."""
        p, u, v = self.p, self.u, self.v
        round_head = (1.15 - (u / 0.95).square() - (v / 1.35).square()).clamp(min=0.02).sqrt()
        tip_y = p["eye_y"] + p["nose_length"]
        along_nose = ((v - p["eye_y"]) / p["nose_length"]).clamp(-1.0, 1.4)
        ridge = torch.exp(-(u / (p["bridge_width"] + 0.04 * along_nose)).square())
        nose = (
            p["nose_height"] * ridge * torch.sigmoid((along_nose - 0.12) * 12) * torch.sigmoid((1.04 - along_nose) * 14)
        )
        nose = nose + 0.6 * p["nose_height"] * _bump(u, v - tip_y + 0.03, p["nose_width"] * 0.8, 0.075)
        mirrored = u.abs()
        wings = 0.35 * p["nose_height"] * _bump(mirrored - p["nose_width"] * 0.75, v - tip_y, 0.045, 0.045)
        sockets = -0.10 * _bump(mirrored - p["eye_x"], v - p["eye_y"] + 0.02, 0.20, 0.11)
        cheeks = p["cheek_height"] * _bump(mirrored - 0.40, v - 0.28, 0.20, 0.16)
        chin = p["chin_height"] * _bump(u, v - p["face_bottom"] + 0.17, 0.16, 0.11)
        lips = 0.05 * _bump(u, v - p["mouth_y"], p["mouth_width"], 0.07)
        h = round_head + nose + wings + sockets + cheeks + chin + lips
        step_x = (self.x[..., :, 1:] - self.x[..., :, :-1]).mean(dim=(-1, -2), keepdim=True).abs().clamp(min=1e-4)
        hx = torch.zeros_like(h)
        hy = torch.zeros_like(h)
        hx[..., :, 1:-1] = (h[..., :, 2:] - h[..., :, :-2]) / (2 * step_x)
        hy[..., 1:-1, :] = (h[..., 2:, :] - h[..., :-2, :]) / (2 * step_x)
        norm = (hx.square() + hy.square() + 1).sqrt()
        lx, ly = p["light_x"], p["light_y"]
        light = (lx.square() + ly.square() + 1).sqrt()
        lambert = ((-hx * lx - hy * ly + 1) / (norm * light)).clamp(min=0)
        half = (lx.square() + ly.square() + 4).sqrt()
        gloss = ((-hx * lx - hy * ly + 2) / (norm * half)).clamp(min=0) ** 24
        return p["ambient"] + (1.15 - p["ambient"]) * lambert, p["shine"] * gloss

    def hair(self) -> tuple[Tensor, Tensor, Tensor]:
        """Alpha behind the head, alpha of the fringe, colour."""
        p, x, y = self.p, self.x, self.y
        wave = p["hair_wave"] * torch.sin(9 * y + p["hair_phase"])
        width = p["face_width"] + p["hair_volume"] + wave
        crown = (x / width).square() + ((y + 0.1) / (p["face_top"] + p["hair_volume"] * 0.8 - 0.1)).square() - 1
        sides = torch.maximum(x.abs() - width * 0.97, torch.maximum(-y - 0.1, y - p["hair_length"]))
        behind = _fill(torch.minimum(crown, sides))
        edge = p["hairline"] + p["hair_sweep"] * (x - p["hair_parting"]).abs() * 0.6 + 0.55 * x.square() + wave
        fringe = _fill(torch.maximum(crown, y - edge))
        strands = (
            1 + 0.10 * torch.sin(26 * x + 3 * torch.sin(4 * y + p["hair_phase"])) + 0.05 * torch.sin(61 * x + 7 * y)
        )
        colour = along(HAIR, p["hair_melanin"].flatten())[..., None, None]
        grey = p["hair_grey"].clamp(0, 1)
        return behind, fringe, (colour + (0.62 - colour) * grey) * strands

    def eye(self, side: int) -> dict[str, Tensor]:
        """Alphas of one eye: `ball`, `iris`, `pupil`, `glint`, `lash`, `fold`, `shadow`, `area`."""
        p = self.p
        dx, dy = side * (self.u - side * p["eye_x"]), self.v - p["eye_y"]
        x, y = dx + dy * -p["eye_tilt"], dy + dx * p["eye_tilt"]
        bow = 1 - (x / p["eye_width"]).square()
        opening = p["eye_height"] * p["eye_open"]
        upper, lower = -opening * bow, 0.75 * opening * bow
        ball_field = torch.maximum(upper - y, y - lower)
        gx, gy = x - side * p["gaze_x"] * 0.05, y - p["gaze_y"] * 0.03 + 0.004
        iris = (gx.square() + gy.square()).sqrt()
        lash = (y - upper + 0.006).abs() - 0.010 * (0.35 + 0.65 * bow.clamp(min=0))
        fold = (y - upper * 1.05 + p["lid_fold"] + 0.014).abs() - 0.005
        reach = p["eye_width"]
        lid = (x / (1.55 * reach)).square() + ((y + 0.055) / 0.105).square()
        near = bow > -0.35
        return {
            "ball": _fill(ball_field),
            "iris": _fill(iris - p["iris_size"]),
            "pupil": _fill(iris - p["iris_size"] * 0.45),
            "glint": _fill(((gx + 0.016 * side).square() + (gy + 0.018).square()).sqrt() - 0.011),
            "lash": _fill(torch.maximum(lash, x.abs() - reach * 1.08)),
            "fold": _fill(torch.maximum(fold, x.abs() - reach * 0.95)) * near,
            "shadow": torch.sigmoid((1 - lid) * 5.0) * torch.sigmoid(-(y - lower - 0.012) * 70),
            "area": _fill(lid - 1),
        }

    def brow(self, side: int) -> Tensor:
        p = self.p
        x = side * (self.u - side * p["eye_x"] * 1.04) / p["brow_length"]
        y = self.v - p["eye_y"] + p["brow_rise"] - p["brow_raise"]
        line = p["brow_tilt"] * p["brow_length"] * -x - p["brow_arch"] * (1 - (x - 0.3).square())
        thick = p["brow_thickness"] * (1.1 - 0.55 * (x + 0.2).clamp(min=0))
        return _fill(torch.maximum((y - line).abs() - thick, (x.abs() - 1) * p["brow_length"]))

    def mouth(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Alphas of lips, mouth opening, teeth, and the seam between the lips."""
        p, u = self.p, self.u
        t = u / (p["mouth_width"] * (1 + 1.5 * p["smile"].clamp(min=0)))
        bow = 1 - t.square()
        v = self.v - p["mouth_y"] + p["smile"] * t.square() * 1.2
        gap = p["mouth_open"].clamp(min=0)
        dip = (
            1
            - p["cupid_bow"] * torch.exp(-(t / 0.16).square())
            + 0.35 * p["cupid_bow"] * torch.exp(-((t.abs() - 0.3) / 0.18).square())
        )
        top, bottom = -(p["upper_lip"] * dip + gap * 0.4) * bow, (p["lower_lip"] + gap) * bow
        outer = _fill(torch.maximum(top - v, v - bottom))
        inner = _fill(torch.maximum(-gap * 0.4 * bow - v, v - gap * 0.8 * bow)) * (gap > 0.004)
        teeth = inner * _fill(v - gap * 0.35 * bow)
        seam = _fill(torch.maximum(v.abs() - 0.006, t.abs() - 1)) * (gap <= 0.004)
        return outer * (1 - inner), inner, teeth, seam


def _backdrop(painter: _Painter) -> Tensor:
    p, x, y = painter.p, painter.x, painter.y
    angle = p["background_angle"]
    ramp = torch.sigmoid((x * torch.cos(angle) + y * torch.sin(angle)) * 1.2)
    grain = p["background_grain"] * torch.sin(7 * x + angle) * torch.sin(5 * y - angle)
    canvas = p["background_a"] + (p["background_b"] - p["background_a"]) * ramp + grain
    behind, _, hair = painter.hair()
    canvas = _over(canvas, hair * 0.72, behind)
    neck = _fill(torch.maximum(x.abs() - 0.40 * p["face_width"] / 0.75 - 0.10 * (y - 1).clamp(min=0), -y + 0.4))
    shadow = 0.62 + 0.25 * torch.sigmoid((y - 1.25) * 8)
    canvas = _over(canvas, painter.skin * shadow * p["ambient"].clamp(min=0.6), neck)
    shoulders = _fill(1.22 + 0.28 * x.square() - 0.10 * torch.exp(-(x / 0.5).square()) * -1 - y)
    return _over(canvas, p["cloth"] * (0.85 + 0.1 * torch.sin(3 * x)), shoulders)


def _head(painter: _Painter, canvas: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    p, u, v, skin = painter.p, painter.u, painter.v, painter.skin
    diffuse, gloss = painter.shade()
    ears = ((painter.x.abs() - p["face_width"] * 0.98) / (p["ear_size"] * 0.6)).square()
    ears = _fill(ears + ((painter.y - p["eye_y"] - 0.12) / p["ear_size"]).square() - 1)
    canvas = _over(canvas, skin * 0.78, ears)
    face = _fill(painter.face_field())
    skin = skin * (1 + 0.02 * torch.sin(17 * u + 5 * v) * torch.sin(13 * v - 4 * u))
    fold_x = u.abs() - p["nose_width"] - 0.05 - 0.45 * (v - p["eye_y"] - p["nose_length"]).clamp(min=0)
    fold = torch.exp(-(fold_x / 0.016).square()) * torch.sigmoid((v - p["eye_y"] - p["nose_length"]) * 25)
    fold = fold * torch.sigmoid((p["mouth_y"] - v) * 25) * p["fold_depth"]
    tip_y = p["eye_y"] + p["nose_length"]
    nostril = _bump(u.abs() - p["nose_width"] * 0.5, v - tip_y - 0.045, 0.028, 0.014)
    base = skin * (1 - 0.45 * fold) * (1 - 0.65 * nostril)
    blush = _bump(u.abs() - 0.42, v - 0.27, 0.19, 0.13) * p["blush_strength"]
    base = _over(base, base * 0.35 + p["blush_colour"] * 0.65 * (0.35 + 0.65 * skin.mean(1, keepdim=True)), blush * 0.8)
    lips, inner, teeth, seam = painter.mouth()
    natural = skin * torch.tensor([0.88, 0.58, 0.58]).view(1, 3, 1, 1)
    natural = _over(skin * 0.92, natural, p["lip_redness"])
    base = _over(base, natural, lips)
    base = _over(base, p["lips_colour"] * (0.55 + 0.45 * skin.mean(1, keepdim=True)), lips * p["lips_strength"] * 0.92)
    base = _over(base, base * 0.45, seam)
    eyes = [painter.eye(-1), painter.eye(1)]
    balls = eyes[0]["ball"] + eyes[1]["ball"]
    for eye in eyes:
        tinted = p["shadow_colour"] * (0.50 + 0.50 * skin.mean(1, keepdim=True))
        base = _over(base, tinted, eye["shadow"] * p["shadow_strength"] * 0.80)
        base = _over(base, base * 0.72, eye["fold"])
    lit = base * diffuse + gloss
    lit = _over(lit, torch.tensor([0.16, 0.05, 0.05]).view(1, 3, 1, 1), inner)
    lit = _over(lit, torch.tensor([0.88, 0.86, 0.82]).view(1, 3, 1, 1), teeth)
    lit = _paint_eyes(painter, lit, eyes)
    brow_colour = along(HAIR, p["brow_darkness"].flatten())[..., None, None] * 0.85
    brows = painter.brow(-1) + painter.brow(1)
    lit = _over(lit, brow_colour * diffuse, brows * 0.9)
    canvas = _over(canvas, lit, face)
    area = ((eyes[0]["area"] + eyes[1]["area"]).clamp(max=1) - brows - balls).clamp(0, 1)
    masks = {"lips": lips * face, "eyes": area * face, "face": face}
    masks["skin"] = (face - masks["lips"] - inner - area * 0.999 - brows - balls).clamp(0, 1)
    return canvas, masks


def _paint_eyes(painter: _Painter, lit: Tensor, eyes: list[dict[str, Tensor]]) -> Tensor:
    iris = along(IRIS, painter.p["iris_hue"].flatten())[..., None, None]
    light = 0.6 + 0.4 * painter.p["ambient"]
    for eye in eyes:
        lit = _over(lit, torch.tensor([0.94, 0.93, 0.92]).view(1, 3, 1, 1) * light, eye["ball"])
        lit = _over(lit, iris, eye["iris"] * eye["ball"])
        lit = _over(lit, iris * 0.15, eye["pupil"] * eye["ball"])
        lit = _over(lit, torch.ones(1, 3, 1, 1), eye["glint"] * eye["ball"] * 0.9)
        lit = _over(lit, torch.full((1, 3, 1, 1), 0.08), eye["lash"] * 0.85)
    return lit


@torch.no_grad()
def render(face: Face, size_px: int, frame: Frame, noise: torch.Generator | None = None) -> Rendering:
    """Draw `n` faces on `size_px` squares; without `noise` the sensor is perfect."""
    painter = _Painter(face, size_px, frame)
    canvas, masks = _head(painter, _backdrop(painter))
    _, fringe, hair = painter.hair()
    canvas = _over(canvas, hair * (0.75 + 0.25 * painter.p["ambient"]), fringe)
    canvas = canvas * painter.p["exposure"]
    if noise is not None:
        canvas = canvas + painter.p["noise"] * torch.randn(canvas.shape, generator=noise)
    visible = 1 - fringe
    return Rendering(
        image=canvas.clamp(0, 1) * 2 - 1,
        lips=masks["lips"] * visible,
        eyes=masks["eyes"] * visible,
        skin=masks["skin"] * visible,
        face=masks["face"] * visible,
    )
