"""Who is searched, and what is said of it."""

from typing import Any

import numpy as np
import pytest
import torch
from jinja2 import Environment, PackageLoader
from torch.nn.functional import normalize

from evaluation.evaluate import Evaluation
from evaluation.judged.identification import Engine, Search, searches
from evaluation.methods import METHODS
from evaluation.summary import search_lines
from protection.measuring.identification import Faces, Identification


def engine(strangers: int, photos: int) -> Engine:
    """Six people and strangers with so many photos each, before one recogniser."""
    generator = torch.Generator().manual_seed(0)
    rows = normalize(torch.randn(6 + strangers, 24, generator=generator), dim=1)
    owners = np.arange(6, 6 + strangers)
    known, besides = (
        Faces(rows[6 : 6 + count].double().numpy(), owners[:count]) for count in (strangers, strangers * (photos - 1))
    )
    nobody: Any = None  # nothing is made up
    return Engine({"net": rows[:6]}, {"net": rows[:6]}, nobody, None, {"net": (known, besides)} if strangers else {})


def found_by(told: Engine) -> Identification:
    ((_, found),) = searches(told, None, None)
    return found


def test_strangers_with_one_photo_each_are_in_the_gallery_and_search_for_nobody() -> None:
    alone, pairs = found_by(engine(5, 1)), found_by(engine(5, 2))
    assert (alone.persons, alone.non_mated, alone.are_strangers) == (11, 6, False)
    assert (pairs.persons, pairs.non_mated, pairs.are_strangers) == (11, 5, True)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (engine(5, 2), "5 searches for strangers"),
        (engine(5, 1), "6 searches that could find nobody, the owner left out"),
        (engine(0, 1), "6 searches that could find nobody, the owner left out"),
    ],
)
def test_the_page_says_whose_searches_set_the_threshold(told: Engine, words: str) -> None:
    found = [Search("nothing", "", "net", "held_out", found_by(told))]
    (row,) = found[0].as_json()
    assert (row["non_mated_are"] == "strangers") == ("strangers" in words)
    nobody: Any = None  # lines are of searches alone
    lines = search_lines(Evaluation([], nobody, {}, searches=found), METHODS)
    facts = {"strangers": "crowd" if told.strangers else None}
    page = Environment(loader=PackageLoader("evaluation"), autoescape=True).get_template("searches.html.j2")
    assert words in " ".join(page.render(facts=facts, searches=found, found=lines, share_of=str).split())
