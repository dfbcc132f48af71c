"""A TensorFlow.js graph run operation by operation, as it is written: slow, and knows nothing of our networks."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from model_store.published.recognisers.tfjs_file import read_tfjs


def run_graph(listing: Path, values: Path, pixels: Tensor, output: str) -> Tensor:
    """The activation called `output` for `(batch, 3, height, width)` in the network's own units."""
    nodes = {node["name"]: node for node in json.loads(listing.read_text())["modelTopology"]["node"]}
    weights = {name: torch.from_numpy(np.array(each)) for name, each in read_tfjs(listing, values).items()}
    found: dict[str, Tensor] = {}

    def of(name: str) -> Tensor:
        if name in weights:
            return weights[name]
        if name not in found:
            node = nodes[name]
            inputs = [of(each.split(":")[0]) for each in node.get("input", [])]
            found[name] = pixels if node["op"] == "Placeholder" else _run(node, inputs)
        return found[name]

    return of(output)


def _run(node: dict[str, Any], inputs: list[Tensor]) -> Tensor:
    kind = node["op"]
    if "onv2" in kind:
        return _convolved(kind, node["attr"], inputs)
    return _prelu(*inputs) if kind == "Prelu" else OPERATIONS[kind](*inputs)


def _wide(each: Tensor) -> Tensor:
    """A number per channel, beside activations."""
    return each[:, None, None] if each.ndim == 1 else each


OPERATIONS: dict[str, Callable[..., Tensor]] = {
    "Relu": functional.relu,
    "Abs": torch.abs,
    "Add": lambda x, y: x + _wide(y),
    "Sub": lambda x, y: x - _wide(y),
    "Mul": lambda x, y: x * _wide(y),
    "Minimum": torch.minimum,
    "Maximum": torch.maximum,
    "Mean": lambda x, _axes: x.mean(dim=(2, 3)),
    "Squeeze": lambda x: x.flatten(1),
    "AddV2": torch.add,
    "MaxPool": lambda x: functional.max_pool2d(x, 2),
    "Pad": lambda x, around: functional.pad(x, (0, 0, 0, 0, *(int(each) for each in around[3]))),
    "Reshape": lambda x, _shape: x.permute(0, 2, 3, 1).flatten(1),
    "Identity": lambda x: x,
}


def _convolved(kind: str, attributes: dict[str, Any], inputs: list[Tensor]) -> Tensor:
    x, kernel, *bias = inputs[:3]
    stride = int(attributes["strides"]["list"]["i"][1])
    is_deep = "epthwise" in kind
    weight = kernel.permute(2, 3, 0, 1) if is_deep else kernel.permute(3, 2, 0, 1)
    if _text(attributes["padding"]["s"]) == "SAME":
        size, side = weight.shape[-1], x.shape[-1]
        total = max(0, (-(-side // stride) - 1) * stride + size - side)
        x = functional.pad(x, (total // 2, total - total // 2) * 2)
    out = functional.conv2d(x, weight, bias[0] if bias else None, stride, groups=len(weight) if is_deep else 1)
    fused = [_text(each) for each in attributes.get("fused_ops", {}).get("list", {}).get("s", [])]
    if "Prelu" in fused:
        return _prelu(out, inputs[3])
    return functional.relu(out) if "Relu" in fused else out


def _prelu(x: Tensor, slope: Tensor) -> Tensor:
    return torch.where(x > 0, x, x * slope.permute(2, 0, 1))


def _text(encoded: str) -> str:
    return base64.b64decode(encoded).decode()
