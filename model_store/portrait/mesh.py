"""MediaPipe's face mesh: 468 points on a face, the geometry of painted make-up and of the parser's masks.

Kartynnik et al., Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs (2019). A teacher of the maker
alone: nothing of it is in the bundle.
"""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.nn import functional

from diffam_core.images import Photo
from diffam_core.networks.released import Form, Layer
from model_store.published.recognisers.convolutions import Convolution, Weights, fill, put
from model_store.published.recognisers.tfjs_file import kernel_of, read_tfjs, weights_of

INPUT_PX, COUNT = 192, 468
FILES = ("facemesh.json", "facemesh.bin")
Points = NDArray[np.float64]
"""`(n, 2)`: x and y in pixels of a photo, whole numbers at the centres of pixels."""
RIGHT_CORNER, LEFT_CORNER = 33, 263
"""Outer corners of the eyes: on the left and on the right of the picture."""
_DOWN, _TIMES, _AROUND = 0.55, 3.3, 1.5
"""The first crop's middle below the eyes and its width, in eye distances; the second's width, in boxes of points."""
_FORM = Form("prelu", "tensorflow")
_STAGES = ((16, 2), (32, 3), (64, 3), (128, 3), (128, 3), (128, 3))
"""Channels and blocks; the first block of every stage but the first halves the map."""


class _Block(nn.Module):
    """A depthwise and a 1x1 convolution, added to the input, which is pooled and padded where the map is halved."""

    def __init__(self, inputs: int, outputs: int, halves: bool) -> None:
        super().__init__()
        self.halves, self.wider = halves, outputs - inputs
        self.deep = Layer(_FORM, (inputs, inputs), 3, 2 if halves else 1, is_linear=True, is_depthwise=True)
        self.point = Layer(_FORM, (inputs, outputs), is_linear=True)
        self.activation = nn.PReLU(outputs)

    def forward(self, x: Float[Tensor, "batch _ _ _"]) -> Float[Tensor, "batch _ _ _"]:
        y: Tensor = self.point(self.deep(x))
        if self.halves:
            x = functional.pad(functional.max_pool2d(x, 2), (0, 0, 0, 0, 0, self.wider))
        out: Tensor = self.activation(x + y)
        return out


class FaceMesh(nn.Module):
    """Face crops of 192 pixels, RGB in [0, 1] -> x, y and depth of 468 points, in pixels of the crop."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Layer(_FORM, (3, 16), 3, 2)
        self.blocks, inputs = nn.ModuleList(), 16
        for stage, (width, times) in enumerate(_STAGES):
            for index in range(times):
                self.blocks.append(_Block(inputs, width, halves=stage > 0 and index == 0))
                inputs = width
        self.narrow = Layer(_FORM, (128, 32))
        self.blocks_after = nn.ModuleList([_Block(32, 32, halves=False)])
        self.output = nn.Conv2d(32, 3 * COUNT, 3)

    def forward(self, x: Float[Tensor, "batch 3 192 192"]) -> Float[Tensor, "batch 468 3"]:
        x = self.stem(x)
        for layer in (*self.blocks, self.narrow, *self.blocks_after):
            x = layer(x)
        out: Tensor = self.output(x)
        return out.view(-1, COUNT, 3)


def read_mesh(folder: Path) -> FaceMesh:
    """The network with the weights of `FILES` in a folder. Raises CheckpointUnknown, CheckpointDamaged, OSError."""
    read = read_tfjs(*(folder / name for name in FILES))
    weights = {name.removeprefix("StatefulPartitionedCall/model_1/"): each for name, each in read.items()}
    network = FaceMesh()
    fill(network, list(_convolutions(weights)))
    numbers = [*range(2, 19), 20]
    for number, block in zip(numbers, [*network.blocks, *network.blocks_after], strict=True):
        put(block.get_submodule("activation").weight, _slope(weights, number), f"PReLU {number}")
    put(network.output.weight, kernel_of(weights, "conv2d_21/Conv2D/ReadVariableOp"), "the last convolution")
    put(network.output.bias, weights_of(weights, "conv2d_21/BiasAdd/ReadVariableOp"), "the last convolution's bias")
    return network.eval().requires_grad_(False)


def _convolutions(weights: dict[str, Weights]) -> Iterator[Convolution]:
    """All but the last, in order. The slopes behind a block's sum are no convolution's."""
    deep = 0
    for number in range(1, 21):
        is_alone = number in (1, 19)
        if not is_alone:
            deep += 1
            kernel = kernel_of(weights, f"depthwise_conv2d_{deep}/depthwise/ReadVariableOp")
            yield Convolution(kernel, np.zeros(len(kernel), np.float32))
        yield Convolution(
            kernel_of(weights, f"conv2d_{number}/Conv2D_weights"),
            weights_of(weights, f"conv2d_{number}/Conv2D_bn_offset"),
            _slope(weights, number) if is_alone else None,
        )


def _slope(weights: dict[str, Weights], number: int) -> Weights:
    return weights_of(weights, f"p_re_lu_{number}/Neg").reshape(-1)


@torch.no_grad()
def locate(network: FaceMesh, photo: Photo, left_eye: ArrayLike, right_eye: ArrayLike) -> Points:
    """The 468 points of the face with these eyes, in the photo's pixels.

    The first crop follows from the eyes, the second one from the points in the first; a third would change nothing.
    """
    eyes = np.array([left_eye, right_eye], np.float64)
    across = eyes[1] - eyes[0]
    down = np.array([-across[1], across[0]])
    middle, side = eyes.mean(0) + _DOWN * down, _TIMES * float(np.hypot(*across))
    points: Points = eyes
    for _ in range(2):
        transform = _transform(middle, side, across)
        points = _seen(network, photo, transform)
        low, high = points.min(0), points.max(0)
        middle, side = (low + high) / 2, _AROUND * float((high - low).max())
        across = points[LEFT_CORNER] - points[RIGHT_CORNER]
    return points


def _transform(middle: NDArray[np.float64], side: float, across: NDArray[np.float64]) -> NDArray[np.float64]:
    """From pixels of the photo to those of an upright square crop, `(2, 3)`."""
    cos, sin = across / np.hypot(*across) * (INPUT_PX / side)
    turn = np.array([[cos, sin], [-sin, cos]])
    return np.hstack([turn, (INPUT_PX / 2 - 0.5 - turn @ middle)[:, None]])


def _seen(network: FaceMesh, photo: Photo, transform: NDArray[np.float64]) -> Points:
    shrinks = float(np.hypot(*transform[:, 0])) < 0.5
    size = (INPUT_PX, INPUT_PX)
    if shrinks:  # several samples a pixel: few pixels of a large photo would be seen otherwise
        finer = transform * 4
        finer[:, 2] += 1.5
        cut = cv2.resize(cv2.warpAffine(photo, finer, (4 * INPUT_PX, 4 * INPUT_PX)), size, interpolation=cv2.INTER_AREA)
    else:
        cut = cv2.warpAffine(photo, transform, size)
    found = network(torch.from_numpy(cut).permute(2, 0, 1)[None].float() / 255)[0, :, :2].double().numpy() - 0.5
    back = cv2.invertAffineTransform(transform)
    points: Points = found @ back[:, :2].T + back[:, 2]
    return points
