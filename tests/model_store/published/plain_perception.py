"""CLIP, LPIPS and BiSeNet as plain arithmetic on the published keys; shares nothing with the code under test."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  # as papers' appendices write it

from tests.model_store.published.plain_recognisers import batch_norm

State = dict[str, Tensor]


def _layer_norm(w: State, key: str, x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], w[f"{key}.weight"], w[f"{key}.bias"], 1e-5)


def _transformer(w: State, key: str, x: Tensor, causal: bool) -> Tensor:
    """Twelve pre-norm blocks with QuickGELU and heads of 64 on `(batch, tokens, width)`."""
    count, width = x.shape[1], x.shape[2]
    hidden = torch.full((count, count), -math.inf).triu(1) if causal else torch.zeros(count, count)
    for index in range(12):
        own = f"{key}.resblocks.{index}"
        h = F.linear(_layer_norm(w, f"{own}.ln_1", x), w[f"{own}.attn.in_proj_weight"], w[f"{own}.attn.in_proj_bias"])
        heads = [part.reshape(len(x), count, width // 64, 64).transpose(1, 2) for part in h.split(width, dim=2)]
        weights = (heads[0] @ heads[1].transpose(2, 3) / 8 + hidden).softmax(dim=3)
        h = (weights @ heads[2]).transpose(1, 2).reshape(x.shape)
        x = x + F.linear(h, w[f"{own}.attn.out_proj.weight"], w[f"{own}.attn.out_proj.bias"])
        h = F.linear(_layer_norm(w, f"{own}.ln_2", x), w[f"{own}.mlp.c_fc.weight"], w[f"{own}.mlp.c_fc.bias"])
        h = h * torch.sigmoid(1.702 * h)
        x = x + F.linear(h, w[f"{own}.mlp.c_proj.weight"], w[f"{own}.mlp.c_proj.bias"])
    return x


def clip_image(w: State, pixels: Tensor) -> Tensor:
    """The embedding, not normalised, of pictures that are normalised as CLIP's were."""
    patches = F.conv2d(pixels, w["visual.conv1.weight"], stride=w["visual.conv1.weight"].shape[-1])
    first = w["visual.class_embedding"].expand(len(pixels), 1, -1)
    x = torch.cat([first, patches.flatten(2).transpose(1, 2)], dim=1) + w["visual.positional_embedding"]
    x = _transformer(w, "visual.transformer", _layer_norm(w, "visual.ln_pre", x), causal=False)
    return _layer_norm(w, "visual.ln_post", x[:, 0]) @ w["visual.proj"]


def clip_text(w: State, tokens: Tensor) -> Tensor:
    """The embedding, not normalised, of token ids `(n, 77)`; the end of text has the largest id."""
    x = _transformer(w, "transformer", w["token_embedding.weight"][tokens] + w["positional_embedding"], causal=True)
    return _layer_norm(w, "ln_final", x)[range(len(x)), tokens.argmax(dim=1)] @ w["text_projection"]


def lpips_alex(w: State, linear: list[Tensor], a: Tensor, b: Tensor) -> Tensor:
    """LPIPS of pictures in [-1, 1] over AlexNet's five convolutions, with one weight per channel."""
    shift = torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1)
    scale = torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1)
    x = (torch.cat([a, b]) - shift) / scale
    total = torch.zeros(len(a))
    for place, (index, stride, padding) in enumerate(((0, 4, 2), (3, 1, 2), (6, 1, 1), (8, 1, 1), (10, 1, 1))):
        x = F.max_pool2d(x, 3, stride=2) if index in (3, 6) else x
        x = F.relu(F.conv2d(x, w[f"features.{index}.weight"], w[f"features.{index}.bias"], stride, padding))
        unit = x / (x.square().sum(dim=1, keepdim=True).sqrt() + 1e-10)
        apart = (unit[: len(a)] - unit[len(a) :]).square()
        total = total + (apart * linear[place].view(1, -1, 1, 1)).sum(dim=1).mean(dim=(1, 2))
    return total


def bisenet(w: State, x: Tensor) -> Tensor:
    """Class scores at the size of pictures that are normalised as ImageNet's."""

    def unit(key: str, x: Tensor) -> Tensor:
        weight = w[f"{key}.conv.weight"]
        return F.relu(batch_norm(w, f"{key}.bn", F.conv2d(x, weight, padding=weight.shape[-1] // 2)))

    def block(key: str, x: Tensor, stride: int) -> Tensor:
        h = F.relu(batch_norm(w, f"{key}.bn1", F.conv2d(x, w[f"{key}.conv1.weight"], stride=stride, padding=1)))
        h = batch_norm(w, f"{key}.bn2", F.conv2d(h, w[f"{key}.conv2.weight"], padding=1))
        if f"{key}.downsample.0.weight" in w:
            x = batch_norm(w, f"{key}.downsample.1", F.conv2d(x, w[f"{key}.downsample.0.weight"], stride=stride))
        return F.relu(x + h)

    def refine(key: str, x: Tensor) -> Tensor:
        h = unit(f"{key}.conv", x)
        gate = F.conv2d(F.adaptive_avg_pool2d(h, 1), w[f"{key}.conv_atten.weight"])
        return h * torch.sigmoid(batch_norm(w, f"{key}.bn_atten", gate))

    def to_size(x: Tensor, like: Tensor) -> Tensor:
        return F.interpolate(x, like.shape[2:], mode="nearest")

    resnet = "cp.resnet"
    h = F.conv2d(x, w[f"{resnet}.conv1.weight"], stride=2, padding=3)
    h = F.max_pool2d(F.relu(batch_norm(w, f"{resnet}.bn1", h)), 3, stride=2, padding=1)
    features = []
    for layer in range(1, 5):
        h = block(f"{resnet}.layer{layer}.1", block(f"{resnet}.layer{layer}.0", h, 1 if layer == 1 else 2), 1)
        features.append(h)
    _, eighth, sixteenth, coarsest = features
    whole = to_size(unit("cp.conv_avg", F.adaptive_avg_pool2d(coarsest, 1)), coarsest)
    coarse = unit("cp.conv_head32", to_size(refine("cp.arm32", coarsest) + whole, sixteenth))
    context = unit("cp.conv_head16", to_size(refine("cp.arm16", sixteenth) + coarse, eighth))
    fused = unit("ffm.convblk", torch.cat([eighth, context], dim=1))
    gate = F.relu(F.conv2d(F.adaptive_avg_pool2d(fused, 1), w["ffm.conv1.weight"]))
    fused = fused * torch.sigmoid(F.conv2d(gate, w["ffm.conv2.weight"])) + fused
    scores = F.conv2d(unit("conv_out.conv", fused), w["conv_out.conv_out.weight"])
    return F.interpolate(scores, x.shape[2:], mode="bilinear", align_corners=True)
