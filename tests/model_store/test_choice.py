"""Which bundle `auto` is, and what one that refines has on offer."""

import shutil
from pathlib import Path

import pytest
import tomli_w

from model_store.catalog import read_catalog
from model_store.choice import AUTO, MINI, PORTRAIT, choose_bundle
from model_store.errors import EffortUnavailable, RecognisersMissing, StyleNotTrained
from model_store.judges import FOLDER, LISTING
from model_store.manifest import JudgeRow
from tests.thin_portrait import write_thin_portrait

PULLED = ("sface", "dlib", "faceplugin", "faceres")


def list_recognisers(shelf: Path, names: tuple[str, ...]) -> None:
    """A listing as pulling leaves it; nothing here opens their files."""
    row: JudgeRow = {
        "kind": "mobile", "file": "x.safetensors", "input_px": 112, "arguments": {}, "title": "x", "stands_for": "x",
        "crop": "arcface", "thresholds": {"0.1": 0.1, "0.01": 0.2, "0.001": 0.3},
    }  # fmt: skip
    table = {"detector": "yunet.onnx", "recognisers": dict.fromkeys(names, row), "files": {}}
    (shelf / FOLDER).mkdir(parents=True, exist_ok=True)
    (shelf / FOLDER / LISTING).write_text(tomli_w.dumps(table), encoding="utf-8")


@pytest.fixture(scope="module")
def portrait(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_thin_portrait(tmp_path_factory.mktemp("made") / PORTRAIT)


@pytest.fixture
def shelf(tmp_path: Path, portrait: Path) -> Path:
    shutil.copytree(portrait, tmp_path / PORTRAIT)
    return tmp_path


def test_auto_is_the_portrait_bundle_where_enough_recognisers_were_pulled(shelf: Path) -> None:
    list_recognisers(shelf, PULLED[:3])
    choice = choose_bundle(AUTO, shelf)
    assert (choice.folder, choice.judging, choice.because) == (shelf / PORTRAIT, PULLED[:3], "")


def test_auto_is_the_miniature_where_too_few_were_and_says_why(shelf: Path) -> None:
    list_recognisers(shelf, PULLED[:2])
    choice = choose_bundle(AUTO, shelf)
    assert choice.folder.name == MINI
    assert "needs 3 recognisers" in choice.because
    assert "sface, dlib" in choice.because
    assert "diffam models pull recognisers" in choice.because


def test_recognisers_that_must_not_judge_do_not_count(shelf: Path) -> None:
    list_recognisers(shelf, PULLED)
    assert choose_bundle(AUTO, shelf, PULLED[:2]).folder.name == MINI


def test_by_its_name_it_is_chosen_and_says_what_it_lacks(shelf: Path) -> None:
    choice = choose_bundle(PORTRAIT, shelf)
    assert choice.folder == shelf / PORTRAIT
    with pytest.raises(RecognisersMissing, match="'portrait' needs 3 recognisers of libraries, and there is none"):
        _ = choice.catalog


def test_without_a_target_a_face_goes_away_from_its_owner_and_any_target_serves(portrait: Path) -> None:
    catalog = read_catalog(portrait, PULLED)
    style = catalog.style_for("rose")
    assert (style.target, style.adapter, style.held_out) == (None, "rose", "dlib")
    assert style.surrogates == ("sface", "faceplugin", "faceres")
    assert {catalog.style_for("ember", card.id).adapter for card in catalog.targets} == {"ember"}
    assert {style.target for style in catalog.styles} == {None, *(card.id for card in catalog.targets)}


def test_the_first_of_those_to_hold_out_that_is_there_is_held_out(portrait: Path) -> None:
    assert read_catalog(portrait, ("sface", "faceplugin", "faceres")).style_for("rose").held_out == "faceres"
    others = ("sface", "faceplugin", "mobilefacenet")
    assert read_catalog(portrait, others).style_for("rose").surrogates == others[1:]


def test_a_reference_without_make_up_of_its_own_has_nothing_to_refine(portrait: Path) -> None:
    catalog = read_catalog(portrait, PULLED)
    bare = next(card.id for card in catalog.references if card.makeup is None)
    with pytest.raises(StyleNotTrained):
        catalog.style_for(bare)


def test_only_a_bundle_that_refines_can_be_asked_for_a_thorough_result(portrait: Path) -> None:
    refining, other = read_catalog(portrait, PULLED), choose_bundle(MINI, portrait).catalog
    refining.check_effort("thorough")
    other.check_effort("quick")
    other.check_effort(None)
    with pytest.raises(EffortUnavailable, match="'mini' refines no faces"):
        other.check_effort("thorough")
