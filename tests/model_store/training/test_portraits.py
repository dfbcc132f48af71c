"""Whom styles are trained on: the bundle's rendered people, or the training side of a dataset."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from diffam_core.faces.framing import Framing
from model_store.bundle import Bundle
from model_store.datasets.mt import MT
from model_store.errors import DatasetMissing, DatasetTooSmall
from model_store.miniature.styling import style_photos
from model_store.training.portraits import cut_portraits, training_portraits
from tests.published_trees import on_side, write_mt

BARE, MADE_UP = "non-makeup/xfsy_{:04d}", "makeup/xfsy_{:04d}"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three people to train on; the pictures of all others are broken, so that touching one would be noticed."""
    bare = {side: on_side(side, BARE, 3) for side in ("train", "validation", "test")}
    made_up = on_side("train", MADE_UP, 1)
    folder = write_mt(tmp_path_factory.mktemp("trees") / "MT", [n for side in bare.values() for n in side], made_up)
    for number in bare["validation"] + bare["test"]:
        (folder / f"images/non-makeup/xfsy_{number:04d}.png").write_bytes(b"broken")
    return folder


def test_the_bundle_brings_its_own_people(bundle: Bundle) -> None:
    own = style_photos(1)
    for name in (None, "rendered"):
        assert torch.equal(training_portraits(bundle, name)(1), own)


def test_a_dataset_gives_the_same_aligned_faces_of_its_training_side_every_time(bundle: Bundle, tree: Path) -> None:
    portraits = training_portraits(bundle, "mt", tree)
    faces = portraits(3)
    assert faces.shape == (3, 3, bundle.models.view_px, bundle.models.view_px)
    assert -1 <= float(faces.min()) < float(faces.max()) <= 1
    assert torch.equal(faces[:2], portraits(2))


def test_removal_is_trained_on_made_up_faces(bundle: Bundle, tree: Path) -> None:
    assert cut_portraits(bundle.models, MT, tree, 1, is_made_up=True).shape == (1, 3, 256, 256)


def test_faces_are_framed_as_the_bundle_frames_them(bundle: Bundle, tree: Path) -> None:
    wider = replace(bundle, models=replace(bundle.models, framing=Framing((0.5, 0.47), 0.2)))
    close, far = training_portraits(bundle, "mt", tree)(1), training_portraits(wider, "mt", tree)(1)
    assert float((close - far).abs().mean()) > 0.02


def test_too_few_people_are_counted_out(bundle: Bundle, tree: Path) -> None:
    with pytest.raises(DatasetTooSmall, match=r"5 people .* asked for; 3 of MT-dataset .* in the photos of 3"):
        training_portraits(bundle, "mt", tree)(5)


def test_a_bundle_without_people_asks_for_a_dataset_and_a_dataset_for_its_folder(
    bundle: Bundle, tmp_path: Path
) -> None:
    (tmp_path / "bundle.toml").write_text('name = "bare"\n')
    bare = replace(bundle, catalog=replace(bundle.catalog, folder=tmp_path))
    with pytest.raises(DatasetMissing, match="no portraits of its own"):
        training_portraits(bare)
    with pytest.raises(DatasetMissing, match="where is LADN"):
        training_portraits(bare, "ladn")
    with pytest.raises(DatasetMissing, match="celebahq, mt, ladn"):
        training_portraits(bare, "ffhq", tmp_path)
