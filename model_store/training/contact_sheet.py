"""How a style looks while it is trained: on drawn people, whoever it is trained on, so that nobody is shown."""

import numpy as np
import torch

from diffam_core.generation import generate, latents
from diffam_core.images import encode_photo, shrink, to_pixels
from diffam_core.models import Models
from model_store.rendered.portraits import draw_portraits

FACES, SEED = 4, 900


class ContactSheet:
    """The people of a sheet, and their latents, which are found once."""

    @torch.no_grad()
    def __init__(self, models: Models) -> None:
        drawn = draw_portraits(FACES, SEED, models.view_px).to(models.device)
        self._models = models
        self._portraits = shrink(drawn, models.portrait_px)
        self._latents = latents(models, self._portraits)

    @torch.no_grad()
    def wearing(self, style: str) -> bytes:
        """A JPEG: the people side by side, and below them the same in an attached style as it is now.

        It draws no random numbers, so a training that is looked at ends as one that is not.
        """
        worn = generate(self._models, self._latents, style).clamp(-1, 1)
        rows = [np.hstack([to_pixels(portrait) for portrait in row.cpu()]) for row in (self._portraits, worn)]
        return encode_photo(np.vstack(rows), "jpeg")
