"""The shipped bundle: whole, small, verified before anything runs."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
import tomli_w
import torch
from safetensors.torch import save_file

from diffam_core.models import Models
from diffam_core.styles import has_style
from model_store.bundle import load_models, open_bundle
from model_store.catalog import BUNDLES, damaged_files, find_bundle, read_catalog, read_manifest
from model_store.digest import sha256_of
from model_store.errors import BundleDamaged, StyleNotTrained, UnknownBundle, UnknownReference, UnknownTarget

MINI = BUNDLES / "mini"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(MINI, tmp_path / "mini"))


@pytest.fixture(scope="module")
def models() -> Models:
    return load_models(MINI, read_manifest(MINI))


def test_the_shipped_bundle_is_what_was_published_and_small_enough_for_git() -> None:
    assert damaged_files(MINI) == []
    size = sum(path.stat().st_size for path in MINI.rglob("*") if path.is_file())
    assert size <= 25 * 2**20


def test_every_file_has_a_digest_a_licence_and_a_source() -> None:
    files = read_manifest(MINI)["files"]
    there = {p.relative_to(MINI).as_posix() for p in MINI.rglob("*") if p.suffix in (".safetensors", ".png")}
    assert there == set(files)
    assert all(row["licence"] and row["source"] and len(row["sha256"]) == 64 for row in files.values())


def test_it_offers_a_style_for_every_look_and_target() -> None:
    catalog = read_catalog(MINI)
    assert catalog.grade == "demonstration"
    assert len(catalog.references) == len(catalog.targets) == 3
    pairs = {(style.reference, style.target) for style in catalog.styles}
    assert pairs == {(look.id, target.id) for look in catalog.references for target in catalog.targets}
    assert {style.held_out for style in catalog.styles} == set(catalog.attackable)
    assert len(catalog.recognisers) == 5
    assert all(catalog.style_for(card.id).reference == card.id for card in catalog.references)
    assert all(style.held_out not in style.surrogates and "vit" not in style.surrogates for style in catalog.styles)


@pytest.mark.parametrize("name", ["unet.safetensors", "references/rose/look.png"])
def test_a_flipped_byte_is_found_before_anything_runs(copy: Path, name: str) -> None:
    data = bytearray((copy / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / name).write_bytes(data)
    with pytest.raises(BundleDamaged, match=name):
        open_bundle(copy)


def test_a_missing_file_is_named(copy: Path) -> None:
    (copy / "clip.safetensors").unlink()
    with pytest.raises(BundleDamaged, match=r"clip\.safetensors is missing"):
        open_bundle(copy)


def test_a_manifest_that_is_no_toml_is_a_damaged_bundle(copy: Path) -> None:
    (copy / "bundle.toml").write_text("name = ", encoding="utf-8")
    with pytest.raises(BundleDamaged, match=r"bundle\.toml"):
        read_catalog(copy)


@pytest.mark.parametrize(
    ("row", "names"),
    [("portrait", {"eye_middle": None, "eye_distance": None}), ("removal", {"denoise_points": "points"})],
)
def test_a_bundle_of_an_earlier_version_is_told_from_a_broken_one(
    copy: Path, row: Literal["portrait", "removal"], names: dict[str, str | None]
) -> None:
    manifest: dict[str, Any] = dict(read_manifest(copy))
    for name, earlier in names.items():
        value = manifest[row].pop(name)
        manifest[row] |= {earlier: value} if earlier else {}
    (copy / "bundle.toml").write_text(tomli_w.dumps(manifest), encoding="utf-8")
    for opened in (open_bundle, read_catalog):
        with pytest.raises(BundleDamaged, match="made by an earlier version; remove its folder, and pull or build"):
            opened(copy)


def test_a_folder_without_a_manifest_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(UnknownBundle):
        open_bundle(tmp_path)


def test_a_bundle_is_found_on_the_first_shelf_that_has_it(copy: Path, tmp_path: Path) -> None:
    assert find_bundle("mini", copy.parent) == copy
    assert find_bundle("mini", tmp_path / "none") == MINI
    with pytest.raises(UnknownBundle, match=r"'nobody' in .*none, .*bundles; `diffam models pull"):
        find_bundle("nobody", tmp_path / "none")


def test_a_style_of_all_weights_is_loaded_when_it_is_asked_for(copy: Path, models: Models) -> None:
    weights = {key: value.clone() for key, value in models.eps.state_dict().items()}
    save_file(weights, copy / "styles/whole.safetensors")
    manifest = read_manifest(copy)
    manifest["styles"][0] |= {
        "mode": "full", "file": "styles/whole.safetensors", "sha256": sha256_of(copy / "styles/whole.safetensors")
    }  # fmt: skip
    (copy / "bundle.toml").write_text(tomli_w.dumps(manifest))
    bundle = open_bundle(copy)
    assert not has_style(bundle.models.eps, "rose-aurora")
    assert bundle.find_style("rose", "aurora").mode == "full"
    assert "rose-aurora" in bundle.models.eps.full_styles
    assert has_style(bundle.models.eps, "rose-bruno")


def test_what_is_not_on_offer_is_refused_by_its_own_name() -> None:
    catalog = read_catalog(MINI)
    with pytest.raises(UnknownReference, match="nobody"):
        catalog.style_for("nobody")
    with pytest.raises(UnknownTarget, match="nobody"):
        catalog.style_for("rose", "nobody")
    with pytest.raises(StyleNotTrained, match="celia"):
        replace(catalog, styles=catalog.styles[:1]).style_for("rose", "celia")


def test_a_style_that_attacks_every_recogniser_that_is_there_is_not_worn_for_somebody_must_judge(copy: Path) -> None:
    attacked = ["sface", "faceres", "faceplugin"]
    style = {"reference": "rose", "target": "celia", "held_out": "dlib", "surrogates": attacked, "file": "weights"}
    manifest = read_manifest(copy) | {
        "recognisers": {}, "never_attacked": [], "styles": [style],
        "refinement": {"held_out": ["dlib", "sface"], "least": 3},
    }  # fmt: skip
    (copy / "bundle.toml").write_text(tomli_w.dumps(manifest), encoding="utf-8")
    trained = read_catalog(copy, ("dlib", *attacked)).style_for("rose", "celia")
    assert (trained.is_makeup, trained.held_out) == (False, "dlib")
    instead = read_catalog(copy, attacked).style_for("rose", "celia")
    assert (instead.is_makeup, instead.held_out, instead.surrogates) == (True, "sface", ("faceres", "faceplugin"))


@torch.inference_mode()
def test_lpips_grows_with_blur_noise_and_shift(models: Models) -> None:
    from model_store.rendered.portraits import population, to_float

    x = to_float(population(8, 1, 31337, models.portrait_px).images)
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    pool = torch.nn.functional.avg_pool2d

    def distance(y: torch.Tensor) -> float:
        return float(models.perceptual(x, y).mean())

    assert distance(x) == 0
    assert 0 < distance(x + 0.02 * noise) < distance(x + 0.1 * noise) < distance(x + 0.3 * noise)
    assert distance(pool(x, 3, 1, 1)) < distance(pool(x, 7, 1, 3))
    assert distance(x.roll(1, -1)) < distance(x.roll(4, -1))


@torch.inference_mode()
def test_clip_knows_words_it_learned_and_survives_those_it_did_not(models: Models) -> None:
    texts = models.clip.embed_texts(["a photo of a face with red lipstick", "zebra quark"])
    assert texts.shape == (2, 96)
    assert torch.allclose(texts.norm(dim=1), torch.ones(2), atol=1e-5)
