"""Each published layout loads strictly and computes what plain arithmetic on the published keys computes."""

import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import lpips
import pytest
import tomli_w
import torch
from torch import Tensor, nn
from torch.nn import functional

from diffam_core.networks.bisenet import BisenetParser
from diffam_core.networks.clip import Clip
from diffam_core.networks.perceptual import build_perceptual
from diffam_core.networks.recognisers import ARCHITECTURES
from diffam_core.networks.unet import EpsModel
from model_store.published import manifest
from tests.model_store.published import plain_perception, plain_recognisers, plain_unets
from tests.model_store.published.random_states import layout, random_state

TIMESTEPS = torch.tensor([0, 37, 60, 999])
OF_UNIT = 512**0.5
"""Brings the components of unit embeddings to about 1."""


def _loaded(network: nn.Module, name: str, state: dict[str, Tensor]) -> nn.Module:
    network.load_state_dict(layout(name).convert(state), strict=True)
    return network.eval().requires_grad_(False)


def _pictures(count: int, size: int) -> Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(1)) * 2 - 1


def _assert_same(ours: Tensor, plain: Tensor) -> None:
    """Equal within 1e-4, and no wonder: the outputs are finite and tell different inputs apart."""
    assert ours.shape == plain.shape
    assert float((plain[0] - plain[1]).abs().mean()) > 0.02
    assert float((ours - plain).abs().max()) <= 1e-4


@torch.no_grad()
@pytest.mark.parametrize(
    ("name", "config", "plain"),
    [
        ("celeba_hq_ddpm", manifest.UNET, plain_unets.ddpm),
        ("makeup_improved_ddpm", manifest.REMOVAL_UNET, plain_unets.improved_ddpm),
    ],
)
def test_the_noise_predictors_at_full_width_are_the_published_ones(
    name: str, config: dict[str, object], plain: Callable[[dict[str, Tensor], Tensor, Tensor], Tensor]
) -> None:
    state, x_t = random_state(layout(name)), torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    eps = _loaded(EpsModel(1, config), name, state)(x_t, TIMESTEPS)
    assert eps.shape == x_t.shape
    _assert_same(eps, plain(state, x_t, TIMESTEPS.float())[:, :3])


@torch.no_grad()
@pytest.mark.parametrize("name", ["celeba_hq_diffusers", "celeba_hq_diffusers_old"])
def test_a_checkpoint_in_diffusers_own_format_becomes_the_same_network(name: str) -> None:
    first = layout("celeba_hq_ddpm")
    state = random_state(first)
    wanted = first.convert(state)
    again = {origin.key: wanted[key] for key, origin in layout(name).origins.items()}
    assert all(torch.equal(value, wanted[key]) for key, value in layout(name).convert(again).items())


@torch.no_grad()
@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("ir152", partial(plain_recognisers.ir, depths=(3, 8, 36, 3))),
        ("irse50", partial(plain_recognisers.ir, depths=(3, 4, 14, 3))),
        ("facenet", plain_recognisers.facenet),
        ("mobile_face", plain_recognisers.mobile_face),
    ],
)
def test_the_recognisers_are_the_published_ones(
    name: str, plain: Callable[[dict[str, Tensor], Tensor], Tensor]
) -> None:
    row, state = manifest.RECOGNISERS[name], random_state(layout(name))
    portraits = _pictures(2, row["input_px"])
    network = _loaded(ARCHITECTURES[row["kind"]](**row["arguments"]), name, state)
    ours = network(portraits)
    assert ours.shape == (2, 512)
    _assert_same(ours, plain(state, portraits))


@torch.no_grad()
@pytest.mark.parametrize("name", ["clip_vit_b16", "clip_vit_b32"])
def test_clip_is_openais_in_pictures_and_words(name: str) -> None:
    state = random_state(layout(name)) | {"vocab_size": torch.tensor(49408)}
    clip = Clip(manifest.CLIP[name], None, tuple(manifest.CLIP_MEAN), tuple(manifest.CLIP_STD))
    _loaded(clip, name, state)
    portraits = _pictures(2, 224)
    mean, std = (torch.tensor(row).view(1, 3, 1, 1) for row in (manifest.CLIP_MEAN, manifest.CLIP_STD))
    seen = plain_perception.clip_image(state, ((portraits + 1) / 2 - mean) / std)
    _assert_same(clip.embed_images(portraits) * OF_UNIT, functional.normalize(seen) * OF_UNIT)
    texts = ["face with makeup", "a face"]
    said = plain_perception.clip_text(state, clip.tokens(texts))
    _assert_same(clip.embed_texts(texts) * OF_UNIT, functional.normalize(said) * OF_UNIT)


@torch.no_grad()
def test_lpips_weighs_alexnet_with_its_packages_own_calibration() -> None:
    state = random_state(layout("alexnet"))
    perceptual = _loaded(build_perceptual("alex", calibrated=True), "alexnet", state)
    file = Path(lpips.__file__).parent / "weights/v0.1/alex.pth"
    linear = list(torch.load(file, map_location="cpu", weights_only=True).values())
    a, b = _pictures(2, 64), _pictures(4, 64)[2:] * torch.tensor([0.1, 1.0]).view(2, 1, 1, 1)
    _assert_same(perceptual(a, b).flatten(), plain_perception.lpips_alex(state, linear, a, b))


@torch.no_grad()
def test_the_face_parser_is_bisenet_on_pictures_normalised_as_imagenets() -> None:
    state, size = random_state(layout("bisenet")), 96
    parser = BisenetParser()
    _loaded(parser, "bisenet", state)
    pictures = _pictures(2, size)
    _assert_same(parser.network(pictures), plain_perception.bisenet(state, pictures))
    portraits = _pictures(1, 512)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    classes = plain_perception.bisenet(state, ((portraits + 1) / 2 - mean) / std).softmax(dim=1)
    lips = classes[:, 12] + classes[:, 13]
    assert float((parser(portraits)[:, 0].sigmoid() - lips).abs().max()) <= 1e-4


def test_the_rows_of_a_manifest_survive_the_file_and_name_only_what_is_there() -> None:
    files = {"unet.safetensors", "perceptual.safetensors", "parser.safetensors", "clip_vit_b16.safetensors"}
    two = {"ir152.safetensors", "mobile_face.safetensors"}
    rows = manifest.network_rows(files | two)
    assert tomllib.loads(tomli_w.dumps(rows)) == rows
    assert list(rows["recognisers"]) == ["ir152", "mobile_face"]
    assert rows["clip"]["config"] == manifest.CLIP["clip_vit_b16"]
    assert "removal_unet" not in rows
    assert "removal_unet" in manifest.network_rows(files | two | {"removal_unet.safetensors"})
    with pytest.raises(ValueError, match="irse50"):
        manifest.network_rows(files | {"ir152.safetensors"})
