"""Face parsing with BiSeNet over ResNet-18: 19 classes of CelebAMask-HQ, read as the regions of make-up."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from diffam_core.networks.parser import CHANNELS, DETAILS


class ConvRelu(nn.Module):
    """conv-BN-ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(x)))


class BasicBlock(nn.Module):
    """ResNet's block of two 3x3 convolutions."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module = nn.Identity()
        if inputs != outputs or stride != 1:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        return functional.relu(self.downsample(x) + out)


class Resnet18(nn.Module):
    """`(batch, 3, h, w)` -> features at 1/8, 1/16 and 1/32 of the size."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(BasicBlock(64, 64, 1), BasicBlock(64, 64, 1))
        self.layer2 = nn.Sequential(BasicBlock(64, 128, 2), BasicBlock(128, 128, 1))
        self.layer3 = nn.Sequential(BasicBlock(128, 256, 2), BasicBlock(256, 256, 1))
        self.layer4 = nn.Sequential(BasicBlock(256, 512, 2), BasicBlock(512, 512, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = functional.max_pool2d(functional.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        eighth: Tensor = self.layer2(self.layer1(x))
        sixteenth: Tensor = self.layer3(eighth)
        return eighth, sixteenth, self.layer4(sixteenth)


class AttentionRefinement(nn.Module):
    """A 3x3 convolution whose channels are gated by their own global averages."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = ConvRelu(inputs, outputs)
        self.conv_atten = nn.Conv2d(outputs, outputs, 1, bias=False)
        self.bn_atten = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        gate: Tensor = self.bn_atten(self.conv_atten(x.mean(dim=(2, 3), keepdim=True)))
        return x * gate.sigmoid()


class ContextPath(nn.Module):
    """Features at 1/8 of the size: the trunk's own, and what coarser levels say about them."""

    def __init__(self) -> None:
        super().__init__()
        self.resnet = Resnet18()
        self.arm16 = AttentionRefinement(256, 128)
        self.arm32 = AttentionRefinement(512, 128)
        self.conv_head32 = ConvRelu(128, 128)
        self.conv_head16 = ConvRelu(128, 128)
        self.conv_avg = ConvRelu(512, 128, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        eighth, sixteenth, coarsest = self.resnet(x)
        whole = self.conv_avg(coarsest.mean(dim=(2, 3), keepdim=True))
        coarse = functional.interpolate(self.arm32(coarsest) + whole, sixteenth.shape[-2:], mode="nearest")
        fine = self.arm16(sixteenth) + self.conv_head32(coarse)
        return eighth, self.conv_head16(functional.interpolate(fine, eighth.shape[-2:], mode="nearest"))


class FeatureFusion(nn.Module):
    """Both paths in one map, its channels strengthened by gates."""

    def __init__(self) -> None:
        super().__init__()
        self.convblk = ConvRelu(256, 256, 1)
        self.conv1 = nn.Conv2d(256, 64, 1, bias=False)
        self.conv2 = nn.Conv2d(64, 256, 1, bias=False)

    def forward(self, spatial: Tensor, context: Tensor) -> Tensor:
        x: Tensor = self.convblk(torch.cat([spatial, context], dim=1))
        gate: Tensor = self.conv2(functional.relu(self.conv1(x.mean(dim=(2, 3), keepdim=True))))
        return x + x * gate.sigmoid()


class Head(nn.Module):
    """Class scores of a feature map."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.conv = ConvRelu(256, 256)
        self.conv_out = nn.Conv2d(256, classes, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv_out(self.conv(x))
        return out


class BiSeNet(nn.Module):
    """Class scores `(batch, 19, h, w)` of pictures normalised as ImageNet's.

    Modules carry the names of the published state dict; the two heads that only helped its training are left out.
    """

    def __init__(self, classes: int = 19) -> None:
        super().__init__()
        self.cp = ContextPath()
        self.ffm = FeatureFusion()
        self.conv_out = Head(classes)

    def forward(self, x: Tensor) -> Tensor:
        scores = self.conv_out(self.ffm(*self.cp(x)))
        return functional.interpolate(scores, x.shape[-2:], mode="bilinear", align_corners=True)


MT_LABELS = (0, 1, 2, 3, 4, 5, 0, 11, 12, 0, 6, 8, 7, 9, 13, 0, 0, 10, 0)
"""By BiSeNet's class, the label of the make-up transfer (MT) dataset that the paper's masks use.

0 background, 1 face, 2 and 3 brows, 4 and 5 eyes, 6 nose, 7 upper lip, 8 teeth, 9 lower lip, 10 hair, 11 and 12 ears,
13 neck.
"""
LIPS, SKIN, FACE = (7, 9), (1, 6, 13), (1, 2, 3, 4, 5, 6, 7, 8, 9)
BROWS, MOUTH = (2, 3), (8,)
EYES, LIDS = (4, 5), (1, 6)
"""The boxes around the eyes are filled from face and nose, so never with eyeball or brow."""
PARSED_PX = 512
EYE_MARGIN_PX = 20
"""The boxes around the eyes reach this much further than the eyes, in parsed pixels."""
LEAST = 1e-6


class BisenetParser(nn.Module):
    """The contract of `FaceParser` with details through BiSeNet, for portraits of any size."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.network = BiSeNet()
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1), persistent=False)

    def forward(self, x: Float[Tensor, "batch 3 size size"]) -> Float[Tensor, "batch 7 size size"]:
        large = functional.interpolate(x, (PARSED_PX, PARSED_PX), mode="bilinear", antialias=True)
        classes = self.network(((large + 1) / 2 - self.mean) / self.std).softmax(dim=1)
        found = functional.interpolate(regions(classes).float(), x.shape[-2:], mode="bilinear", antialias=True)
        return found.logit(LEAST)


def _classes(labels: tuple[int, ...]) -> list[int]:
    return [index for index, label in enumerate(MT_LABELS) if label in labels]


def regions(classes: Float[Tensor, "batch 19 height width"]) -> Float[Tensor, "batch 7 height width"]:
    """Probabilities of BiSeNet's classes -> those of `CHANNELS` and `DETAILS`."""
    sums = {
        name: classes[:, _classes(own)].sum(dim=1)
        for name, own in {
            "lips": LIPS, "skin": SKIN, "face": FACE, "lids": LIDS, "brows": BROWS, "eyeballs": EYES, "mouth": MOUTH
        }.items()
    }  # fmt: skip
    likeliest = classes.argmax(dim=1)
    around = torch.stack([grown_box(likeliest == eye, EYE_MARGIN_PX) for eye in _classes(EYES)]).any(dim=0)
    found = sums | {"eyes": sums["lids"] * around}
    return torch.stack([found[name] for name in (*CHANNELS, *DETAILS)], dim=1).clamp(0, 1)


def grown_box(mask: Bool[Tensor, "batch height width"], margin_px: int) -> Bool[Tensor, "batch height width"]:
    """The box around each mask, grown on all sides as far as the picture goes; of nothing, nothing."""
    columns, rows = mask.any(dim=1), mask.any(dim=2)
    return _grown_span(rows, margin_px)[:, :, None] & _grown_span(columns, margin_px)[:, None, :]


def _grown_span(taken: Bool[Tensor, "batch places"], margin_px: int) -> Bool[Tensor, "batch places"]:
    """Whether a place lies between the first and the last taken one, or near."""
    place = torch.arange(taken.shape[1], device=taken.device)
    first = torch.where(taken, place, taken.shape[1]).amin(dim=1, keepdim=True)
    last = torch.where(taken, place, -1).amax(dim=1, keepdim=True)
    return (place >= first - margin_px) & (place <= last + margin_px) & taken.any(dim=1, keepdim=True)
