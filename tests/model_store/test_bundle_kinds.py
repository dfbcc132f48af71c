"""What a manifest may name beside the miniature's own kinds: another parser, framing, detector or remover."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
import torch
from safetensors.torch import save_file

from diffam_core.faces.face import portrait_transform
from diffam_core.faces.framing import Framing
from diffam_core.networks.bisenet import BisenetParser
from diffam_core.networks.unet import EpsModel
from diffam_core.removal import REMOVAL, REMOVAL_BASE, remove_makeup
from diffam_core.styles import add_full_style, has_style
from model_store.bundle import Bundle, Prompts, attach_removal_base, open_bundle
from model_store.catalog import BUNDLES, read_manifest
from model_store.errors import BundleDamaged
from model_store.rendered.scenes import demo_scene

SIGMA_UNET = {
    "sample_size": 64,
    "in_channels": 3,
    "out_channels": 6,
    "layers_per_block": 1,
    "block_out_channels": [32, 32],
    "down_block_types": ["ResnetDownsampleBlock2D", "AttnDownBlock2D"],
    "up_block_types": ["AttnUpBlock2D", "ResnetUpsampleBlock2D"],
    "resnet_time_scale_shift": "scale_shift",
}
"""A small improved DDPM: another form than the miniature's own UNet, and it learns sigma."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BUNDLES / "mini", tmp_path / "mini"))


def _open(folder: Path, **rows: Any) -> Bundle:
    """The bundle with these rows in its manifest; without styles and looks, which take their time to load."""
    manifest = read_manifest(folder) | {"styles": [], "references": []} | rows
    (folder / "bundle.toml").write_text(
        tomli_w.dumps({key: row for key, row in manifest.items() if row is not None}), encoding="utf-8"
    )
    return open_bundle(folder)


def _write_network(folder: Path, name: str, seed: int) -> EpsModel:
    torch.manual_seed(seed)
    network = EpsModel(1, SIGMA_UNET)
    save_file(network.state_dict(), folder / name)
    return network


def test_the_miniature_keeps_its_framing_and_another_bundle_names_its_own(folder: Path) -> None:
    portrait = read_manifest(folder)["portrait"]
    assert _open(folder).models.detector.framing == Framing((0.5, 0.46), 0.28)
    framed = portrait | {"eye_middle": [0.5, 0.47], "eye_distance": 0.25}
    assert _open(folder, portrait=framed).models.detector.framing == Framing((0.5, 0.47), 0.25)


def test_a_portrait_has_its_eyes_where_the_framing_of_its_bundle_wants_them(folder: Path) -> None:
    framed = read_manifest(folder)["portrait"] | {"eye_middle": [0.5, 0.6], "eye_distance": 0.2}
    face = _open(folder, portrait=framed).models.detector.largest(np.array(demo_scene(seed=0, size=768)))
    eyes = np.array([[*face.left_eye, 1.0], [*face.right_eye, 1.0]])
    placed = eyes @ portrait_transform(face, 100).T
    assert placed.tolist() == [pytest.approx([39.5, 59.5]), pytest.approx([59.5, 59.5])]


@torch.inference_mode()
def test_a_bundle_may_bring_bisenet_as_its_parser(folder: Path) -> None:
    save_file(BisenetParser().state_dict(), folder / "bisenet.safetensors")
    models = _open(folder, parser={"kind": "bisenet", "file": "bisenet.safetensors"}).models
    assert models.parser(torch.zeros(1, 3, 64, 64)).shape == (1, 7, 64, 64)


@pytest.mark.parametrize(
    "rows",
    [
        {"parser": {"kind": "oracle", "file": "parser.safetensors"}},
        {"detector": {"kind": "oracle"}},
        {"detector": {"kind": "yunet", "file": "unet.safetensors"}},
    ],
)
def test_a_kind_nobody_knows_or_a_file_of_another_kind_is_a_damaged_bundle(folder: Path, rows: dict[str, Any]) -> None:
    with pytest.raises(BundleDamaged, match=r"oracle|not a face detector"):
        _open(folder, **rows)


def test_a_bundle_that_says_no_prompts_asks_in_the_papers_words_and_one_that_says_nothing_at_all_is_damaged(
    folder: Path,
) -> None:
    clip = read_manifest(folder)["clip"]
    silent = {key: value for key, value in clip.items() if not key.endswith("_prompts")}
    assert _open(folder, clip=silent).prompts == Prompts(("face with makeup",), ("face without makeup",))
    with pytest.raises(BundleDamaged, match="empty list of prompts"):
        _open(folder, clip=clip | {"bare_prompts": []})


@torch.inference_mode()
def test_a_remover_that_is_a_network_of_its_own_inverts_with_what_it_was_tuned_from(folder: Path) -> None:
    base = _write_network(folder, "removal_unet.safetensors", 1)
    removal = {"file": "removal.safetensors", "return_timestep": 200, "invert_points": 3, "denoise_points": 3}
    rows = {"removal_unet": {"file": "removal_unet.safetensors", "unshuffle": 1, "config": SIGMA_UNET}, "files": {}}
    save_file(base.state_dict(), folder / "removal.safetensors")
    views = torch.from_numpy(np.linspace(-1, 1, 64, dtype=np.float32)).expand(1, 3, 64, 64)

    same = _open(folder, removal=removal, **rows)
    assert same.removal is not None
    assert torch.equal(remove_makeup(same.models, views, same.removal), views)

    _write_network(folder, "removal.safetensors", 2)
    other = _open(folder, removal=removal, **rows)
    assert other.removal is not None
    assert has_style(other.models.eps, REMOVAL_BASE)
    assert not torch.equal(remove_makeup(other.models, views, other.removal), views)


def test_a_base_nobody_tuned_removes_nothing_but_waits_to_be_trained(folder: Path) -> None:
    base = _write_network(folder, "removal_unet.safetensors", 1)
    rows = {"removal_unet": {"file": "removal_unet.safetensors", "unshuffle": 1, "config": SIGMA_UNET}}
    bundle = _open(folder, removal=None, **rows)
    eps = bundle.models.eps
    assert bundle.removal is None
    assert not has_style(eps, REMOVAL_BASE)
    add_full_style(eps, REMOVAL, base=attach_removal_base(eps, folder, read_manifest(folder)))
    learned = eps.full_styles[REMOVAL].state_dict()
    assert all(torch.equal(learned[key], value) for key, value in base.state_dict().items())
