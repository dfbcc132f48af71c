"""Published files become a bundle, whole or not at all, and are told by what is in them."""

import shutil
from io import BytesIO
from pathlib import Path

import pytest
import tomli_w
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from model_store.bundle import read_reference
from model_store.catalog import damaged_files, read_catalog, read_manifest
from model_store.errors import (
    CheckpointConflict,
    CheckpointDamaged,
    CheckpointUnknown,
    ImportFailed,
    ImportIncomplete,
    StyleExists,
    UnknownReference,
)
from model_store.published.importing import StyleFile
from model_store.published.references import mt_regions
from model_store.rendered.captions import prompts
from model_store.training.recipe import read_recipe
from tests.model_store.published.small import assets, bundle_of, everything, labels, picture, state, write


def test_files_and_an_archive_become_a_bundle_that_verifies(bundle: Path) -> None:
    assert damaged_files(bundle) == []
    catalog = read_catalog(bundle)
    assert (catalog.name, catalog.grade) == ("celebahq-256", "production")
    assert catalog.recognisers == ("ir152", "irse50", "facenet", "mobile_face")
    assert [card.id for card in catalog.references] == ["xmy_060"]
    assert [card.id for card in catalog.targets] == ["005869", "169284"]
    assert everything(bundle)[0] == "celebahq-256"


def test_weights_are_converted_and_keep_their_precision(bundle: Path) -> None:
    clip, unet = load_file(bundle / "clip_vit_b16.safetensors"), load_file(bundle / "unet.safetensors")
    assert {value.dtype for value in clip.values()} == {torch.float16}
    published = state("celeba_hq_ddpm")
    assert unet.keys() == {"own.weight0", "own.weight1", "own.weight2", "own.weight3"}
    assert all(torch.equal(unet[f"own.weight{i}"], published[f"celeba_hq_ddpm.weight{i}"]) for i in range(4))


def test_every_file_tells_its_licence_source_and_origin(bundle: Path) -> None:
    rows = read_manifest(bundle)["files"]
    there = {path.relative_to(bundle).as_posix() for path in bundle.rglob("*.*")} - {"bundle.toml"}
    assert set(rows) == there
    assert all(row["licence"] and row["source"] for row in rows.values())
    assert rows["ir152.safetensors"]["original"] == "assets.zip: assets/models/ir152.pth"
    assert "research" in rows["ir152.safetensors"]["licence"]
    assert len(rows["unet.safetensors"]["original_sha256"]) == 64


def test_the_bundle_says_how_its_clip_is_asked_for_make_up(bundle: Path) -> None:
    row = read_manifest(bundle)["clip"]
    assert row["made_up_prompts"] == prompts("face with makeup")
    assert row["bare_prompts"] == prompts("face without makeup")


def test_names_do_not_matter(files: Path, place: Path, tmp_path: Path) -> None:
    swapped = tmp_path / "swapped"
    swapped.mkdir()
    shutil.copy(files / "assets.zip", swapped / "pictures.pth")
    for old, new in (("celeba_hq.ckpt", "irse50.pth"), ("ViT-B-16.pt", "a.bin"), ("79999_iter.pth", "b"),
                     ("alexnet-owt-7be5be79.pth", "celeba_hq.ckpt")):  # fmt: skip
        shutil.copy(files / old, swapped / new)
    made = bundle_of([swapped], place)
    assert made["unet.safetensors"] == "swapped/irse50.pth"
    assert made["perceptual.safetensors"] == "swapped/celeba_hq.ckpt"
    assert damaged_files(place) == []


def test_a_look_has_its_pictures_and_the_regions_of_its_mask(bundle: Path) -> None:
    (row,) = read_manifest(bundle)["references"]
    look = read_reference(bundle, row)
    assert look.made_up.shape == look.bare.shape == (1, 3, 256, 256)
    assert look.regions.shape == (1, 4, 256, 256)
    assert set(look.regions.unique().tolist()) == {0.0, 1.0}
    lips, eyes, skin, face = look.regions[0].flatten(1).mean(dim=1).tolist()
    assert 0 < lips < 0.05
    assert 0 < eyes < 0.2
    assert skin < face


