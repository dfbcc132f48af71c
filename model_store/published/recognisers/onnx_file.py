"""Reads convolutions out of an ONNX file: a chain of Conv, BatchNormalization and PRelu, perhaps a Gemm at its end.

Weights may be stored as int8 with a scale per block (`DequantizeLinear` of opset 21), which few runtimes know.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_store.errors import CheckpointDamaged, CheckpointUnknown
from model_store.published.recognisers.convolutions import Convolution, Weights, norm_factors

MOST_BYTES = 64 * 2**20
PASSED_OVER = {"Add", "Dropout", "Flatten", "Identity", "Mul", "Sub"}
"""Sums of bottlenecks, and what is done to pixels: the network's own module knows both."""


def read_onnx(file: Path) -> tuple[list[Convolution], Convolution | None]:
    """The convolutions in order, and the linear layer at the end as one of `(out, in)`.

    Raises CheckpointDamaged when it is no ONNX file or too large, CheckpointUnknown for a network of another kind.
    """
    import onnx  # here: only an import needs it
    from google.protobuf.message import DecodeError

    if file.stat().st_size > MOST_BYTES:
        raise CheckpointDamaged(f"it has over {MOST_BYTES} bytes: no face recogniser of a library")
    try:
        graph = onnx.load_model_from_string(file.read_bytes()).graph
        constants = {row.name: onnx.numpy_helper.to_array(row) for row in graph.initializer}
    except (DecodeError, ValueError, TypeError) as error:
        raise CheckpointDamaged(f"it is no ONNX file, or was cut off: {error}") from error
    chain = _Chain(constants)
    for node in graph.node:
        attributes = {row.name: onnx.helper.get_attribute_value(row) for row in node.attribute}
        try:
            chain.add(node.op_type, list(node.input), node.output[0], attributes)
        except (KeyError, IndexError, ValueError) as error:
            raise CheckpointUnknown(f"{node.op_type} {node.name!r} is not of a known network: {error}") from error
    return chain.convolutions, chain.linear


class _Chain:
    """The convolutions as they gather, node by node."""

    def __init__(self, constants: dict[str, NDArray[Any]]) -> None:
        self.constants = constants
        self.convolutions: list[Convolution] = []
        self.linear: Convolution | None = None
        self._before_linear: tuple[Weights, Weights] | None = None
        self._behind = ""
        """The output of the convolution that a batch norm may still be folded into."""

    def add(self, kind: str, inputs: list[str], output: str, attributes: Mapping[str, Any]) -> None:
        """Take in a node. Raises KeyError, ValueError."""
        if kind in ("Constant", "DequantizeLinear", "Reshape"):
            self._add_constant(kind, inputs, output, attributes)
        elif kind == "Conv":
            weight, *bias = (self._weights(name) for name in inputs[1:])
            self.convolutions.append(Convolution(weight, bias[0] if bias else np.zeros(len(weight), np.float32)))
            self._behind = output
        elif kind == "BatchNormalization":
            gamma, beta, mean, variance = (self._weights(name) for name in inputs[1:5])
            self._add_norm(
                inputs[0], output, norm_factors(gamma, beta, mean, variance, attributes.get("epsilon", 1e-5))
            )
        elif kind == "PRelu":
            last = self.convolutions[-1]
            slope = self._weights(inputs[1]).reshape(-1)
            self.convolutions[-1] = Convolution(last.weight, last.bias, slope)
            self._behind = ""
        elif kind == "Gemm":
            self._add_linear(inputs, output, attributes)
        elif kind not in PASSED_OVER:
            raise ValueError("no such operation is expected")

    def _weights(self, name: str) -> Weights:
        return np.asarray(self.constants[name], np.float32)

    def _add_constant(self, kind: str, inputs: list[str], output: str, attributes: Mapping[str, Any]) -> None:
        if kind == "Constant":
            return
        if inputs[0] not in self.constants:
            return  # the last reshape, of activations
        if kind == "Reshape":
            self.constants[output] = self.constants[inputs[0]].reshape(self.constants[inputs[1]].astype(int))
        else:
            parts = [self.constants[name] for name in inputs if name]
            self.constants[output] = dequantized(
                *parts, axis=attributes.get("axis", 1), block_size=attributes.get("block_size", 0)
            )

    def _add_norm(self, source: str, output: str, factors: tuple[Weights, Weights]) -> None:
        if self.linear is not None:
            self.linear = self.linear.scaled(*factors)
        elif source == self._behind:
            self.convolutions[-1] = self.convolutions[-1].scaled(*factors)
            self._behind = output
        else:
            self._before_linear = factors

    def _add_linear(self, inputs: list[str], output: str, attributes: Mapping[str, Any]) -> None:
        weight = self._weights(inputs[1])
        weight = weight if attributes.get("transB") else weight.T
        bias = self._weights(inputs[2]) if len(inputs) > 2 else np.zeros(len(weight), np.float32)
        if self._before_linear is not None:
            factor, shift = (np.repeat(each, weight.shape[1] // len(each)) for each in self._before_linear)
            weight, bias = weight * factor, bias + weight @ shift
        self.linear = Convolution(weight, bias)
        self._behind = output


def dequantized(
    values: NDArray[Any], scale: NDArray[Any], zero: NDArray[Any] | None = None, *, axis: int, block_size: int
) -> Weights:
    """`(values - zero) * scale`, the scale being one number, one per row of `axis`, or one per block of it."""
    offset = np.zeros_like(scale) if zero is None else zero
    numbers = []
    for part in (scale.astype(np.float32), offset.astype(np.float32)):
        if part.ndim and block_size:
            part = np.repeat(part, block_size, axis=axis)[tuple(slice(size) for size in values.shape)]
        elif part.ndim == 1 and values.ndim > 1:
            part = part.reshape([-1 if place == axis else 1 for place in range(values.ndim)])
        numbers.append(part)
    return ((values.astype(np.float32) - numbers[1]) * numbers[0]).astype(np.float32)
