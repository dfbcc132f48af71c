"""Rendered photographs for demonstrations and tests: people in a frame, as somebody would take them."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from diffam_core.faces.cascades import BOX_EYES
from diffam_core.faces.face import FoundFace
from diffam_core.images import Photo, to_pixels
from model_store.rendered.people import Face, sample_identities, sample_makeup, sample_nuisance, take
from model_store.rendered.renderer import Frame, render

SCENE_SEEDS = 5_000_000
BOX_WIDTHS_PER_EYE_DISTANCE = 1 / (BOX_EYES[1][0] - BOX_EYES[0][0])
PERSON_UNITS = 4.0
"""Side of the square a person is drawn on, in the renderer's face units: hair, shoulders and room to lean."""
PERSON_EYES = (0.5, 0.42)
"""Where the middle between the eyes lies on that square."""
SHARPEST_PX = 1400
"""Bigger persons are drawn with this side and enlarged: a head of 600 pixels has all the renderer's detail."""


@dataclass(frozen=True)
class SceneFace:
    """Where a drawn face is, in photo pixels: eye centres, image left first, and the width of a detector's box."""

    left_eye: tuple[float, float]
    right_eye: tuple[float, float]
    box_width: float

    @property
    def eye_distance_px(self) -> float:
        """Distance between the eye centres."""
        return self.box_width / BOX_WIDTHS_PER_EYE_DISTANCE


def demo_scene(seed: int = 0, size: int = 1024) -> Image.Image:
    """One bare-faced person on a `size` x `size` photo, face about half as wide as the picture."""
    generator = torch.Generator().manual_seed(SCENE_SEEDS + seed)
    face = sample_identities(1, SCENE_SEEDS + seed) | sample_nuisance(1, generator) | sample_makeup(1, generator, 0.0)
    calmer = {name: face[name] * 0.5 for name in ("yaw", "pitch", "light_x")}
    calmer["hairline"] = face["hairline"].clamp(max=-0.6)
    place = [0.5 + 0.06 * float(torch.rand(1, generator=generator)), 0.42, 0.17, 0.0]
    frame = Frame(*(torch.tensor([value]) for value in place))
    return Image.fromarray(to_pixels(render(face | calmer, size, frame, generator).image[0]))


def group_scene(
    seed: int,
    width: int,
    height: int,
    faces: int,
    tilt_deg: float = 35.0,
    box_widths: tuple[float, float] = (48.0, 400.0),
) -> tuple[Photo, list[SceneFace]]:
    """A photo of `faces` people before a wall, and where their faces are, largest first; the same for a seed.

    tilt_deg: heads lean up to so far to either side.  box_widths: smallest and largest face, in pixels, log-uniform;
    larger ones shrink where the photo has no room.  Raises ValueError when the people do not fit at all.
    """
    chance = np.random.default_rng(SCENE_SEEDS + seed)
    places = _places(chance, width, height, faces, box_widths)
    generator = torch.Generator().manual_seed(SCENE_SEEDS + seed)
    people = sample_identities(faces, SCENE_SEEDS + seed) | sample_nuisance(faces, generator)
    people |= sample_makeup(faces, generator, 0.3) | {"hairline": people["hairline"].clamp(max=-0.55)}
    people |= {name: people[name] * 0.6 for name in ("yaw", "pitch")} | {"melanin": _spread(faces, generator)}
    photo = _wall(chance, width, height)
    tilts = chance.uniform(-tilt_deg, tilt_deg, faces)
    truth = [
        _draw(photo, take(people, torch.tensor([index])), *places[index], float(tilts[index]))
        for index in reversed(range(faces))  # the largest stand nearest
    ]
    grain = chance.normal(0, 2.0, (height, width, 1)).astype(np.float32)
    for channel in range(3):
        photo[..., channel] += grain[..., 0]
    return np.clip(np.rint(photo), 0, 255).astype(np.uint8), truth[::-1]


def _spread(count: int, generator: torch.Generator) -> torch.Tensor:
    """Skins from light to dark, evenly, in any order."""
    return (torch.randperm(count, generator=generator) + torch.rand(1, generator=generator)) / count


def _places(
    chance: np.random.Generator, width: int, height: int, faces: int, box_widths: tuple[float, float]
) -> list[tuple[float, float, float]]:
    """Middle of the eyes and box width of each face, largest first, none hiding another one's."""
    low, high = box_widths
    for attempt in range(200):
        most = max(low, min(high, 0.42 * min(width, height)) * 0.985**attempt)
        sizes = np.sort(np.exp(chance.uniform(np.log(low), np.log(most), faces)))[::-1]
        places: list[tuple[float, float, float]] = []
        for size in sizes:
            for _ in range(30):
                x = chance.uniform(0.7 * size, width - 0.7 * size)
                y = chance.uniform(0.7 * size, max(0.71 * size, height - 0.9 * size))
                if all(_is_free(x, y, size, *other) for other in places):
                    places.append((x, y, size))
                    break
        if len(places) == faces:
            return places
    raise ValueError(f"{faces} people do not fit on {width} x {height} pixels")


