"""Face-recognition networks: the four families the paper attacks and one transformer that nothing attacks.

Every network maps portraits `(batch, 3, size, size)` in [-1, 1] to embeddings `(batch, embedding_dim)`, not normalised.
Widths and depths are arguments, so that a bundle of any size names its own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from diffam_core.networks.published_recognisers import InceptionResnetV1, MobileFace
from diffam_core.networks.released import DlibResNet, Pixels, ReleasedMobileFaceNet, ReleasedMobileNet


class SqueezeExcite(nn.Module):
    """Channel gates from globally pooled features (SENet)."""

    def __init__(self, channels: int, reduction: int = 8, bias: bool = True) -> None:
        super().__init__()
        self.gates = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, channels // reduction, 1, bias=bias),
            nn.ReLU(),
            nn.Conv2d(channels // reduction, channels, 1, bias=bias),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        gated: Tensor = x * self.gates(x)
        return gated


class IRBlock(nn.Module):
    """ArcFace's improved residual block: BN-conv-PReLU-conv-BN, then `squeeze` (channels -> module) if there is one."""

    def __init__(self, inputs: int, outputs: int, stride: int, squeeze: Callable[[int], nn.Module] | None) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False),
            nn.PReLU(outputs),
            nn.Conv2d(outputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            squeeze(outputs) if squeeze else nn.Identity(),
        )
        same = inputs == outputs
        self.shortcut: nn.Module = (
            nn.MaxPool2d(1, stride)
            if same
            else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.residual(x) + self.shortcut(x)
        return out


class EmbeddingHead(nn.Module):
    """BN-dropout-flatten-linear-BN, ArcFace's "E" output."""

    def __init__(self, channels: int, side: int, embedding_dim: int, dropout: float) -> None:
        super().__init__()
        self.side = side
        self.layers = nn.Sequential(
            nn.BatchNorm2d(channels),
            nn.Dropout(dropout),
            nn.Flatten(),
            nn.Linear(channels * side * side, embedding_dim),
            nn.BatchNorm1d(embedding_dim),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layers(functional.adaptive_avg_pool2d(x, self.side))
        return out


@dataclass(frozen=True)
class IRShape:
    """How large an `IRNet` is, and how it is built.

    depths: blocks at each of `widths`.  side: of the map that the head embeds.
    reduction, squeeze_bias: of the squeeze-and-excitation; ArcFace's own has 16 and no bias.
    """

    widths: Sequence[int]
    depths: Sequence[int]
    stem_stride: int
    squeeze: bool
    embedding_dim: int = 128
    side: int = 4
    dropout: float = 0.2
    reduction: int = 8
    squeeze_bias: bool = True


class IRNet(nn.Module):
    """IR (IR152's family) or, with `squeeze`, IR-SE (IRSE50's family)."""

    def __init__(self, shape: IRShape) -> None:
        super().__init__()
        gates = partial(SqueezeExcite, reduction=shape.reduction, bias=shape.squeeze_bias) if shape.squeeze else None
        inputs = shape.widths[0]
        self.stem = nn.Sequential(
            nn.Conv2d(3, inputs, 3, shape.stem_stride, 1, bias=False), nn.BatchNorm2d(inputs), nn.PReLU(inputs)
        )
        blocks = []
        for width, depth in zip(shape.widths, shape.depths, strict=True):
            for index in range(depth):
                blocks.append(IRBlock(inputs, width, 2 if index == 0 else 1, gates))
                inputs = width
        self.blocks = nn.Sequential(*blocks)
        self.head = EmbeddingHead(inputs, shape.side, shape.embedding_dim, shape.dropout)

    def forward(self, x: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch dim"]:
        out: Tensor = self.head(self.blocks(self.stem(x)))
        return out


def _conv(inputs: int, outputs: int, kernel: int | tuple[int, int], stride: int = 1, groups: int = 1) -> nn.Sequential:
    padding = kernel // 2 if isinstance(kernel, int) else (kernel[0] // 2, kernel[1] // 2)
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.PReLU(outputs),
    )


class InceptionBlock(nn.Module):
    """Inception-ResNet's residual: parallel 1x1, 3x3 and factorised 7x7 branches, mixed and scaled."""

    def __init__(self, channels: int, branch: int, scale: float = 0.3) -> None:
        super().__init__()
        self.scale = scale
        self.narrow = _conv(channels, branch, 1)
        self.middle = nn.Sequential(_conv(channels, branch, 1), _conv(branch, branch, 3))
        self.wide = nn.Sequential(
            _conv(channels, branch, 1), _conv(branch, branch, (1, 7)), _conv(branch, branch, (7, 1))
        )
        self.mix = nn.Conv2d(3 * branch, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        branches = torch.cat([self.narrow(x), self.middle(x), self.wide(x)], dim=1)
        return functional.relu(x + self.scale * self.mix(branches))


class InceptionNet(nn.Module):
    """FaceNet's family: a small inception-resnet with global pooling."""

    def __init__(self, widths: Sequence[int], depths: Sequence[int], branch: int, embedding_dim: int = 128) -> None:
        super().__init__()
        layers: list[nn.Module] = [_conv(3, widths[0], 3, 2)]
        inputs = widths[0]
        for width, depth in zip(widths, depths, strict=True):
            layers.append(_conv(inputs, width, 3, 2))
            layers += [InceptionBlock(width, branch) for _ in range(depth)]
            inputs = width
        self.features = nn.Sequential(*layers)
        self.head = EmbeddingHead(inputs, 3, embedding_dim, 0.1)

    def forward(self, x: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch dim"]:
        out: Tensor = self.head(self.features(x))
        return out


class Bottleneck(nn.Module):
    """MobileFaceNet's inverted residual: expand, depthwise, project."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int = 2) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.is_residual = stride == 1 and inputs == outputs
        self.layers = nn.Sequential(
            _conv(inputs, hidden, 1),
            _conv(hidden, hidden, 3, stride, groups=hidden),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layers(x)
        return x + out if self.is_residual else out


class MobileFaceNet(nn.Module):
    """Depthwise bottlenecks and a global depthwise convolution (GDConv) over the last `side` x `side` map."""

    def __init__(self, widths: Sequence[int], depths: Sequence[int], side: int, embedding_dim: int = 128) -> None:
        super().__init__()
        layers: list[nn.Module] = [_conv(3, widths[0], 3, 2)]
        inputs = widths[0]
        for width, depth in zip(widths, depths, strict=True):
            for index in range(depth):
                layers.append(Bottleneck(inputs, width, 2 if index == 0 else 1))
                inputs = width
        self.features = nn.Sequential(*layers)
        self.output = nn.Sequential(
            _conv(inputs, 2 * inputs, 1),
            nn.Conv2d(2 * inputs, 2 * inputs, side, groups=2 * inputs, bias=False),
            nn.BatchNorm2d(2 * inputs),
            nn.Flatten(),
            nn.Linear(2 * inputs, embedding_dim, bias=False),
            nn.BatchNorm1d(embedding_dim),
        )

    def forward(self, x: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch dim"]:
        out: Tensor = self.output(self.features(x))
        return out


class FaceTransformer(nn.Module):
    """A hybrid vision transformer: convolutional tokens at stride 8, a pre-norm encoder, all tokens embedded."""

    def __init__(
        self, stem: Sequence[int], width: int, depth: int, heads: int, tokens: int, embedding_dim: int = 128
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            _conv(3, stem[0], 3, 2), IRBlock(stem[0], stem[1], 2, None), IRBlock(stem[1], width, 2, None)
        )
        self.position = nn.Parameter(torch.zeros(1, tokens, width))
        layer = nn.TransformerEncoderLayer(
            width, heads, 2 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.output = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 16),
            nn.Flatten(),
            nn.Linear(16 * tokens, embedding_dim),
            nn.BatchNorm1d(embedding_dim),
        )

    def forward(self, x: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch dim"]:
        tokens = self.stem(x).flatten(2).transpose(1, 2) + self.position
        out: Tensor = self.output(self.encoder(tokens))
        return out


def _of_pixels(network: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
    """The network's constructor with its pixels told as a manifest tells them."""

    def build(pixels: Mapping[str, Any], **arguments: Any) -> nn.Module:
        return network(Pixels(**pixels), **arguments)

    return build


ARCHITECTURES: dict[str, Callable[..., nn.Module]] = {
    "ir": lambda **shape: IRNet(IRShape(**shape)),
    "inception": InceptionNet,
    "mobile": MobileFaceNet,
    "transformer": FaceTransformer,
    "inception-resnet-v1": InceptionResnetV1,
    "mobile-face": MobileFace,
    "released-mobilenet": _of_pixels(ReleasedMobileNet),
    "released-mobilefacenet": _of_pixels(ReleasedMobileFaceNet),
    "dlib-resnet": _of_pixels(DlibResNet),
}
