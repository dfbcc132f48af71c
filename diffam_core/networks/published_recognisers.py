"""FaceNet's and MobileFace's networks at the size they were published in.

Modules carry the names of the published state dicts, so that a checkpoint loads as it is; both map portraits in
[-1, 1] to embeddings `(batch, 512)`, not normalised. IR152 and IRSE50 are `IRNet` at full size.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

Kernel = int | tuple[int, int]


def _same(kernel: Kernel) -> Kernel:
    """The padding that keeps an odd kernel's input size."""
    return kernel // 2 if isinstance(kernel, int) else (kernel[0] // 2, kernel[1] // 2)


class BasicConv(nn.Module):
    """FaceNet's convolution: conv-BN-ReLU, with TensorFlow's eps."""

    def __init__(self, inputs: int, outputs: int, kernel: Kernel, stride: int = 1, padding: Kernel = 0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(x)))


def _chain(inputs: int, width: int, *kernels: Kernel) -> nn.Sequential:
    """A 1x1 convolution to `width` channels, then one of each kernel."""
    return nn.Sequential(
        BasicConv(inputs, width, 1), *(BasicConv(width, width, kernel, 1, _same(kernel)) for kernel in kernels)
    )


class InceptionResidual(nn.Module):
    """x + scale * mix(branches): block 35, 17 or 8 of Inception-ResNet by its branches.

    kernels: of each further branch, after its 1x1; branch 0 is that 1x1 alone.
    """

    def __init__(
        self, channels: int, width: int, kernels: tuple[tuple[Kernel, ...], ...], scale: float, is_last: bool = False
    ) -> None:
        super().__init__()
        self.scale, self.is_last = scale, is_last
        self.branch0 = BasicConv(channels, width, 1)
        self.branches = [f"branch{index + 1}" for index in range(len(kernels))]
        for name, own in zip(self.branches, kernels, strict=True):
            self.add_module(name, _chain(channels, width, *own))
        self.conv2d = nn.Conv2d((1 + len(kernels)) * width, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        branches = [self.branch0(x), *(self.get_submodule(name)(x) for name in self.branches)]
        out: Tensor = x + self.scale * self.conv2d(torch.cat(branches, dim=1))
        return out if self.is_last else functional.relu(out)


class Reduction6(nn.Module):
    """256 -> 896 channels at half the size."""

    def __init__(self) -> None:
        super().__init__()
        self.branch0 = BasicConv(256, 384, 3, 2)
        self.branch1 = nn.Sequential(BasicConv(256, 192, 1), BasicConv(192, 192, 3, 1, 1), BasicConv(192, 256, 3, 2))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.branch0(x), self.branch1(x), functional.max_pool2d(x, 3, 2)], dim=1)


class Reduction7(nn.Module):
    """896 -> 1792 channels at half the size."""

    def __init__(self) -> None:
        super().__init__()
        self.branch0 = nn.Sequential(BasicConv(896, 256, 1), BasicConv(256, 384, 3, 2))
        self.branch1 = nn.Sequential(BasicConv(896, 256, 1), BasicConv(256, 256, 3, 2))
        self.branch2 = nn.Sequential(BasicConv(896, 256, 1), BasicConv(256, 256, 3, 1, 1), BasicConv(256, 256, 3, 2))

    def forward(self, x: Tensor) -> Tensor:
        pooled = functional.max_pool2d(x, 3, 2)
        return torch.cat([self.branch0(x), self.branch1(x), self.branch2(x), pooled], dim=1)


