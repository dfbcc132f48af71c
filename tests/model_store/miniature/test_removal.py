"""The miniature's remover: part of the way from the bare prior to what the critics want, resumed like any training."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from model_store.catalog import BUNDLES
from model_store.miniature import removal
from model_store.training.small_clip import build_clip

QUICK = replace(removal.RECIPE, steps=2, batch=2)


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A build whose bundle is the shipped one, its remover the prior, its critics untrained."""
    monkeypatch.setattr(removal, "TRAINING_FACES", 4)
    monkeypatch.setattr(removal, "POINTS", 2)
    shutil.copytree(BUNDLES / "mini", tmp_path / "bundle")
    shutil.copy(BUNDLES / "mini/removal.safetensors", tmp_path / f"{removal.PRIOR}.safetensors")
    for seed, name in enumerate(removal.CRITICS):
        critic = build_clip(removal.part_captions(), removal.VISION[name], seed)
        save_file({key: value.clone() for key, value in critic.state_dict().items()}, tmp_path / f"{name}.safetensors")
    return tmp_path


def test_only_a_share_of_the_way_from_the_prior_is_gone(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prior = load_file(work / f"{removal.PRIOR}.safetensors")
    part = removal.train_removal(work, QUICK, lambda *_: None)
    monkeypatch.setattr(removal, "SHARE", 1.0)
    whole = removal.train_removal(work, QUICK, lambda *_: pytest.fail("it was trained already"))
    for key, value in prior.items():
        assert torch.allclose(part[key], torch.lerp(value.float(), whole[key], 0.45), atol=1e-6)
    assert any(not torch.equal(whole[key], value.float()) for key, value in prior.items())


def test_what_is_told_of_a_step_is_the_term_of_the_objective(work: Path) -> None:
    told: list[tuple[int, int, float]] = []
    removal.train_removal(work, replace(QUICK, objective="direction"), lambda *step: told.append(step))
    assert [step[:2] for step in told] == [(1, 2), (2, 2)]
    assert all(0 < loss < 2 for *_, loss in told)


def test_captions_about_parts_are_true_of_the_faces_that_wear_them() -> None:
    captions = removal.part_captions()
    faces = {
        "lips_strength": torch.tensor([0.0, 0.3, 0.9]), "lips_name": torch.tensor([0, 1, 1]),
        "shadow_strength": torch.tensor([0.7, 0.0, 0.0]), "shadow_name": torch.tensor([0, 0, 0]),
    }  # fmt: skip
    said = {caption: judge(faces).tolist() for caption, judge in captions.items()}
    assert said["bare lips"] == [True, False, False]
    assert said["lips with light lipstick"] == [False, True, False]
    assert said["lips with strong lipstick"] == [False, False, True]
    assert said["lips with pink lipstick"] == [False, True, True]
    assert said["eyes with blue eyeshadow"] == [True, False, False]
