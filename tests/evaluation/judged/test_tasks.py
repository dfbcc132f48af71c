"""Where faces are refined on recognisers, each of those is held out in turn; elsewhere styles are what they are."""

from dataclasses import replace
from pathlib import Path

import pytest

from evaluation.judged.tasks import Selection, out_of_reach, tasks_of
from evaluation.methods import METHODS
from model_store.catalog import Catalog, ReferenceCard, StyleCard, TargetCard
from model_store.errors import StyleNotTrained

JUDGES = ("dlib", "sface", "faceres")
CARDS = tuple(ReferenceCard(name, name, "", Path(), Path(f"{name}.safetensors")) for name in ("rose", "ember"))
TARGETS = tuple(TargetCard(name, name, "virtual", Path()) for name in ("ada", "bo"))
MADE = tuple(
    StyleCard(card.id, target, "dlib", JUDGES[1:], Path(), is_makeup=True)
    for card in CARDS
    for target in (None, "ada", "bo")
)
REFINING = Catalog("thin", "measured", Path(), CARDS, TARGETS, MADE, (), refines=True)
TRAINED = StyleCard("rose", "ada", "dlib", ("sface",), Path())
PLAIN = replace(REFINING, styles=(TRAINED, replace(TRAINED, target="bo", held_out="sface")), refines=False)


def test_each_judge_is_held_out_in_turn_and_all_others_are_attacked() -> None:
    tasks = tasks_of(REFINING, Selection(), JUDGES)
    assert [(task.reference, task.target, task.held_out) for task in tasks] == [("rose", None, n) for n in JUDGES]
    assert all({*task.surrogates} == {*JUDGES} - {task.held_out} for task in tasks)


def test_references_targets_and_who_is_held_out_may_be_chosen() -> None:
    tasks = tasks_of(REFINING, Selection(["ember"], ["ada", "bo"], ["sface"]), JUDGES)
    assert [(task.reference, task.target, task.held_out) for task in tasks] == [
        ("ember", "ada", "sface"), ("ember", "bo", "sface"),
    ]  # fmt: skip


def test_a_trained_style_is_judged_by_none_that_it_was_trained_against() -> None:
    catalog = replace(REFINING, styles=(TRAINED,))
    chosen = Selection(targets=["ada"])
    assert [task.held_out for task in tasks_of(catalog, chosen, JUDGES)] == ["dlib", "faceres"]
    with pytest.raises(StyleNotTrained, match="held-out recognisers sface"):
        tasks_of(catalog, replace(chosen, held_out=["sface"]), JUDGES)


def test_styles_of_a_bundle_that_refines_nothing_are_measured_as_they_were_trained() -> None:
    assert tasks_of(PLAIN, Selection(), JUDGES) == PLAIN.styles
    assert tasks_of(PLAIN, Selection(held_out=["sface"]), JUDGES) == PLAIN.styles[1:]


def test_methods_that_say_nothing_here_are_named_with_the_reason() -> None:
    fleeing, aimed = (tasks_of(REFINING, chosen, JUDGES) for chosen in (Selection(), Selection(targets=["ada"])))
    assert set(out_of_reach(REFINING, fleeing, METHODS)) == {"quick", "wrong_identity", "tint"}
    assert set(out_of_reach(REFINING, aimed, METHODS)) == {"quick"}
    assert set(out_of_reach(PLAIN, PLAIN.styles, METHODS)) == {"quick", "refinement"}
    assert "--target" in out_of_reach(REFINING, fleeing, METHODS)["tint"]
    trained = replace(REFINING, styles=(*MADE, TRAINED))
    assert "quick" not in out_of_reach(trained, [TRAINED], METHODS)
