"""Whether owners are known, by what a list tells of them: sex, skin tone, age."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffam_core.score import Share, rate
from evaluation.cells import Json
from evaluation.evaluate import Evaluation
from evaluation.judged.recognisers import band_of
from evaluation.method import Method
from evaluation.summary import mean_rate

Traits = Mapping[str, Mapping[str, str]]
"""By person and trait."""


class Group(NamedTuple):
    """People of whom one thing is told, and what a method did for them: owners known at FAR 0.01, by recognisers that
    were held out, in the finished file.

    shares: by recogniser.  mean: with an interval over people; without one for somebody alone.
    left_out: of how many such people the detector saw no face.
    """

    method: str
    trait: str
    value: str
    n: int
    left_out: int
    shares: dict[str, float]
    mean: Share

    def as_json(self) -> Json:
        """As it is written."""
        return self._asdict()


def groups_of(evaluation: Evaluation, methods: Mapping[str, Method], traits: Traits) -> list[Group]:
    """A group per trait, value and method; none where nothing is told of anybody."""
    names = dict.fromkeys(name for person in evaluation.people for name in traits.get(person, {}))
    found = list[Group]()
    for trait in names:
        values = np.array([_value(traits, person, trait) for person in evaluation.people])
        missed = [_value(traits, person, trait) for person in evaluation.subjects.left_out]
        for value in sorted({*values.tolist()}):
            is_theirs = np.flatnonzero(values == value)
            found += [_group(evaluation, name, (trait, value), is_theirs, missed.count(value)) for name in methods]
    return found


def _value(traits: Traits, person: str, trait: str) -> str:
    return band_of(trait, traits.get(person, {}).get(trait, ""))


def _group(
    evaluation: Evaluation, method: str, place: tuple[str, str], people: NDArray[np.int64], left_out: int
) -> Group:
    cells = [cell for cell in evaluation.held_out if (cell.method, cell.treatment) == (method, "clean")]
    judges = dict.fromkeys(cell.recogniser for cell in cells)
    shares = {
        judge: float(np.mean([cell.knows()[people].mean() for cell in cells if cell.recogniser == judge]))
        for judge in judges
    }
    if len(people) > 1:
        mean = mean_rate(cells, hits=lambda cell: cell.knows()[people])
    else:
        mean = Share(float(np.mean([*shares.values()])), rate(cells[0].knows()[people]).ci95)
    return Group(method, *place, len(people), left_out, shares, mean)
