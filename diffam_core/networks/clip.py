"""CLIP through open_clip, at any size: OpenAI's in the published bundle, a small one in the miniature.

The libraries of networks are imported where one is built: a process that builds none starts in a third of the time.
"""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional


class Clip(nn.Module):
    """Image and text tower with unit-length outputs.

    config: `embed_dim`, `vision_cfg`, `text_cfg` (and `quick_gelu`) as open_clip names them.
    vocabulary: sorted BPE ids the text tower knows; None means all 49,408. Unknown ids become the first known one.
    mean, std: of the pixels the image tower was trained on, for images in [0, 1].
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, config: dict[str, Any], vocabulary: list[int] | None, mean: tuple[float, ...], std: tuple[float, ...]
    ) -> None:
        from open_clip import SimpleTokenizer
        from open_clip.model import CLIP

        super().__init__()
        self.model = CLIP(**config)
        self.image_px: int = config["vision_cfg"]["image_size"]
        context: int = config["text_cfg"]["context_length"]
        self.tokenizer = SimpleTokenizer(context_length=context)
        self.vocabulary = None if vocabulary is None else torch.tensor(vocabulary)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def tokens(self, texts: list[str]) -> Int[Tensor, "texts context"]:
        """Token ids; order is kept by the compact vocabulary, so end-of-text stays the largest id."""
        ids: Tensor = self.tokenizer(texts)
        if self.vocabulary is None:
            return ids
        compact = torch.searchsorted(self.vocabulary, ids).clamp(max=len(self.vocabulary) - 1)
        return torch.where(self.vocabulary[compact] == ids, compact, torch.zeros_like(compact))

    def embed_images(self, portraits: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch dim"]:
        """Unit embeddings of portraits in [-1, 1]; differentiable."""
        x = functional.interpolate(portraits, self.image_px, mode="bicubic", antialias=True)
        pixels = ((x + 1) / 2 - self.mean) / self.std
        embedding: Tensor = self.model.encode_image(pixels, normalize=True)
        return embedding

    def embed_texts(self, texts: list[str]) -> Float[Tensor, "texts dim"]:
        """Unit embeddings of captions."""
        embedding: Tensor = self.model.encode_text(self.tokens(texts).to(self.mean.device), normalize=True)
        return embedding
