"""What recognisers and people see of finished files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torchmetrics.image.fid import FrechetInceptionDistance

from diffam_core.faces.face import FoundFace, cut_portrait
from diffam_core.images import Photo, shrink, to_portrait
from diffam_core.models import Models
from diffam_core.networks.parser import region
from diffam_core.score import psnr_db, quality, ssim
from evaluation.subjects import Subjects
from evaluation.treatments import Treatment, other_detector
from model_store.bundle import Bundle, Reference
from protection.measuring.again import find_again

MATCHING_FACES = 10
"""How many people the budget of noise is matched on; `VisibleCost.first_*` are means over their photos."""


@dataclass(frozen=True)
class VisibleCost:
    """What the change costs and what it shows, as means over the photos.

    `psnr_db` and `ssim` are those of the whole photo, `face_*` and `lpips` those of the aligned face. `fid` compares
    faces with the unprotected ones on the CLIP features of the bundle. `least_psnr_db` is that of the worst photo.
    """

    psnr_db: float
    least_psnr_db: float
    ssim: float
    face_psnr_db: float
    face_ssim: float
    lpips: float
    fid: float
    first_ssim: float
    first_psnr_db: float


class _ClipFeatures(nn.Module):
    """CLIP's image embeddings as torchmetrics wants a feature extractor."""

    def __init__(self, models: Models) -> None:
        super().__init__()
        self.models = [models]
        with torch.no_grad():
            blank = torch.zeros(1, 3, models.portrait_px, models.portrait_px, device=models.device)
            self.num_features = models.clip.embed_images(blank).shape[1]

    def forward(self, views: Tensor) -> Tensor:
        (models,) = self.models
        return models.clip.embed_images(shrink(views, models.portrait_px)).double()


def views_of(
    bundle: Bundle, photos: Sequence[Photo], faces: Sequence[FoundFace], treatments: Mapping[str, Treatment]
) -> dict[str, Tensor]:
    """Aligned faces `(n, 3, v, v)` of photos in one state, found anew as each treatment's observer finds them.

    faces: where they are expected.
    """
    models, views = bundle.models, dict[str, list[Tensor]]()
    detectors = {False: models.detector, True: other_detector(bundle) or models.detector}
    for photo, face in zip(photos, faces, strict=True):
        met = {
            is_other: find_again(replace(models, detector=detectors[is_other]), photo, face) or face
            for is_other in {treatment.is_found_by_another for treatment in treatments.values()}
        }
        for name, treatment in treatments.items():
            place = treatment.aligned(met[treatment.is_found_by_another])
            views.setdefault(name, []).append(cut_portrait(photo, place, models.view_px))
    return {name: torch.cat(parts) for name, parts in views.items()}


@torch.inference_mode()
def visible_cost(models: Models, subjects: Subjects, finished: Sequence[Photo], views: Tensor) -> VisibleCost:
    """The visible quality of finished files; `views` are their aligned faces, cut where the originals' are."""
    whole = []
    for before, after in zip(subjects.photos, finished, strict=True):
        pair = to_portrait(after), to_portrait(before)
        whole.append((min(float(psnr_db(*pair)), 99.0), float(ssim(*pair))))
    views = views.to(models.device)
    faces = [quality(models, a[None], b[None]) for a, b in zip(subjects.views, views, strict=True)]
    fid = FrechetInceptionDistance(feature=_ClipFeatures(models), normalize=False)
    fid.update(subjects.views, real=True)
    fid.update(views, real=False)
    return VisibleCost(
        psnr_db=float(np.mean([psnr for psnr, _ in whole])),
        least_psnr_db=min(psnr for psnr, _ in whole),
        ssim=float(np.mean([ssim for _, ssim in whole])),
        face_psnr_db=float(np.mean([min(face.psnr_db, 99.0) for face in faces])),
        face_ssim=float(np.mean([face.ssim for face in faces])),
        lpips=float(np.mean([face.lpips for face in faces])),
        fid=float(fid.compute()),
        first_ssim=float(np.mean([ssim for _, ssim in whole[:MATCHING_FACES]])),
        first_psnr_db=float(np.mean([psnr for psnr, _ in whole[:MATCHING_FACES]])),
    )


def _mean_lab(views: Tensor, masks: Tensor) -> NDArray[np.float32]:
    """Mean CIELAB colour `(n, 3)` of masked views in [-1, 1]."""
    colours = (views * masks).sum(dim=(2, 3)) / masks.sum(dim=(2, 3)).clamp(min=1)
    rgb = ((colours + 1) / 2).clamp(0, 1).cpu().numpy().astype(np.float32)
    return np.asarray(cv2.cvtColor(rgb[None], cv2.COLOR_RGB2LAB)[0])


@torch.inference_mode()
def lip_distance(subjects: Subjects, views: Tensor, reference: Reference) -> float:
    """Mean distance (CIELAB, Delta E 1976) of the lips' mean colour from the reference's lips."""
    masks = region(torch.cat([face.regions for face in subjects.faces]), "lips") > 0.5
    masks = functional.interpolate(masks.float(), views.shape[-1], mode="nearest")
    wanted = _mean_lab(reference.made_up, (region(reference.regions, "lips") > 0.5).float())
    return float(np.linalg.norm(_mean_lab(views, masks.to(views.device)) - wanted, axis=1).mean())
