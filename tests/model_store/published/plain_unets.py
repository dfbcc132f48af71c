"""DDPM's two networks as plain arithmetic on the published keys; shares nothing with the code under test."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  # as papers' appendices write it

State = dict[str, Tensor]


def conv(w: State, key: str, x: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
    return F.conv2d(x, w[f"{key}.weight"], w.get(f"{key}.bias"), stride, padding)


def linear(w: State, key: str, x: Tensor) -> Tensor:
    return F.linear(x, w[f"{key}.weight"], w.get(f"{key}.bias"))


def group_norm(w: State, key: str, x: Tensor, eps: float) -> Tensor:
    return F.group_norm(x, 32, w[f"{key}.weight"], w[f"{key}.bias"], eps)


def _larger(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def ddpm(w: State, x: Tensor, t: Tensor) -> Tensor:
    """Ho et al. 2020: widths 128 x (1, 1, 2, 2, 4, 4), two blocks a level, attention at the fifth level."""
    angles = t[:, None] * torch.exp(torch.arange(64) * (-math.log(10000) / 63))
    temb = linear(w, "temb.dense.0", torch.cat([angles.sin(), angles.cos()], dim=1))
    temb = F.silu(linear(w, "temb.dense.1", F.silu(temb)))

    def block(key: str, x: Tensor) -> Tensor:
        h = conv(w, f"{key}.conv1", F.silu(group_norm(w, f"{key}.norm1", x, 1e-6)), padding=1)
        h = h + linear(w, f"{key}.temb_proj", temb)[:, :, None, None]
        h = conv(w, f"{key}.conv2", F.silu(group_norm(w, f"{key}.norm2", h, 1e-6)), padding=1)
        return h + (conv(w, f"{key}.nin_shortcut", x) if f"{key}.nin_shortcut.weight" in w else x)

    def attention(key: str, x: Tensor) -> Tensor:
        h = group_norm(w, f"{key}.norm", x, 1e-6)
        q, k, v = (conv(w, f"{key}.{name}", h).flatten(2) for name in "qkv")
        weights = torch.einsum("bci,bcj->bij", q, k).div(math.sqrt(q.shape[1])).softmax(dim=2)
        return x + conv(w, f"{key}.proj_out", torch.einsum("bij,bcj->bci", weights, v).reshape(x.shape))

    def step(key: str, place: str, x: Tensor) -> Tensor:
        h = block(f"{key}.block.{place}", x)
        return attention(f"{key}.attn.{place}", h) if f"{key}.attn.{place}.q.weight" in w else h

    h = conv(w, "conv_in", x, padding=1)
    kept = [h]
    for level in range(6):
        for index in range(2):
            h = step(f"down.{level}", str(index), h)
            kept.append(h)
        if level < 5:
            h = conv(w, f"down.{level}.downsample.conv", F.pad(h, (0, 1, 0, 1)), stride=2)
            kept.append(h)
    h = block("mid.block_2", attention("mid.attn_1", block("mid.block_1", h)))
    for level in range(5, -1, -1):
        for index in range(3):
            h = step(f"up.{level}", str(index), torch.cat([h, kept.pop()], dim=1))
        if level > 0:
            h = conv(w, f"up.{level}.upsample.conv", _larger(h), padding=1)
    return conv(w, "conv_out", F.silu(group_norm(w, "norm_out", h, 1e-6)), padding=1)


def _heads_of_64(w: State, key: str, x: Tensor) -> Tensor:
    """Attention whose q, k and v stand side by side, head after head."""
    h = group_norm(w, f"{key}.norm", x, 1e-5).flatten(2)
    qkv = F.conv1d(h, w[f"{key}.qkv.weight"], w[f"{key}.qkv.bias"])
    heads = []
    for own in qkv.split(3 * 64, dim=1):
        q, k, v = own.split(64, dim=1)
        heads.append(v @ (q.transpose(1, 2) @ k / 8).softmax(dim=2).transpose(1, 2))
    h = F.conv1d(torch.cat(heads, dim=1), w[f"{key}.proj_out.weight"], w[f"{key}.proj_out.bias"])
    return x + h.reshape(x.shape)


def improved_ddpm(w: State, x: Tensor, t: Tensor) -> Tensor:
    """Nichol & Dhariwal 2021: scale-shift norm, and residual blocks that resample, at full width."""
    angles = t[:, None] * torch.exp(torch.arange(64) * (-math.log(10000) / 64))
    emb = F.silu(linear(w, "time_embed.0", torch.cat([angles.cos(), angles.sin()], dim=1)))
    emb = F.silu(linear(w, "time_embed.2", emb))

    def block(key: str, x: Tensor, resample: str = "") -> Tensor:
        h = F.silu(group_norm(w, f"{key}.in_layers.0", x, 1e-5))
        if resample == "down":
            x, h = F.avg_pool2d(x, 2), F.avg_pool2d(h, 2)
        elif resample == "up":
            x, h = _larger(x), _larger(h)
        h = conv(w, f"{key}.in_layers.2", h, padding=1)
        scale, shift = linear(w, f"{key}.emb_layers.1", emb)[:, :, None, None].chunk(2, dim=1)
        h = group_norm(w, f"{key}.out_layers.0", h, 1e-5) * (1 + scale) + shift
        h = conv(w, f"{key}.out_layers.3", F.silu(h), padding=1)
        return h + (conv(w, f"{key}.skip_connection", x) if f"{key}.skip_connection.weight" in w else x)

    h = conv(w, "input_blocks.0.0", x, padding=1)
    kept = [h]
    for index in range(1, 12):
        h = block(f"input_blocks.{index}.0", h, "down" if index % 2 == 0 else "")
        if index == 9:
            h = _heads_of_64(w, "input_blocks.9.1", h)
        kept.append(h)
    h = block("middle_block.2", _heads_of_64(w, "middle_block.1", block("middle_block.0", h)))
    for index in range(12):
        h = block(f"output_blocks.{index}.0", torch.cat([h, kept.pop()], dim=1))
        if index in (2, 3):
            h = _heads_of_64(w, f"output_blocks.{index}.1", h)
        if index % 2 == 1 and index < 11:
            h = block(f"output_blocks.{index}.{2 if index == 3 else 1}", h, "up")
    return conv(w, "out.2", F.silu(group_norm(w, "out.0", h, 1e-5)), padding=1)