class InceptionResnetV1(nn.Module):
    """FaceNet as trained on VGGFace2, for 160-pixel portraits; its classifier over 8,631 people is left out."""

    def __init__(self) -> None:
        super().__init__()
        self.conv2d_1a = BasicConv(3, 32, 3, 2)
        self.conv2d_2a = BasicConv(32, 32, 3)
        self.conv2d_2b = BasicConv(32, 64, 3, 1, 1)
        self.conv2d_3b = BasicConv(64, 80, 1)
        self.conv2d_4a = BasicConv(80, 192, 3)
        self.conv2d_4b = BasicConv(192, 256, 3, 2)
        wide, narrow = (((1, 7), (7, 1)),), (((1, 3), (3, 1)),)
        self.repeat_1 = nn.Sequential(*(InceptionResidual(256, 32, ((3,), (3, 3)), 0.17) for _ in range(5)))
        self.mixed_6a = Reduction6()
        self.repeat_2 = nn.Sequential(*(InceptionResidual(896, 128, wide, 0.10) for _ in range(10)))
        self.mixed_7a = Reduction7()
        self.repeat_3 = nn.Sequential(*(InceptionResidual(1792, 192, narrow, 0.20) for _ in range(5)))
        self.block8 = InceptionResidual(1792, 192, narrow, 1.0, is_last=True)
        self.last_linear = nn.Linear(1792, 512, bias=False)
        self.last_bn = nn.BatchNorm1d(512, eps=1e-3)

    def forward(self, x: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch dim"]:
        x = self.conv2d_2b(self.conv2d_2a(self.conv2d_1a(x)))
        x = self.conv2d_4b(self.conv2d_4a(self.conv2d_3b(functional.max_pool2d(x, 3, 2))))
        x = self.mixed_7a(self.repeat_2(self.mixed_6a(self.repeat_1(x))))
        x = self.block8(self.repeat_3(x))
        out: Tensor = self.last_bn(self.last_linear(functional.dropout(x.mean(dim=(2, 3)), 0.6, self.training)))
        return out


class ConvBlock(nn.Module):
    """MobileFaceNet's convolution: conv-BN, then PReLU unless it `is_linear`."""

    def __init__(self, conv: nn.Conv2d, is_linear: bool = False) -> None:
        super().__init__()
        self.conv = conv
        self.bn = nn.BatchNorm2d(conv.out_channels)
        self.prelu: nn.Module = nn.Identity() if is_linear else nn.PReLU(conv.out_channels)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.prelu(self.bn(self.conv(x)))
        return out


def _pointwise(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 1, bias=False)


def _depthwise(channels: int, kernel: int, stride: int = 1, padding: int = 0) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, kernel, stride, padding, groups=channels, bias=False)


class DepthWise(nn.Module):
    """Expand to `hidden` channels, filter each alone, project; with `residual` the input is added."""

    def __init__(self, inputs: int, outputs: int, hidden: int, stride: int = 2, residual: bool = False) -> None:
        super().__init__()
        self.residual = residual
        self.conv = ConvBlock(_pointwise(inputs, hidden))
        self.conv_dw = ConvBlock(_depthwise(hidden, 3, stride, 1))
        self.project = ConvBlock(_pointwise(hidden, outputs), is_linear=True)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.project(self.conv_dw(self.conv(x)))
        return x + out if self.residual else out


class Residuals(nn.Module):
    """Residual depthwise blocks at one size."""

    def __init__(self, channels: int, hidden: int, count: int) -> None:
        super().__init__()
        self.model = nn.Sequential(*(DepthWise(channels, channels, hidden, 1, True) for _ in range(count)))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.model(x)
        return out


class MobileFace(nn.Module):
    """MobileFaceNet with 512 dimensions, for 112-pixel portraits."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = ConvBlock(nn.Conv2d(3, 64, 3, 2, 1, bias=False))
        self.conv2_dw = ConvBlock(_depthwise(64, 3, 1, 1))
        self.conv_23, self.conv_3 = DepthWise(64, 64, 128), Residuals(64, 128, 4)
        self.conv_34, self.conv_4 = DepthWise(64, 128, 256), Residuals(128, 256, 6)
        self.conv_45, self.conv_5 = DepthWise(128, 128, 512), Residuals(128, 256, 2)
        self.conv_6_sep = ConvBlock(_pointwise(128, 512))
        self.conv_6_dw = ConvBlock(_depthwise(512, 7), is_linear=True)
        self.linear = nn.Linear(512, 512, bias=False)
        self.bn = nn.BatchNorm1d(512)

    def forward(self, x: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch dim"]:
        x = self.conv_3(self.conv_23(self.conv2_dw(self.conv1(x))))
        x = self.conv_5(self.conv_45(self.conv_4(self.conv_34(x))))
        out: Tensor = self.bn(self.linear(self.conv_6_dw(self.conv_6_sep(x)).flatten(1)))
        return out
