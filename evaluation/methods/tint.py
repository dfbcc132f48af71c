"""Control: the face takes on the target's mean colour. An attack that does no better only paints."""

import torch
from torch.nn import functional

from diffam_core.composite import face_probability, feather
from diffam_core.faces.face import cut_portrait, native_px
from diffam_core.faces.paste import paste_change
from diffam_core.images import Photo, shrink
from evaluation.method import Method
from evaluation.subjects import Subjects
from model_store.bundle import Bundle
from model_store.catalog import StyleCard


@torch.inference_mode()
def _protect(bundle: Bundle, subjects: Subjects, task: StyleCard, _eps: float) -> list[Photo]:
    models = bundle.models
    target = shrink(bundle.targets[task.identity].aim, models.portrait_px)
    target = target.to(models.device)
    mask = face_probability(models.parser, target)
    wanted = (target * mask).sum(dim=(2, 3)) / mask.sum(dim=(2, 3))
    photos = []
    for face in subjects.faces:
        portrait = cut_portrait(face.photo, face.found, models.portrait_px).to(models.device)
        colour = (portrait * face.mask).sum(dim=(2, 3)) / face.mask.sum(dim=(2, 3)).clamp(min=1)
        delta = (wanted - colour)[:, :, None, None] * feather(face.mask)
        size = native_px(face.found, models.portrait_px)
        photos.append(paste_change(face.photo, face.found, functional.interpolate(delta, size, mode="bilinear")[0]))
    return photos


METHOD = Method("Colour tint", "control", ("target",), _protect)
