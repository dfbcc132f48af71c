"""Fine-tuned styles: worn at once, stored whole or not at all, and the same after any interruption."""

import subprocess
import sys
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from diffam_core.styles import style_weights
from diffam_core.transfer import TransferRecipe
from model_store.additions import StyleOrder, remove_reference, sweep_leaving
from model_store.bundle import Bundle
from model_store.errors import BundleDamaged, RecipeInvalid, StyleExists, StyleNotTrained
from model_store.training.new_reference import add_reference
from model_store.training.new_style import fine_tune_style
from model_store.training.portraits import Training
from tests.diffam_core.test_transfer import Stopped
from tests.model_store.disk import files_of, full_disk

SHORT = replace(
    TransferRecipe(),
    makeup=replace(TransferRecipe().makeup, steps=2, batch=1),
    attack=replace(TransferRecipe().attack, steps=2, batch=1, views=1),
)
ORDER = StyleOrder("dusk", "bruno", "ir152", ("irse50", "mobile_face"))
FEW = Training(photos=4, keep_every=1)


@pytest.fixture
def own(thin: Bundle, tmp_path: Path) -> Bundle:
    """An untrained bundle with additions of the test's own."""
    return elsewhere(replace(thin, added=tmp_path / "added"))


def elsewhere(bundle: Bundle) -> Bundle:
    """The same bundle and folder, as another process has them open."""
    return replace(bundle, models=replace(bundle.models, eps=deepcopy(bundle.models.eps)))


def test_a_fine_tuned_style_is_found_without_opening_the_bundle_again(own: Bundle, look: bytes, bare: bytes) -> None:
    server = elsewhere(own)
    add_reference(own, "dusk", look, bare)
    with pytest.raises(StyleNotTrained, match="finetune"):
        server.find_style("dusk", "bruno")
    seen: list[int] = []
    style = fine_tune_style(own, ORDER, SHORT, FEW, lambda step, _steps, _terms: seen.append(step))
    assert seen == [1, 2, 3, 4]
    assert style.file.stat().st_size < 100_000
    assert server.find_style("dusk", "bruno") == style
    with pytest.raises(StyleExists):
        fine_tune_style(own, ORDER, SHORT, FEW)


def test_a_full_disk_while_a_style_is_stored_leaves_no_half_of_it(own: Bundle, look: bytes, bare: bytes) -> None:
    add_reference(own, "dusk", look, bare)
    before = files_of(own.added)
    with full_disk(20_000), pytest.raises(OSError, match=r"large|space"):
        fine_tune_style(own, ORDER, SHORT, FEW)
    assert [name for name in files_of(own.added) if not name.startswith("training/")] == before
    assert not [name for name in files_of(own.added) if "partial" in name]


def test_a_style_whose_file_was_altered_is_not_worn(own: Bundle, look: bytes, bare: bytes) -> None:
    worker = elsewhere(own)
    add_reference(own, "dusk", look, bare)
    style = fine_tune_style(own, replace(ORDER, target="celia"), SHORT, FEW)
    data = bytearray(style.file.read_bytes())
    data[-1] ^= 1
    style.file.write_bytes(data)
    with pytest.raises(BundleDamaged, match="dusk-celia"):
        worker.find_style("dusk", "celia")


def test_a_reference_added_again_under_its_old_name_wears_its_new_style(own: Bundle, look: bytes, bare: bytes) -> None:
    worker, kept = elsewhere(own), []
    for seed in (0, 1):
        add_reference(own, "dusk", look, bare)
        fine_tune_style(own, ORDER, SHORT, replace(FEW, seed=seed))
        worker.find_style("dusk", "bruno")
        kept.append(style_weights(worker.models.eps, "dusk-bruno"))
        remove_reference(own.catalog, own.additions, "dusk")
        sweep_leaving(own.additions, set)
    assert any(not torch.equal(kept[0][key], kept[1][key]) for key in kept[0])


def test_a_recipe_that_walks_elsewhere_than_the_bundle_is_refused_before_anything_is_drawn(own: Bundle) -> None:
    order = StyleOrder("rose", "bruno", "ir152")
    without = replace(own, catalog=replace(own.catalog, styles=()))
    with pytest.raises(RecipeInvalid, match="walks to timestep 40, the bundle 'thin' protects from 60"):
        fine_tune_style(without, order, replace(SHORT, return_timestep=40), FEW)
    assert files_of(own.added) == []


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from model_store.bundle import open_bundle
from model_store.training.new_style import fine_tune_style
from tests.model_store.training.test_new_style import FEW, ORDER, SHORT
bundle = open_bundle(Path(sys.argv[1]), added=Path(sys.argv[2]))
def die(step, steps, terms):
    if step == 3:
        os.kill(os.getpid(), signal.SIGKILL)
fine_tune_style(bundle, ORDER, SHORT, FEW, die)
"""


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Sums depend on how they are shared out, in the last bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def stop(step: int, _steps: int, _terms: dict[str, float]) -> None:
    """End a training in its first stage."""
    if step == 1:
        raise Stopped


@pytest.mark.usefixtures("one_thread")
def test_a_training_killed_at_any_moment_ends_with_the_same_bits(
    own: Bundle, tmp_path: Path, look: bytes, bare: bytes
) -> None:
    whole, killed = replace(own, added=tmp_path / "whole"), replace(elsewhere(own), added=tmp_path / "killed")
    for bundle in (whole, killed):
        add_reference(bundle, "dusk", look, bare)
    style = fine_tune_style(whole, ORDER, SHORT, FEW)
    with pytest.raises(Stopped):
        fine_tune_style(killed, ORDER, SHORT, FEW, stop)
    command = [sys.executable, "-c", KILLED, str(killed.catalog.folder), str(killed.added)]
    assert subprocess.run(command, timeout=300, check=False).returncode == -9
    seen: list[int] = []
    again = fine_tune_style(killed, ORDER, SHORT, FEW, lambda step, _steps, _terms: seen.append(step))
    assert seen == [2]  # the make-up alone was stored, so the attack alone counts
    assert again.file.read_bytes() == style.file.read_bytes()