def test_regions_follow_the_labels_even_at_the_border() -> None:
    lips, eyes, skin, face = mt_regions(torch.from_numpy(labels()).long())
    assert lips.sum() == 8 * 4  # teeth are no lips
    assert not eyes[10:14, 0:6].any()  # the lids, not the eyeball
    assert eyes[9, 0:6].all()
    assert not skin[10:14, 30:36].any()
    assert face.all()


def test_a_target_has_the_paper_s_two_pictures(bundle: Path) -> None:
    row = read_manifest(bundle)["targets"][1]
    assert row["title"] == "Target 169284"
    for file, seed in zip(row["images"], (5, 6), strict=True):
        assert Image.open(bundle / file).tobytes() == Image.open(BytesIO(picture(seed))).tobytes()


def test_a_recogniser_that_comes_later_joins_the_bundle(place: Path, tmp_path: Path) -> None:
    few = tmp_path / "few"
    for name in ("celeba_hq_ddpm", "clip_vit_b16", "alexnet", "bisenet"):
        write(name, few)
    bundle_of([few, assets(tmp_path / "a" / "assets.zip", ("ir152", "facenet"))], place)
    before = (place / "unet.safetensors").stat().st_ino
    made = bundle_of([write("mobile_face", tmp_path)], place)
    assert list(made) == ["mobile_face.safetensors"]
    assert read_catalog(place).recognisers == ("ir152", "facenet", "mobile_face")
    assert damaged_files(place) == []
    assert (place / "unet.safetensors").stat().st_ino == before


def test_a_replaced_file_stays_whole_for_whoever_has_it_open(bundle: Path, tmp_path: Path) -> None:
    with (bundle / "ir152.safetensors").open("rb") as in_use:
        bundle_of([write("ir152", tmp_path, seed=9)], bundle)
        assert in_use.read() != (bundle / "ir152.safetensors").read_bytes()
        in_use.seek(0)
        assert len(in_use.read()) == (bundle / "ir152.safetensors").stat().st_size
    assert damaged_files(bundle) == []


def test_the_same_file_twice_is_no_conflict(files: Path, place: Path, tmp_path: Path) -> None:
    save_file(state("celeba_hq_ddpm"), tmp_path / "again.safetensors")
    bundle_of([files, tmp_path / "again.safetensors"], place)
    assert damaged_files(place) == []


def test_two_different_files_for_one_network_are_both_named(files: Path, place: Path, tmp_path: Path) -> None:
    other = write("celeba_hq_ddpm", tmp_path, seed=9).rename(tmp_path / "other.ckpt")
    with pytest.raises(CheckpointConflict, match=r"other\.ckpt: .*downloads/celeba_hq\.ckpt"):
        bundle_of([files, other], place)


def test_networks_that_nothing_reads_are_left_out_and_told_from_those_of_their_layout(
    files: Path, place: Path, tmp_path: Path
) -> None:
    identity = write("irse50", tmp_path, seed=9).rename(tmp_path / "model_ir_se50.pth")
    made = bundle_of([files, identity, write("clip_vit_b32", tmp_path)], place)
    assert made["irse50.safetensors"] == "assets.zip: assets/models/irse50.pth"
    assert not {"model_ir_se50.pth", "ViT-B-32.pt"} & set(made.values())
    assert set(read_manifest(place)["files"]) == set(made)


def test_what_is_missing_is_named_with_its_place(files: Path, place: Path) -> None:
    with pytest.raises(ImportIncomplete) as refused:
        bundle_of([files / "celeba_hq.ckpt", files / "ViT-B-16.pt"], place)
    for words in ("79999_iter.pth", "download.pytorch.org", "IR152", "IRSE50", "four targets"):
        assert words in str(refused.value)
    assert "FaceNet" not in str(refused.value)
    assert everything(place) == []


