"""Recognisers that libraries ship, as differentiable modules: SFace, MobileFaceNet twice, MobileNet and dlib's ResNet.

Their files hold weights for inference: every batch norm is folded into the convolution before it. Each network maps
crops in [-1, 1], RGB, at its own size to embeddings `(batch, dim)`, not normalised.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

Padding = Literal["even", "tensorflow"]
"""At stride 2 TensorFlow pads below and to the right alone."""


class Pixels(nn.Module):
    """From RGB in [-1, 1] to what a network was trained on: `(x - mean) / divisor` of 0 to 255, RGB or BGR."""

    mean: Tensor

    def __init__(self, mean: Sequence[float], divisor: float, is_bgr: bool = False) -> None:
        super().__init__()
        self.divisor, self.is_bgr = divisor, is_bgr
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)

    def forward(self, x: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 3 height width"]:
        pixels = (x + 1) * 127.5
        return ((pixels.flip(1) if self.is_bgr else pixels) - self.mean) / self.divisor


@dataclass(frozen=True)
class Form:
    """What all layers of a network have in common."""

    activation: Literal["prelu", "relu6"]
    padding: Padding


class Layer(nn.Module):
    """A convolution with its bias, padded to keep the size at stride 1 unless `is_valid`, and its activation."""

    def __init__(
        self, form: Form, channels: tuple[int, int], kernel: int = 1, stride: int = 1, *,
        is_linear: bool = False, is_depthwise: bool = False, is_valid: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        inputs, outputs = channels
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, groups=inputs if is_depthwise else 1)
        around = 0 if is_valid else kernel // 2
        before = 0 if form.padding == "tensorflow" and stride == 2 and not is_valid else around
        self.around = (before, around, before, around)
        self.activation: nn.Module = nn.Identity()
        if not is_linear:
            self.activation = nn.PReLU(outputs) if form.activation == "prelu" else nn.ReLU6()

    def forward(self, x: Float[Tensor, "batch _ _ _"]) -> Float[Tensor, "batch _ _ _"]:
        out: Tensor = self.activation(self.conv(functional.pad(x, self.around)))
        return out


def layers_of(network: nn.Module) -> list[Layer]:
    """The layers in the order in which they act."""
    return [module for module in network.modules() if isinstance(module, Layer)]


class Residual(nn.Module):
    """MobileFaceNet's bottleneck: expand, depthwise, project; added to its input where the shapes agree."""

    def __init__(self, form: Form, channels: tuple[int, int], hidden: int, stride: int) -> None:
        super().__init__()
        inputs, outputs = channels
        self.is_added = stride == 1 and inputs == outputs
        self.layers = nn.Sequential(
            Layer(form, (inputs, hidden)),
            Layer(form, (hidden, hidden), 3, stride, is_depthwise=True),
            Layer(form, (hidden, outputs), is_linear=True),
        )

    def forward(self, x: Float[Tensor, "batch _ _ _"]) -> Float[Tensor, "batch _ _ _"]:
        out: Tensor = self.layers(x)
        return x + out if self.is_added else out


def _residuals(form: Form) -> Iterator[nn.Module]:
    """MobileFaceNet's body at 64 channels and stride 2 already (Chen et al. 2018, table 1)."""
    inputs = 64
    for outputs, hidden, stride, times in ((64, 128, 2, 5), (128, 256, 2, 7), (128, 512, 2, 1), (128, 256, 1, 2)):
        for index in range(times):
            yield Residual(form, (inputs, outputs), hidden, stride if index == 0 else 1)
            inputs = outputs


