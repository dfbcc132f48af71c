"""The frozen networks that the method works with, as one value that is handed down."""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from diffam_core.faces.crops import CropName, Points, crop, mirrored
from diffam_core.faces.detection import Detector
from diffam_core.networks.clip import Clip
from diffam_core.networks.unet import EpsModel

FalseAcceptRate = Literal["0.1", "0.01", "0.001"]


@dataclass(frozen=True)
class Recogniser:
    """A face-recognition network with its thresholds (cosine) per false accept rate, and the crop that it looks at."""

    name: str
    network: nn.Module
    input_px: int
    thresholds: dict[str, float]
    crop: CropName = "portrait"

    def embed(
        self, portraits: Float[Tensor, "batch 3 height width"], points: Points | None = None
    ) -> Float[Tensor, "batch dim"]:
        """Unit embeddings of faces in [-1, 1], differentiable.

        portraits: cut in the bundle's framing, and scaled bilinearly to the network's own input; or any square views,
        where the network has a crop of its own.  points: the landmarks in those.  Raises ValueError without them.
        """
        size = (self.input_px, self.input_px)
        if self.crop != "portrait":
            if points is None:
                raise ValueError(f"{self.name} cuts faces by five landmarks: there are none")
            portraits = crop(portraits, points, self.crop, self.input_px)
        elif portraits.shape[-2:] != size:
            portraits = functional.interpolate(portraits, size, mode="bilinear", antialias=True)
        return functional.normalize(self.network(portraits).float())

    def identify(
        self, portraits: Float[Tensor, "batch 3 height width"], points: Points | None = None
    ) -> Float[Tensor, "batch dim"]:
        """Unit embeddings of people rather than of one photo of each: means over faces and their mirror images."""
        turned = None if points is None else mirrored(points)
        return functional.normalize(self.embed(portraits, points) + self.embed(portraits.flip(-1), turned))


@dataclass(frozen=True)
class Process:
    """How deep the method inverts, in how many grid points it walks there and back, and how exactly it computes."""

    alpha_bar: Float[Tensor, " steps"]
    return_timestep: int
    invert_points: int
    denoise_points: int
    precision: Literal["float32", "bfloat16"] = "float32"


@dataclass(frozen=True)
class Models:
    """Everything the method needs, loaded, in evaluation mode and without gradients."""

    eps: EpsModel
    process: Process
    clip: Clip
    perceptual: nn.Module
    parser: nn.Module
    recognisers: dict[str, Recogniser]
    portrait_px: int
    view_px: int
    detector: Detector

    def to(self, device: str) -> "Models":
        """The same networks, moved in place to a torch device."""
        for network in (self.eps, self.clip, self.perceptual, self.parser):
            network.to(device)
        for recogniser in self.recognisers.values():
            recogniser.network.to(device)
        return replace(self, process=replace(self.process, alpha_bar=self.process.alpha_bar.to(device)))

    @property
    def device(self) -> torch.device:
        """Where the networks live."""
        return next(self.eps.parameters()).device
