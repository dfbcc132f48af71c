"""Refines the faces of a photo in make-up: cut into canvases, parsed, refined together, and each change pasted back."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from diffam_core.faces.canvas import CANVAS_PX, canvas_of, eyes_px, in_canvas, landmarks_in_canvases
from diffam_core.faces.face import FoundFace, portrait_transform, stack_portraits
from diffam_core.faces.landmarks import five_points
from diffam_core.faces.paste import paste_changes
from diffam_core.generation import OnStep, silent, within
from diffam_core.images import Photo
from diffam_core.models import Recogniser
from diffam_core.networks.parser import CHANNELS, DETAILS, region
from diffam_core.refining.allowance import FaceRegions
from diffam_core.refining.refinement import Aims, Refinement, Sitters, refine

AT_ONCE = 8
"""Faces that are refined together."""
LEAST_SHARE = 0.8
"""Of a photo, that a face counts for at least: the bar of a whole photo would leave smaller ones no clean skin."""
CHEEK, CHEEK_RADII = 0.22, (0.27, 0.2)
"""How far out from between eye and mouth a cheek's middle lies, and its half axes, in eye distances."""


@dataclass(frozen=True)
class Dressed:
    """A photo before and in make-up, and its faces in that, with five landmarks each.

    regions: what a parser that knows details tells of each one's portrait, `(1, 7, size, size)`, in [0, 1].
    beside: how many more faces share the photo's bar, which others refine.
    """

    original: Photo
    made_up: Photo
    faces: Sequence[FoundFace]
    regions: Sequence[Float[Tensor, "1 channels size size"]]
    beside: int = 0


def refine_photo(
    dressed: Dressed,
    surrogates: Sequence[Recogniser],
    settings: Refinement,
    aims: Aims | None = None,
    on_step: OnStep = silent,
) -> Photo:
    """The photo in make-up with its faces refined away from their owners, and with `aims` towards a target.

    No face's change depends on the others, but for how much the photo's bar leaves.  on_step: after each step.
    """
    changes = []
    starts = range(0, len(dressed.faces), AT_ONCE)
    for part, start in enumerate(starts):
        faces = dressed.faces[start : start + AT_ONCE]
        sitters = _sit(dressed, slice(start, start + AT_ONCE))
        chances = [torch.Generator().manual_seed(settings.seed) for _ in faces]
        refined = refine(sitters, surrogates, chances, settings, aims, within(on_step, part, len(starts)))
        changes += [(canvas_of(face), change) for face, change in zip(faces, refined.change, strict=True)]
    return paste_changes(dressed.made_up, changes)


def _sit(dressed: Dressed, some: slice) -> Sitters:
    faces, regions = dressed.faces[some], dressed.regions[some]
    canvases, device = [canvas_of(face) for face in faces], regions[0].device
    height, width = dressed.original.shape[:2]
    eyes = torch.tensor([eyes_px(face) for face in faces], dtype=torch.float32)
    sides = torch.tensor([canvas.side_px for canvas in canvases], dtype=torch.float32)
    shares = sides.square() * (len(dressed.faces) + dressed.beside) / (height * width)

    def cut(photo: Photo) -> Tensor:
        return stack_portraits([photo] * len(canvases), canvases, CANVAS_PX).to(device)

    return Sitters(
        original=cut(dressed.original),
        made_up=cut(dressed.made_up),
        points=landmarks_in_canvases(faces).to(device),
        regions=_regions(regions, faces, canvases),
        eyes_px=eyes.to(device),
        share=shares.clamp(min=LEAST_SHARE).to(device),
    )


def _regions(told: Sequence[Tensor], faces: Sequence[FoundFace], canvases: Sequence[FoundFace]) -> FaceRegions:
    """What the parser tells of portraits, carried into the canvases."""
    device, rows = told[0].device, zip(told, faces, canvases, strict=True)
    carried = torch.stack([_into_canvas(row[0].float().cpu(), face, canvas) for row, face, canvas in rows]).to(device)
    names = {name: region(carried, name) for name in (*CHANNELS, *DETAILS)}
    cheeks = torch.stack([_cheeks(face, canvas) for face, canvas in zip(faces, canvases, strict=True)])
    return FaceRegions(
        outline=names["face"],
        lids=names["eyes"],
        lips=names["lips"],
        cheeks=cheeks.to(device) * names["skin"],
        brows=names["brows"],
        eyeballs=names["eyeballs"],
        mouth=names["mouth"],
    )


def _into_canvas(
    masks: Float[Tensor, "channels size size"], face: FoundFace, canvas: FoundFace
) -> Float[Tensor, "channels side side"]:
    """A portrait's masks as they lie in the canvas; 0 where the portrait does not reach."""
    into, onto = (
        np.vstack([portrait_transform(*which), [0, 0, 1]]) for which in ((face, masks.shape[-1]), (canvas, CANVAS_PX))
    )
    transform = (into @ np.linalg.inv(onto))[:2]
    layers = np.ascontiguousarray(masks.numpy().transpose(1, 2, 0))
    warped = cv2.warpAffine(layers, transform, (CANVAS_PX, CANVAS_PX), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return torch.from_numpy(np.ascontiguousarray(warped.transpose(2, 0, 1)))


def _cheeks(face: FoundFace, canvas: FoundFace) -> Float[Tensor, "1 side side"]:
    """Two bells between eyes and corners of the mouth, further out."""
    points = five_points(face)
    across = points[1] - points[0]
    y, x = np.mgrid[:CANVAS_PX, :CANVAS_PX]
    cheeks = np.zeros((CANVAS_PX, CANVAS_PX), np.float32)
    for eye, mouth, outwards in ((points[0], points[3], -across), (points[1], points[4], across)):
        (middle,) = in_canvas((eye + mouth)[None] / 2 + CHEEK * outwards, canvas) * CANVAS_PX - 0.5
        wide, tall = (radius * eyes_px(face) for radius in CHEEK_RADII)
        cheeks = np.maximum(cheeks, np.exp(-(((x - middle[0]) / wide) ** 2) - ((y - middle[1]) / tall) ** 2))
    return torch.from_numpy(cheeks.astype(np.float32))[None]