def _is_free(x: float, y: float, size: float, near_x: float, near_y: float, near_size: float) -> bool:
    """Whether a face is hidden neither by the head nor by the body of one that stands nearer."""
    apart = abs(x - near_x)
    is_above = y + 0.9 * size < near_y - 0.9 * near_size
    return apart > 0.95 * near_size + 0.75 * size or is_above


def _wall(chance: np.random.Generator, width: int, height: int) -> NDArray[Any]:
    """A background `(height, width, 3)` in [0, 255]: soft light, coarse texture, pictures and windows with edges."""
    coarse = chance.uniform(50, 205, (1, 1, 3)) + chance.normal(0, 14, (9, 12, 1)) + chance.normal(0, 6, (9, 12, 3))
    wall = cv2.resize(coarse.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(int(chance.integers(4, 12))):
        x, y = int(chance.uniform(0, width)), int(chance.uniform(0, height))
        w, h = (int(chance.uniform(0.03, 0.3) * min(width, height)) for _ in "wh")
        part = wall[y : y + h, x : x + w]
        stripes = 18 * np.sin(np.arange(part.shape[1]) * chance.uniform(0.02, 0.5))[None, :, None]
        part[...] = 0.4 * part + 0.6 * chance.uniform(20, 235, (1, 1, 3)) + stripes
    return wall


def _draw(photo: NDArray[np.float32], face: Face, x: float, y: float, box_width: float, tilt_deg: float) -> SceneFace:
    """Paint one person over the photo, in place."""
    eye_distance = box_width / BOX_WIDTHS_PER_EYE_DISTANCE
    share = 2 * float(face["eye_x"]) / PERSON_UNITS
    side = round(eye_distance / share)
    roll = np.deg2rad(tilt_deg)
    picture, cover = _person(face, min(side, SHARPEST_PX), share, float(roll))
    enlarged = [cv2.resize(layer, (side, side), interpolation=cv2.INTER_CUBIC) for layer in (picture, cover)]
    left, top = round(x - PERSON_EYES[0] * side), round(y - PERSON_EYES[1] * side)
    _blend(photo, enlarged[0], np.clip(enlarged[1], 0, 1), left, top)
    middle = np.array([left + PERSON_EYES[0] * side, top + PERSON_EYES[1] * side]) - 0.5
    half = np.array([np.cos(roll), np.sin(roll)]) * side * share / 2
    left_eye, right_eye = middle - half, middle + half
    return SceneFace(
        (left_eye[0], left_eye[1]), (right_eye[0], right_eye[1]), side * share * BOX_WIDTHS_PER_EYE_DISTANCE
    )


def _person(face: Face, side: int, share: float, roll: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Picture `(side, side, 3)` in [0, 255], times the cover, and cover `(side, side)` in [0, 1] of a person.

    Drawn before black and before white: what shines through is the difference.
    """
    row = {name: torch.cat([value, value]) for name, value in face.items()}
    row["background_a"] = row["background_b"] = torch.tensor([[0.0] * 3, [1.0] * 3])
    row |= {"background_grain": torch.zeros(2), "exposure": face["exposure"].clamp(max=1).repeat(2)}
    frame = Frame(*(torch.full((2,), value) for value in (*PERSON_EYES, share, roll)))
    black, white = (render(row, side, frame).image.permute(0, 2, 3, 1).numpy() + 1) / 2
    cover = 1 - (white - black).mean(axis=2) / float(row["exposure"][0])
    across = np.abs(np.arange(side) + 0.5 - PERSON_EYES[0] * side) * PERSON_UNITS / side
    cover = cover * np.clip((1.45 - across) * side / PERSON_UNITS, 0, 1)[None, :]
    is_there = cover[..., None] > 1e-3
    return np.where(is_there, black * 255, 0).astype(np.float32), cover.astype(np.float32)


def _blend(photo: NDArray[Any], picture: NDArray[Any], cover: NDArray[Any], left: int, top: int) -> None:
    """Lay a person over the photo; below the drawing the clothes go on as its last row does."""
    height, width = photo.shape[:2]
    side = len(picture)
    rows = np.minimum(np.arange(max(0, -top), max(0, height - top)), side - 1)
    columns = slice(max(0, -left), min(side, width - left))
    part = photo[max(0, top) :, max(0, left) : left + side]
    for start in range(0, len(rows), 256):
        some = rows[start : start + 256]
        strip = part[start : start + 256]
        strip *= 1 - cover[some, columns, None]
        strip += picture[some, columns]


def error_of(found: FoundFace, face: SceneFace) -> float:
    """The larger distance of an eye from where it was drawn, in eye distances."""
    apart = np.subtract([found.left_eye, found.right_eye], [face.left_eye, face.right_eye])
    return float(np.hypot(*apart.T).max()) / face.eye_distance_px


def pair(found: list[FoundFace], truth: list[SceneFace]) -> list[tuple[FoundFace, SceneFace]]:
    """Found faces with the drawn one whose eyes they have, each drawn face once."""
    pairs: list[tuple[FoundFace, SceneFace]] = []
    for face in truth:
        near = min(found, key=lambda other: error_of(other, face), default=None)
        if near is not None and error_of(near, face) < 0.5:
            pairs.append((near, face))
    return pairs
