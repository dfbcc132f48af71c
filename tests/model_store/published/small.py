"""Published files in small: the real formats and containers, with a few weights instead of millions."""

import io
import warnings
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from model_store.published import manifest
from model_store.published.importing import import_checkpoints
from model_store.published.layouts import Layout, recognise
from model_store.published.origins import Origin

KEYS = 4
NAMES = {
    "celeba_hq_ddpm": "celeba_hq.ckpt", "makeup_improved_ddpm": "makeup.pt", "clip_vit_b16": "ViT-B-16.pt",
    "clip_vit_b32": "ViT-B-32.pt",
    "alexnet": "alexnet-owt-7be5be79.pth", "bisenet": "79999_iter.pth", "ir152": "ir152.pth", "irse50": "irse50.pth",
    "facenet": "facenet.pth", "mobile_face": "mobile_face.pth",
}  # fmt: skip
RECOGNISERS = tuple(manifest.RECOGNISERS)


def layout(name: str) -> Layout:
    """A layout of four weights, `net.weightN` in the file and `own.weightN` in ours."""
    shapes = {f"{name}.weight{index}": (index + 1, 3) for index in range(KEYS)}
    origins = {f"own.{key.partition('.')[2]}": Origin(key, shape) for key, shape in shapes.items()}
    return Layout(name, shapes, {}, origins)


RECOGNISE = partial(recognise, known=[layout(name) for name in manifest.FILES.keys() | manifest.CLIP.keys()])
bundle_of = partial(import_checkpoints, recognise=RECOGNISE)


def everything(place: Path) -> list[str]:
    """All paths on a bundle's shelf."""
    return sorted(str(path.relative_to(place.parent)) for path in place.parent.rglob("*"))


def state(name: str, seed: int = 0) -> dict[str, Tensor]:
    """Weights of a layout, as published: CLIP's are halves."""
    generator = torch.Generator().manual_seed(seed)
    weights = {key: torch.randn(shape, generator=generator) for key, shape in layout(name).shapes.items()}
    return {key: value.half() for key, value in weights.items()} if name.startswith("clip") else weights


class Scripted(nn.Module):
    """Something with weights that TorchScript can keep."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        super().__init__()
        for key, value in weights.items():
            self.register_parameter(key, nn.Parameter(value, requires_grad=False))

    def forward(self, x: Tensor) -> Tensor:
        return x


def save_torchscript(weights: dict[str, Tensor], path: Path) -> None:
    """As OpenAI publishes CLIP."""
    (name,) = {key.partition(".")[0] for key in weights}
    module = nn.Module()
    module.add_module(name, Scripted({key.partition(".")[2]: value for key, value in weights.items()}))
    with warnings.catch_warnings():  # torch would like them to be something else
        warnings.filterwarnings("ignore", message=r".*torch\.jit")
        torch.jit.save(torch.jit.script(module), path)


def write(name: str, folder: Path, seed: int = 0) -> Path:
    """A published checkpoint in the container it is published in."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAMES[name]
    if name.startswith("clip"):
        save_torchscript(state(name, seed), path)
    elif name in ("ir152", "irse50"):
        torch.save(state(name, seed), path, _use_new_zipfile_serialization=False)
    elif name == "facenet":
        torch.save({"state_dict": {f"module.{key}": value for key, value in state(name, seed).items()}}, path)
    else:
        torch.save(state(name, seed), path)
    return path


def picture(seed: int, side: int = 48) -> bytes:
    """An encoded RGB picture."""
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    return encoded(pixels)


def labels(side: int = 48) -> np.ndarray:
    """A face of the make-up transfer dataset's labels, one eye at the picture's border."""
    face = np.ones((side, side), np.uint8)
    face[10:14, 0:6], face[10:14, 30:36] = 4, 5
    face[24:26, 20:28], face[26:27, 20:28], face[27:29, 20:28] = 7, 8, 9
    return face


def encoded(pixels: np.ndarray) -> bytes:
    """A PNG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def assets(path: Path, recognisers: tuple[str, ...] = RECOGNISERS, without: str = "") -> Path:
    """The authors' assets.zip; `without` leaves members out whose path ends like this."""
    path.parent.mkdir(parents=True, exist_ok=True)
    members = {
        "assets/datasets/pairs/XMY-060_m.png": picture(1), "assets/datasets/pairs/XMY-060_nm.png": picture(2),
        "assets/datasets/pairs/XMY-060_mask.png": encoded(labels()),
        "assets/datasets/target/005869.jpg": picture(3), "assets/datasets/test/008793.jpg": picture(4),
        "assets/datasets/target/169284.jpg": picture(5), "assets/datasets/test/166607.jpg": picture(6),
        "assets/datasets/MT-dataset/images/makeup/vHX44.png": picture(7),
        "__MACOSX/assets/models/._ir152.pth": b"a Mac's note",
    }  # fmt: skip
    for name in recognisers:
        members[f"assets/models/{NAMES[name]}"] = write(name, path.parent / "unpacked").read_bytes()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            if not (without and name.endswith(without)):
                archive.writestr(name, data)
    return path


def downloads(folder: Path, without: str = "") -> Path:
    """A folder with everything that a bundle needs."""
    for name in ("celeba_hq_ddpm", "clip_vit_b16", "alexnet", "bisenet"):
        if name != without:
            write(name, folder)
    archive = assets(folder.parent / "making" / "assets.zip")
    archive.replace(folder / "assets.zip")
    return folder
