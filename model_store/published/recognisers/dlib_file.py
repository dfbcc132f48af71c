"""Reads the weights out of dlib's `dlib_face_recognition_resnet_model_v1.dat`.

dlib writes layers from the output back to the input, but their weights in one run, from the input on: each tensor is a
1, a version, four whole numbers (a length byte and that many bytes) and little-endian floats.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from torch import nn

from diffam_core.networks.released import DlibResNet
from model_store.errors import CheckpointDamaged, CheckpointUnknown
from model_store.published.recognisers.convolutions import Convolution, Weights, put

MOST_BYTES = 64 * 2**20
START = b"\x01\x02"
"""The version of a tensor, 2, as dlib writes a whole number."""
LEAST, MOST = 32, 10**7
"""Numbers in a tensor of this network."""
LARGEST = 1e4
"""What is larger is no weight: the bytes only look like a tensor."""


def read_dlib(file: Path, network: DlibResNet) -> None:
    """Put the file's weights into `network`. Raises CheckpointDamaged, CheckpointUnknown."""
    if file.stat().st_size > MOST_BYTES:
        raise CheckpointDamaged(f"it has over {MOST_BYTES} bytes: not dlib's face network")
    tensors = list(_tensors(file.read_bytes()))
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    if len(tensors) != 2 * len(convolutions) + 1:
        raise CheckpointUnknown(f"it holds {len(tensors)} tensors, {2 * len(convolutions) + 1} were expected")
    for place, convolution in enumerate(convolutions):
        numbers, affine = tensors[2 * place : 2 * place + 2]
        outputs = convolution.out_channels
        if numbers.size != convolution.weight.numel() + outputs or affine.size != 2 * outputs:
            raise CheckpointUnknown(f"convolution {place} has {numbers.size} weights and {affine.size} for its scale")
        plain = Convolution(numbers[:-outputs].reshape(convolution.weight.shape), numbers[-outputs:])
        folded = plain.scaled(affine[:outputs], affine[outputs:])
        put(convolution.weight, folded.weight, f"convolution {place}")
        put(convolution.bias, folded.bias, f"convolution {place}")
    last = tensors[-1]
    if last.size != network.embedding.weight.numel():
        raise CheckpointUnknown(f"its last layer has {last.size} weights")
    put(network.embedding.weight, last.reshape(network.embedding.weight.shape[::-1]).T, "the last layer")


def _tensors(data: bytes) -> Iterator[Weights]:
    """Every tensor of the file, in its order."""
    at = data.find(START)
    while at >= 0:
        shape, start = _shape(data, at + len(START))
        count = int(np.prod(shape, dtype=np.int64)) if shape else 0
        if LEAST <= count <= MOST and start + 4 * count <= len(data):
            numbers = np.frombuffer(data, "<f4", count, start)
            with np.errstate(invalid="ignore"):
                if np.abs(numbers).max() < LARGEST:
                    yield numbers.copy()
                    at = data.find(START, start + 4 * count)
                    continue
        at = data.find(START, at + 1)


def _shape(data: bytes, at: int) -> tuple[list[int], int]:
    """Four whole numbers and where they end; none when there are none."""
    shape = []
    for _ in range(4):
        if at >= len(data) or not 1 <= data[at] <= 8:
            return [], at
        end = at + 1 + data[at]
        shape.append(int.from_bytes(data[at + 1 : end], "little"))
        at = end
    return shape, at
