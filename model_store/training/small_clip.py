"""A small CLIP that makers of bundles train by themselves: it knows the words of its captions and no others."""

from collections.abc import Iterable

import torch
from open_clip import SimpleTokenizer

from diffam_core.networks.clip import Clip

CLIP_MEAN = CLIP_STD = (0.5, 0.5, 0.5)
CONTEXT = 16
"""The longest caption, in BPE ids."""


def vocabulary_of(captions: list[str]) -> list[int]:
    """The BPE ids of every caption, sorted; padding and the end markers included."""
    return sorted(set(SimpleTokenizer(context_length=CONTEXT)(captions).flatten().tolist()))


def clip_config(vision: dict[str, object], words: int) -> dict[str, object]:
    """A small CLIP with this image tower, whose text tower knows so many BPE ids."""
    text = {"context_length": CONTEXT, "vocab_size": words, "width": 64, "heads": 2, "layers": 2}
    return {"embed_dim": 96, "vision_cfg": vision, "text_cfg": text}


def build_clip(captions: Iterable[str], vision: dict[str, object], seed: int) -> Clip:
    """An untrained small CLIP that knows the words of `captions`."""
    torch.manual_seed(seed)
    vocabulary = vocabulary_of(list(captions))
    return Clip(clip_config(vision, len(vocabulary)), vocabulary, CLIP_MEAN, CLIP_STD)
