"""Owners known are told by what a list says of people, over recognisers that were held out."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from evaluation.cells import Cell
from evaluation.evaluate import Evaluation
from evaluation.methods import METHODS
from evaluation.traits import groups_of
from tests.evaluation.test_summary import COST, ONE, OTHER, THRESHOLDS

TRAITS = {
    "1": {"sex": "f", "age": "24"},
    "2": {"sex": "f", "age": "31"},
    "3": {"sex": "m", "age": "33"},
    "9": {"sex": "m"},
}
NOBODY = [0.0, 0.0, 0.0]


def measured() -> Evaluation:
    """Three people: each one's cosine with the other photo; surrogates know nobody, and are not asked."""
    own = {"first": [0.4, 0.4, 0.0], "second": [0.4, 0.0, 0.0]}
    subjects: Any = SimpleNamespace(left_out=["9"])
    cells = [
        Cell("diffam", task, "clean", name, THRESHOLDS, np.array(row if task.held_out == name else NOBODY), None, COST)
        for task in (ONE, OTHER)
        for name, row in own.items()
    ]
    return Evaluation(cells, subjects, {}, people=["1", "2", "3"])


def test_every_group_has_its_own_people_and_those_without_a_face() -> None:
    groups = {(g.trait, g.value): g for g in groups_of(measured(), {"diffam": METHODS["diffam"]}, TRAITS)}
    women, men = groups["sex", "f"], groups["sex", "m"]
    assert (women.n, women.left_out, women.shares, women.mean.value) == (2, 0, {"first": 1.0, "second": 0.5}, 0.75)
    assert (men.n, men.left_out, men.mean.value) == (1, 1, 0.0)
    assert women.mean.ci95[0] < 0.75 < women.mean.ci95[1]
    assert men.mean.ci95[1] > 0.5  # one person proves little
    assert {value for trait, value in groups if trait == "age"} == {"under 25", "25 to 34"}


def test_without_a_list_there_are_no_groups() -> None:
    assert groups_of(measured(), {"diffam": METHODS["diffam"]}, {}) == []