def test_a_fine_tuned_checkpoint_becomes_a_style_of_all_weights(bundle: Path, tmp_path: Path) -> None:
    tuned = write("celeba_hq_ddpm", tmp_path, seed=9)
    made = bundle_of([], bundle, style=StyleFile(tuned, "xmy_060", "005869", "ir152"))
    assert list(made) == ["styles/xmy_060-005869.safetensors"]
    (style,) = read_catalog(bundle).styles
    assert (style.mode, style.held_out) == ("full", "ir152")
    assert style.surrogates == ("irse50", "facenet", "mobile_face")
    assert style.sha256 == read_manifest(bundle)["files"]["styles/xmy_060-005869.safetensors"]["sha256"]
    assert damaged_files(bundle) == []
    with pytest.raises(StyleExists):
        bundle_of([], bundle, style=StyleFile(tuned, "xmy_060", "005869", "ir152"))


def test_what_the_operator_wrote_into_the_manifest_stays(bundle: Path, tmp_path: Path) -> None:
    path = bundle / "bundle.toml"
    manifest = read_manifest(bundle)
    manifest["schedule"]["invert_points"] = 20
    manifest["recognisers"]["ir152"]["thresholds"]["0.01"] = 0.2
    manifest["portraits"] = {"seed": 3, "count": 4}
    path.write_text(tomli_w.dumps(manifest), encoding="utf-8")
    bundle_of([write("mobile_face", tmp_path, seed=4)], bundle)
    after = read_manifest(bundle)
    assert after["schedule"]["invert_points"] == 20
    assert after["recognisers"]["ir152"]["thresholds"]["0.01"] == 0.2
    assert after["portraits"] == {"seed": 3, "count": 4}
    assert damaged_files(bundle) == []


def test_a_style_of_an_unknown_look_or_another_network_changes_nothing(bundle: Path, tmp_path: Path) -> None:
    before = everything(bundle)
    with pytest.raises(UnknownReference, match="nobody"):
        bundle_of([], bundle, style=StyleFile(write("celeba_hq_ddpm", tmp_path), "nobody", "005869", "ir152"))
    with pytest.raises(CheckpointUnknown, match=r"facenet\.pth: this is facenet"):
        bundle_of([], bundle, style=StyleFile(write("facenet", tmp_path), "xmy_060", "005869", "ir152"))
    assert everything(bundle) == before


def test_a_file_that_holds_nothing_for_a_bundle_is_refused_by_name(place: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(CheckpointUnknown, match=r"notes\.txt"):
        bundle_of([tmp_path / "notes.txt"], place)


def test_a_detector_must_run(files: Path, place: Path, tmp_path: Path) -> None:
    (tmp_path / "face.onnx").write_bytes(b"no network")
    with pytest.raises(CheckpointDamaged, match=r"face\.onnx: OpenCV cannot run"):
        bundle_of([files, tmp_path / "face.onnx"], place)


def test_a_folder_of_something_else_is_left_alone(files: Path, place: Path) -> None:
    place.mkdir(parents=True)
    (place / "thesis.tex").write_text("years of work")
    with pytest.raises(ImportFailed, match="no bundle"):
        bundle_of([files], place)
    assert everything(place) == ["celebahq-256", "celebahq-256/thesis.tex"]


def test_a_machine_that_stopped_between_two_renames_loses_nothing(bundle: Path, tmp_path: Path) -> None:
    bundle.rename(bundle.with_name(".celebahq-256.before"))
    bundle_of([write("ir152", tmp_path, seed=9)], bundle)
    assert damaged_files(bundle) == []
    assert [path.name for path in bundle.parent.iterdir()] == ["celebahq-256"]


def test_progress_names_each_checkpoint_before_it_is_read(files: Path, place: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    bundle_of([files], place, lambda *step: seen.append(step))
    assert [step[1:] for step in seen] == [(done, 8) for done in range(8)]
    assert seen[0][0] == "downloads/79999_iter.pth"
    assert seen[-1][0] == "downloads/celeba_hq.ckpt"


def test_the_papers_recipe_names_looks_and_targets_as_the_bundle_does(bundle: Path) -> None:
    catalog, recipe = read_catalog(bundle), read_recipe("paper")
    transfer = recipe.transfer
    assert transfer is not None
    assert catalog.reference(transfer.reference or "").title == "XMY-060"
    assert transfer.held_out in catalog.attackable
    aims = [target.id for target in recipe.targets]
    assert transfer.target in aims
    assert {card.id for card in catalog.targets} <= set(aims)