class ReleasedMobileFaceNet(nn.Module):
    """MobileFaceNet (Chen et al. 2018) at its published size, crops of 112 pixels.

    has_linear_stem, has_linear_head: one more 1x1 convolution after the stem, and one before the last.
    """

    def __init__(
        self, pixels: Pixels, embedding_dim: int, padding: Padding, has_linear_stem: bool,
        has_linear_head: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        form = Form("prelu", padding)
        stem = [Layer(form, (3, 64), 3, 2), Layer(form, (64, 64), 3, is_depthwise=True)]
        if has_linear_stem:
            stem.append(Layer(form, (64, 64), is_linear=True))
        head = [Layer(form, (128, 512)), Layer(form, (512, 512), 7, is_linear=True, is_depthwise=True, is_valid=True)]
        if has_linear_head:
            head.append(Layer(form, (512, 512), is_linear=True))
        head.append(Layer(form, (512, embedding_dim), is_linear=True))
        self.layers = nn.Sequential(pixels, *stem, *_residuals(form), *head)

    def forward(self, x: Float[Tensor, "batch 3 112 112"]) -> Float[Tensor, "batch dim"]:
        out: Tensor = self.layers(x)
        return out.flatten(1)


class ReleasedMobileNet(nn.Module):
    """MobileNet (Howard et al. 2017) as SFace and HSE's face networks use it: pairs of depthwise and 1x1 layers.

    stem_stride: 1 for crops of 112 pixels.  strides: of the thirteen pairs.
    embedding_dim: of a linear layer over the last map of `side` x `side`; without it the map's mean is the embedding.
    """

    WIDTHS = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)

    def __init__(
        self, pixels: Pixels, activation: Literal["prelu", "relu6"], padding: Padding, stem_stride: int,
        embedding_dim: int | None = None, side: int = 7,
    ) -> None:  # fmt: skip
        super().__init__()
        form = Form(activation, padding)
        layers: list[nn.Module] = [pixels, Layer(form, (3, 32), 3, stem_stride)]
        inputs = 32
        for outputs in self.WIDTHS:
            stride = 2 if outputs > inputs and inputs > 32 else 1
            layers += [Layer(form, (inputs, inputs), 3, stride, is_depthwise=True), Layer(form, (inputs, outputs))]
            inputs = outputs
        self.layers = nn.Sequential(*layers)
        self.embedding = None if embedding_dim is None else nn.Linear(inputs * side * side, embedding_dim)

    def forward(self, x: Float[Tensor, "batch 3 size size"]) -> Float[Tensor, "batch dim"]:
        features: Tensor = self.layers(x)
        if self.embedding is None:
            return features.mean(dim=(2, 3))
        out: Tensor = self.embedding(features.flatten(1))
        return out


class _DlibBlock(nn.Module):
    """dlib's residual block; one that shrinks averages its input and fills new channels with zeros."""

    def __init__(self, channels: tuple[int, int], shrinks: bool) -> None:
        super().__init__()
        inputs, outputs = channels
        self.shrinks = shrinks
        self.conv1 = nn.Conv2d(inputs, outputs, 3, 2 if shrinks else 1, 0 if shrinks else 1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1)

    def forward(self, x: Float[Tensor, "batch _ _ _"]) -> Float[Tensor, "batch _ _ _"]:
        y: Tensor = self.conv2(functional.relu(self.conv1(x)))
        if self.shrinks:
            x = functional.avg_pool2d(x, 2, 2)
            deep = y.shape[1] - x.shape[1]
            high, wide = (max(a, b) for a, b in zip(x.shape[2:], y.shape[2:], strict=True))
            x = functional.pad(x, (0, wide - x.shape[3], 0, high - x.shape[2], 0, deep))
            y = functional.pad(y, (0, wide - y.shape[3], 0, high - y.shape[2]))
        return functional.relu(x + y)


class DlibResNet(nn.Module):
    """dlib's face network (King 2017), 29 convolutions, crops of 150 pixels; what `face_recognition` runs."""

    BLOCKS = ((32, 3), (64, 4), (128, 3), (256, 3), (256, 1))
    """Width and blocks of each stage; the first block of every stage but the first shrinks."""

    def __init__(self, pixels: Pixels) -> None:
        super().__init__()
        self.pixels = pixels
        self.stem = nn.Conv2d(3, 32, 7, 2)
        blocks, inputs = [], 32
        for stage, (width, times) in enumerate(self.BLOCKS):
            for index in range(times):
                blocks.append(_DlibBlock((inputs, width), shrinks=stage > 0 and index == 0))
                inputs = width
        self.blocks = nn.Sequential(*blocks)
        self.embedding = nn.Linear(inputs, 128, bias=False)

    def forward(self, x: Float[Tensor, "batch 3 150 150"]) -> Float[Tensor, "batch 128"]:
        features = functional.max_pool2d(functional.relu(self.stem(self.pixels(x))), 3, 2)
        out: Tensor = self.embedding(self.blocks(features).mean(dim=(2, 3)))
        return out
