"""Whom styles are trained on: the bundle's rendered people, or the training side of a dataset."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from diffam_core.faces.cascades import CascadeDetector
from diffam_core.faces.framing import Framing
from diffam_core.images import shrink
from model_store.bundle import Bundle
from model_store.errors import DatasetMissing, DatasetTooSmall
from model_store.rendered.portraits import SEEDS, draw_portraits
from model_store.training.new_reference import is_made_up
from model_store.training.portraits import Training, training_portraits
from tests.published_trees import on_side, write_celebahq, write_mt

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
    own = draw_portraits(1, SEEDS["portraits"], 256)
    for name in (None, "rendered"):
        assert torch.equal(training_portraits(bundle, Training(1, name)), own)


def test_the_bundles_made_up_people_wear_make_up_and_are_others_than_its_bare_ones(bundle: Bundle) -> None:
    made_up, bare = (training_portraits(bundle, Training(4), kind) for kind in ("made_up", "bare"))
    assert torch.equal(bare, training_portraits(bundle, Training(4)))
    with torch.inference_mode():
        assert all(is_made_up(bundle, shrink(face[None], 64)) for face in made_up)
        assert not any(is_made_up(bundle, shrink(face[None], 64)) for face in bare)
        alike = bundle.models.recognisers["ir152"].embed(made_up) @ bundle.models.recognisers["ir152"].embed(bare).T
    assert float(alike.max()) < bundle.models.recognisers["ir152"].thresholds["0.001"]


def test_a_dataset_gives_the_same_aligned_faces_of_its_training_side_every_time(bundle: Bundle, tree: Path) -> None:
    faces = training_portraits(bundle, Training(3, "mt", tree))
    assert faces.shape == (3, 3, bundle.models.view_px, bundle.models.view_px)
    assert -1 <= float(faces.min()) < float(faces.max()) <= 1
    assert torch.equal(faces[:2], training_portraits(bundle, Training(2, "mt", tree)))


def test_removal_is_trained_on_made_up_faces(bundle: Bundle, tree: Path) -> None:
    (worn,) = training_portraits(bundle, Training(1, "mt", tree), "made_up")
    assert worn.shape == (3, 256, 256)
    assert not any(torch.equal(worn, face) for face in training_portraits(bundle, Training(3, "mt", tree)))


def test_removal_leaves_alone_whom_no_photo_shows_made_up(bundle: Bundle, tmp_path: Path) -> None:
    numbers = on_side("train", "picture {}.jpg", 6)
    people = write_celebahq(tmp_path / "CelebAMask-HQ", {number: (number, 0) for number in numbers})
    odd = sum(number % 2 for number in numbers)  # the others wear heavy make-up there
    assert len(training_portraits(bundle, Training(odd, "celebahq", people), "bare")) == odd
    with pytest.raises(DatasetTooSmall, match=f"; {odd} of CelebAMask-HQ"):
        training_portraits(bundle, Training(odd + 1, "celebahq", people), "bare")


def test_faces_are_framed_as_the_bundle_frames_them(bundle: Bundle, tree: Path) -> None:
    wider = replace(bundle, models=replace(bundle.models, detector=CascadeDetector(Framing((0.5, 0.47), 0.2))))
    close, far = (training_portraits(opened, Training(1, "mt", tree)) for opened in (bundle, wider))
    assert float((close - far).abs().mean()) > 0.02


def test_too_few_people_are_counted_out(bundle: Bundle, tree: Path) -> None:
    with pytest.raises(DatasetTooSmall, match=r"5 people .* asked for; 3 of MT-dataset .* in the photos of 3"):
        training_portraits(bundle, Training(5, "mt", tree))


def test_a_bundle_without_people_asks_for_a_dataset_and_a_dataset_for_its_folder(
    bundle: Bundle, tmp_path: Path
) -> None:
    (tmp_path / "bundle.toml").write_text('name = "bare"\n')
    bare = replace(bundle, catalog=replace(bundle.catalog, folder=tmp_path))
    with pytest.raises(DatasetMissing, match="no portraits of its own"):
        training_portraits(bare, Training())
    with pytest.raises(DatasetMissing, match="where is LADN"):
        training_portraits(bare, Training(dataset="ladn"))
    with pytest.raises(DatasetMissing, match="celebahq, mt, ladn"):
        training_portraits(bare, Training(4, "ffhq", tmp_path))
