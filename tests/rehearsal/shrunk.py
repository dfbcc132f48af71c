"""Narrow and shallow networks for the published ones, so that a rehearsal takes seconds.

Keys follow the published pattern, containers and code are the real ones; only widths and depths are not.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from model_store.published import manifest
from model_store.published.layouts import layouts
from tests.model_store.published.random_states import random_state
from tests.rehearsal import published_files

WIDTH = 32
"""Channels of every level; the published ones have up to 512."""
CLIP = {
    "embed_dim": WIDTH,
    "vision_cfg": {"image_size": 224, "patch_size": 32, "width": 64, "layers": 1},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": WIDTH, "heads": 2, "layers": 1},
}
DEPTHS = {"ir152": [1, 1, 2, 1], "irse50": [1, 1, 1, 1]}
"""Of the recognisers that are large and can be made small: residual blocks at each of four widths."""


@contextmanager
def shrunk() -> Iterator[None]:
    """Inside, the published layouts, and bundles made of them, are small."""
    with pytest.MonkeyPatch.context() as patch:
        levels: dict[str, Any] = {"block_out_channels": [WIDTH] * 6, "layers_per_block": 1, "attention_head_dim": WIDTH}
        patch.setattr(manifest, "UNET", manifest.UNET | levels)
        patch.setattr(manifest, "CLIP", {name: row | CLIP for name, row in manifest.CLIP.items()})
        for name, depths in DEPTHS.items():
            narrow = manifest.RECOGNISERS[name]["arguments"] | {"widths": [WIDTH] * 4, "depths": depths}
            patch.setitem(manifest.RECOGNISERS, name, manifest.RECOGNISERS[name] | {"arguments": narrow})
        patch.setattr(published_files, "published_state", random_state)  # without the weights that nobody reads
        layouts.cache_clear()
        yield
    layouts.cache_clear()
