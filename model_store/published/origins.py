"""Where published checkpoints keep our weights: a rule per format, from our key to theirs."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

Shape = tuple[int, ...]
HEAD_DIM = 64
"""Channels per attention head of the improved DDPM."""


@dataclass(frozen=True)
class Origin:
    """One of our weights in a checkpoint: its key and shape there, and how ours is taken out of what stands there."""

    key: str
    shape: Shape
    take: Callable[[Tensor], Tensor] = lambda weight: weight


Rule = Callable[[str, Shape], Origin]


def renamed(*pairs: tuple[str, str]) -> Rule:
    """The rule that only changes names: regular expressions and what takes their place, one after the other."""

    def rule(key: str, shape: Shape) -> Origin:
        for pattern, replacement in pairs:
            key = re.sub(pattern, replacement, key)
        return Origin(key, shape)

    return rule


arcface = renamed(
    (r"^stem", "input_layer"),
    (r"^head\.layers", "output_layer"),
    (r"^blocks", "body"),
    (r"residual\.5\.gates\.1", "residual.5.fc1"),
    (r"residual\.5\.gates\.3", "residual.5.fc2"),
    (r"residual", "res_layer"),
    (r"shortcut", "shortcut_layer"),
)
"""IR152 and IRSE50."""

diffusers = renamed((r"^unet\.", ""))
diffusers_old = renamed(
    (r"^unet\.", ""),
    (r"to_q\.", "query."),
    (r"to_k\.", "key."),
    (r"to_v\.", "value."),
    (r"to_out\.0\.", "proj_attn."),
)
"""Attention as diffusers named it before 0.15; files of that time are still what the hub serves."""

_ddpm_names = renamed(
    (r"^unet\.", ""),
    (r"^time_embedding\.linear_1", "temb.dense.0"),
    (r"^time_embedding\.linear_2", "temb.dense.1"),
    (r"^conv_norm_out", "norm_out"),
    (r"^mid_block\.resnets\.0", "mid.block_1"),
    (r"^mid_block\.resnets\.1", "mid.block_2"),
    (r"^mid_block\.attentions\.0", "mid.attn_1"),
    (r"^down_blocks", "down"),
    (r"\.resnets\.", ".block."),
    (r"\.attentions\.", ".attn."),
    (r"\.downsamplers\.0", ".downsample"),
    (r"\.upsamplers\.0", ".upsample"),
    (r"time_emb_proj", "temb_proj"),
    (r"conv_shortcut", "nin_shortcut"),
    (r"group_norm", "norm"),
    (r"to_out\.0", "proj_out"),
    (r"to_([qkv])\.", r"\1."),
)


def ddpm(key: str, shape: Shape) -> Origin:
    """The first DDPM's format: levels count from fine to coarse on the way up too, attention is 1x1 convolutions."""
    named = _ddpm_names(key, shape).key
    named = re.sub(r"^up_blocks\.(\d)", lambda found: f"up.{5 - int(found[1])}", named)
    if ".attentions." in key and len(shape) == 2:
        return Origin(named, (*shape, 1, 1), lambda weight: weight.flatten(1))
    return Origin(named, shape)


_resblock_names = renamed(
    (r"norm1", "in_layers.0"),
    (r"conv1", "in_layers.2"),
    (r"time_emb_proj", "emb_layers.1"),
    (r"norm2", "out_layers.0"),
    (r"conv2", "out_layers.3"),
    (r"conv_shortcut", "skip_connection"),
    (r"group_norm", "norm"),
    (r"to_out\.0", "proj_out"),
    (r"to_[qkv]", "qkv"),
)
_ends = renamed(
    (r"^time_embedding\.linear_1", "time_embed.0"),
    (r"^time_embedding\.linear_2", "time_embed.2"),
    (r"^conv_in", "input_blocks.0.0"),
    (r"^conv_norm_out", "out.0"),
    (r"^conv_out", "out.2"),
)
_ATTENTION_LEVELS = {"down": 4, "up": 1, "mid": 0}


def _improved_place(part: str, level: int, kind: str, index: int) -> str:
    """Where a resnet, an attention, a down- or an upsampler stands among the improved DDPM's numbered blocks."""
    if part == "mid":
        return f"middle_block.{1 if kind == 'attentions' else 2 * index}"
    if part == "down":
        return f"input_blocks.{2 * level + (2 if kind == 'downsamplers' else 1)}.{int(kind == 'attentions')}"
    if kind == "upsamplers":
        return f"output_blocks.{2 * level + 1}.{2 if level == _ATTENTION_LEVELS['up'] else 1}"
    return f"output_blocks.{2 * level + index}.{int(kind == 'attentions')}"


def improved_ddpm(key: str, shape: Shape) -> Origin:
    """The improved DDPM's format, one residual block a level: numbered blocks, q, k and v of a head side by side."""
    key = key.removeprefix("unet.")
    found = re.match(r"(down|mid|up)_block(?:s\.(\d))?\.([a-z]+)\.(\d)\.(.+)", key)
    if found is None:
        return Origin(_ends(key, shape).key, shape)
    part, level, kind, index, rest = found.groups()
    named = f"{_improved_place(part, int(level or 0), kind, int(index))}.{_resblock_names(rest, shape).key}"
    if kind != "attentions":
        return Origin(named, shape)
    tail = (1,) if len(shape) == 2 else ()
    if not rest.startswith(("to_q", "to_k", "to_v")):
        return Origin(named, (*shape, *tail), lambda weight: weight.flatten(1) if tail else weight)
    which = "qkv".index(rest[3])
    return Origin(named, (3 * shape[0], *shape[1:], *tail), lambda weight: _of_heads(weight, which))


def _of_heads(weight: Tensor, which: int) -> Tensor:
    """q, k or v `(channels, ...)` out of `(heads * 3 * HEAD_DIM, ...)`."""
    heads = weight.reshape(-1, 3, HEAD_DIM, weight[0].numel())[:, which]
    return heads.reshape(len(weight) // 3, *((-1,) if weight.ndim > 1 else ()))
