"""A made-up network with YuNet's outputs, as OpenCV wants them: whatever it is shown, it sees one face in one place."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SIDE_PX = 96
"""What OpenCV shows the network of a 72-pixel photo: the next multiple of 32."""
CELL_PX = 8


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _varint(value: int) -> bytes:
    low, rest = value & 127, value >> 7
    return bytes([low | 128]) + _varint(rest) if rest else bytes([low])


def _part(field: int, content: bytes | str) -> bytes:
    data = content.encode() if isinstance(content, str) else content
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _tensor(name: str, values: NDArray[np.float32]) -> bytes:
    dims = b"".join(_number(1, size) for size in values.shape)
    return _part(5, dims + _number(2, 1) + _part(8, name) + _part(9, values.astype("<f4").tobytes()))


def _value(field: int, name: str, shape: tuple[int, ...]) -> bytes:
    dims = b"".join(_part(1, _number(1, size)) for size in shape)
    return _part(field, _part(1, name) + _part(2, _part(1, _number(1, 1) + _part(2, dims))))


def _node(operation: str, inputs: list[str], output: str) -> bytes:
    return _part(1, b"".join(_part(1, name) for name in inputs) + _part(2, output) + _part(4, operation))


def _network(outputs: dict[str, NDArray[np.float32]]) -> bytes:
    """An ONNX file, by its protobuf fields, whose outputs do not depend on the picture: 0 * mean + constant."""
    graph = _part(2, "constant") + _node("GlobalAveragePool", ["input"], "mean") + _node("Flatten", ["mean"], "flat")
    graph += _value(11, "input", (1, 3, SIDE_PX, SIDE_PX))
    for name, values in outputs.items():
        graph += _tensor(f"{name}_0", np.zeros((3, values.size), np.float32)) + _tensor(f"{name}_1", values)
        graph += _node("Gemm", ["flat", f"{name}_0", f"{name}_1"], name) + _value(12, name, (1, values.size))
    return _number(1, 7) + _part(7, graph) + _part(8, _part(1, "") + _number(2, 11))


def write_detector(path: Path) -> Path:
    """Says: a face in the cell of row 5 and column 6 whose eyes are two cells left and right, one above."""
    outputs = {
        f"{name}_{stride}": np.zeros((SIDE_PX // stride) ** 2 * size, np.float32)
        for name, size in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10))
        for stride in (8, 16, 32)
    }
    cell = 5 * (SIDE_PX // CELL_PX) + 6
    outputs["cls_8"][cell] = outputs["obj_8"][cell] = 1
    outputs["bbox_8"][4 * cell : 4 * cell + 4] = [0, 0, np.log(5), np.log(5)]
    outputs["kps_8"][10 * cell : 10 * cell + 10] = [-2, -1, 2, -1, 0, 0, -1, 1, 1, 1]
    return write_network(path, outputs)


def write_network(path: Path, outputs: dict[str, NDArray[np.float32]]) -> Path:
    """An ONNX file whose outputs are these, whatever it is shown."""
    path.write_bytes(_network(outputs))
    return path
