"""The paper's four recognisers as plain arithmetic on the published keys; shares nothing with the code under test."""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  # as papers' appendices write it

State = dict[str, Tensor]


def batch_norm(w: State, key: str, x: Tensor, eps: float = 1e-5) -> Tensor:
    names = ("running_mean", "running_var", "weight", "bias")
    mean, var, weight, bias = (w[f"{key}.{name}"].view(1, -1, *[1] * (x.ndim - 2)) for name in names)
    return (x - mean) / torch.sqrt(var + eps) * weight + bias


def ir(w: State, x: Tensor, depths: tuple[int, ...]) -> Tensor:
    """ArcFace's IR and IR-SE (there are `fc1` and `fc2`)."""
    x = batch_norm(w, "input_layer.1", F.conv2d(x, w["input_layer.0.weight"], padding=1))
    x = F.prelu(x, w["input_layer.2.weight"])
    strides = [2 if index == 0 else 1 for depth in depths for index in range(depth)]
    for index, stride in enumerate(strides):
        key = f"body.{index}.res_layer"
        h = F.conv2d(batch_norm(w, f"{key}.0", x), w[f"{key}.1.weight"], padding=1)
        h = F.conv2d(F.prelu(h, w[f"{key}.2.weight"]), w[f"{key}.3.weight"], stride=stride, padding=1)
        h = batch_norm(w, f"{key}.4", h)
        if f"{key}.5.fc1.weight" in w:
            gate = F.relu(F.conv2d(h.mean(dim=(2, 3), keepdim=True), w[f"{key}.5.fc1.weight"]))
            h = h * torch.sigmoid(F.conv2d(gate, w[f"{key}.5.fc2.weight"]))
        short = f"body.{index}.shortcut_layer"
        if f"{short}.0.weight" in w:
            x = batch_norm(w, f"{short}.1", F.conv2d(x, w[f"{short}.0.weight"], stride=stride))
        else:
            x = x[:, :, ::stride, ::stride]
        x = x + h
    x = batch_norm(w, "output_layer.0", x).flatten(1)
    return batch_norm(w, "output_layer.4", F.linear(x, w["output_layer.3.weight"], w["output_layer.3.bias"]))


def mobile_face(w: State, x: Tensor) -> Tensor:
    """MobileFaceNet of 112 pixels and 512 dimensions."""

    def unit(key: str, x: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
        weight = w[f"{key}.conv.weight"]
        groups = x.shape[1] // weight.shape[1]
        x = batch_norm(w, f"{key}.bn", F.conv2d(x, weight, stride=stride, padding=padding, groups=groups))
        return F.prelu(x, w[f"{key}.prelu.weight"]) if f"{key}.prelu.weight" in w else x

    def bottleneck(key: str, x: Tensor, stride: int) -> Tensor:
        return unit(f"{key}.project", unit(f"{key}.conv_dw", unit(f"{key}.conv", x), stride, 1))

    x = unit("conv2_dw", unit("conv1", x, 2, 1), 1, 1)
    for level, count in (("3", 4), ("4", 6), ("5", 2)):
        x = bottleneck(f"conv_{int(level) - 1}{level}", x, 2)
        for index in range(count):
            x = x + bottleneck(f"conv_{level}.model.{index}", x, 1)
    x = unit("conv_6_dw", unit("conv_6_sep", x)).flatten(1)
    return batch_norm(w, "bn", F.linear(x, w["linear.weight"]))


def facenet(w: State, x: Tensor) -> Tensor:
    """Inception-ResNet v1 of 160 pixels, up to its embedding."""

    def unit(key: str, x: Tensor, stride: int = 1, same: bool = False) -> Tensor:
        weight = w[f"{key}.conv.weight"]
        padding = (weight.shape[2] // 2, weight.shape[3] // 2) if same else (0, 0)
        return F.relu(batch_norm(w, f"{key}.bn", F.conv2d(x, weight, stride=stride, padding=padding), 1e-3))

    def chain(key: str, x: Tensor) -> Tensor:
        index = 0
        while f"{key}.{index}.conv.weight" in w:
            x = unit(f"{key}.{index}", x, same=True)
            index += 1
        return x

    def residual(key: str, x: Tensor, scale: float) -> Tensor:
        parts = [unit(f"{key}.branch0", x), chain(f"{key}.branch1", x)]
        if f"{key}.branch2.0.conv.weight" in w:
            parts.append(chain(f"{key}.branch2", x))
        return x + scale * F.conv2d(torch.cat(parts, dim=1), w[f"{key}.conv2d.weight"], w[f"{key}.conv2d.bias"])

    def pool(x: Tensor) -> Tensor:
        return F.max_pool2d(x, 3, stride=2)

    x = unit("conv2d_2b", unit("conv2d_2a", unit("conv2d_1a", x, 2)), same=True)
    x = unit("conv2d_4b", unit("conv2d_4a", unit("conv2d_3b", pool(x))), 2)
    for index in range(5):
        x = F.relu(residual(f"repeat_1.{index}", x, 0.17))
    narrow = unit("mixed_6a.branch1.1", unit("mixed_6a.branch1.0", x), same=True)
    x = torch.cat([unit("mixed_6a.branch0", x, 2), unit("mixed_6a.branch1.2", narrow, 2), pool(x)], dim=1)
    for index in range(10):
        x = F.relu(residual(f"repeat_2.{index}", x, 0.10))
    first, second, third = (unit(f"mixed_7a.branch{index}.0", x) for index in range(3))
    third = unit("mixed_7a.branch2.2", unit("mixed_7a.branch2.1", third, same=True), 2)
    x = torch.cat([unit("mixed_7a.branch0.1", first, 2), unit("mixed_7a.branch1.1", second, 2), third, pool(x)], dim=1)
    for index in range(5):
        x = F.relu(residual(f"repeat_3.{index}", x, 0.20))
    x = residual("block8", x, 1.0).mean(dim=(2, 3))
    return batch_norm(w, "last_bn", F.linear(x, w["last_linear.weight"]), 1e-3)
