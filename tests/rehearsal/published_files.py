"""Files of the published kinds and sizes: every key and shape in its own container, with random values.

What cannot be downloaded here is rehearsed with these: the code that pulls, converts and runs
cannot tell the difference.
"""

import io
import warnings
import zipfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from model_store.catalog import BUNDLES
from model_store.published.layouts import Layout
from tests.model_store.published.random_states import layout, random_state

HALVES = ("attn.", "mlp.", "proj", "conv1")
"""What OpenAI stores as fp16; norms, embeddings and the scale are fp32."""
LOOKS = {"rose": "XMY-060", "ember": "XYH-045"}
TARGETS = {"aurora": ("005869", "008793"), "bruno": ("085807", "047073")}


def published_state(kind: Layout, seed: int = 0) -> dict[str, Tensor]:
    """Random weights for every key of the published file, those that we drop included."""
    extra = {key: torch.full(shape, 0.01) for key, shape in kind.dropped.items()}
    return random_state(kind, seed) | extra


def write_pickle(name: str, path: Path, seed: int = 0) -> Path:
    """A checkpoint as `torch.save` writes it."""
    torch.save(published_state(layout(name), seed), path)
    return path


def write_clip(path: Path) -> Path:
    """A TorchScript archive, as OpenAI publishes CLIP."""
    root = nn.Module()
    for key, value in published_state(layout("clip_vit_b16")).items():
        if not value.shape and key != "logit_scale":
            root.register_buffer(key, torch.tensor(77))
            continue
        stored = value.half() if any(part in key for part in HALVES) else value
        parts = key.split(".")
        module = root
        for part, after in pairwise(parts):
            if not hasattr(module, part):
                module.add_module(part, nn.ModuleList() if after.isdigit() else nn.Module())
            module = getattr(module, part)
        module.register_parameter(parts[-1], nn.Parameter(stored, requires_grad=False))
    with warnings.catch_warnings():  # torch would like archives to be something else by now
        warnings.filterwarnings("ignore", message=r".*torch\.jit")
        torch.jit.save(torch.jit.script(root), path)
    return path


def _jpeg(path: Path) -> bytes:
    buffer = io.BytesIO()
    Image.open(path).convert("RGB").save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def _labels(folder: Path) -> bytes:
    """A look's masks as labels of the make-up transfer dataset: face 1, eyes 4 and 5, lips 7."""
    masks = {name: np.array(Image.open(folder / f"{name}.png").convert("L")) > 127 for name in ("lips", "eyes", "face")}
    left = np.arange(masks["face"].shape[1]) < masks["face"].shape[1] // 2
    labels = masks["face"].astype(np.uint8)
    labels[masks["eyes"] & left], labels[masks["eyes"] & ~left], labels[masks["lips"]] = 4, 5, 7
    buffer = io.BytesIO()
    Image.fromarray(labels).save(buffer, "PNG")
    return buffer.getvalue()


def write_assets(path: Path) -> Path:
    """The authors' assets.zip: four recognisers, looks with masks, targets; the pictures are the miniature's."""
    mini = BUNDLES / "mini"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name in ("ir152", "irse50", "facenet", "mobile_face"):
            buffer = io.BytesIO()
            torch.save(published_state(layout(name)), buffer)
            archive.writestr(f"assets/models/{name}.pth", buffer.getvalue())
        for look, published in LOOKS.items():
            folder = mini / "references" / look
            archive.writestr(f"assets/datasets/pairs/{published}_m.png", (folder / "look.png").read_bytes())
            archive.writestr(f"assets/datasets/pairs/{published}_nm.png", (folder / "bare.png").read_bytes())
            archive.writestr(f"assets/datasets/pairs/{published}_mask.png", _labels(folder))
        for target, (aim, test) in TARGETS.items():
            archive.writestr(f"assets/datasets/target/{aim}.jpg", _jpeg(mini / f"targets/{target}_0.png"))
            archive.writestr(f"assets/datasets/test/{test}.jpg", _jpeg(mini / f"targets/{target}_1.png"))
    return path


SERVED: dict[str, Callable[[Path], Path]] = {
    "celeba_hq.ckpt": lambda path: write_pickle("celeba_hq_ddpm", path),
    "ViT-B-16.pt": write_clip,
    "alexnet-owt-7be5be79.pth": lambda path: write_pickle("alexnet", path),
}
BY_HAND: dict[str, Callable[[Path], Path]] = {
    "79999_iter.pth": lambda path: write_pickle("bisenet", path),
    "assets.zip": write_assets,
}
"""What can be fetched, and what people fetch themselves."""
