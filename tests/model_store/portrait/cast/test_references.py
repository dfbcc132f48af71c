"""The references of the portrait bundle: painted where they say, bare elsewhere, on people who train."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from model_store.portrait.cast.references import REFERENCES, save_references
from model_store.portrait.cast.targets import TARGETS
from model_store.portrait.painting import LOOKS
from model_store.portrait.portraits import Portraits, is_held_out
from tests.model_store.portrait.conftest import Face, wide_of


def test_every_look_is_worn_by_somebody_who_trains_and_is_no_target() -> None:
    assert REFERENCES.keys() == LOOKS.keys()
    wearers = [worn.wearer for worn in REFERENCES.values()]
    assert len(set(wearers)) == len(wearers)
    assert not [name for name in wearers if is_held_out(name)]
    assert not set(wearers) & {name for target in TARGETS.values() for name in target.pictures}


def test_a_reference_is_its_bare_twin_but_for_the_make_up(face: Face, tmp_path: Path) -> None:
    wide, points = wide_of(face)
    everybody = tuple(worn.wearer for worn in REFERENCES.values())
    portraits = Portraits(wide.expand(len(everybody), -1, -1, -1), everybody)
    save_references(portraits, points.expand(len(everybody), -1, -1), tmp_path)
    folder = tmp_path / "references/evening"
    seen = {path.stem: np.array(Image.open(path)).astype(float) for path in folder.iterdir()}
    assert seen.keys() == {"look", "bare", "lips", "eyes", "skin", "face"}
    assert {picture.shape[:2] for picture in seen.values()} == {(256, 256)}
    changed = np.abs(seen["look"] - seen["bare"]).mean(2)
    assert changed[seen["lips"] > 200].mean() > 8 * changed[seen["skin"] > 200].mean()
    assert np.array_equal(seen["bare"], wide[0, :, 48:-48, 48:-48].permute(1, 2, 0).numpy())


def test_a_folder_without_the_wearers_is_refused(tmp_path: Path) -> None:
    nobody = Portraits(torch.zeros(1, 3, 352, 352, dtype=torch.uint8), ("ai/female_64",))
    with pytest.raises(ValueError, match="not in"):
        save_references(nobody, torch.zeros(1, 468, 2), tmp_path)
