"""Captions of rendered faces: a bank of sentences, and which of them are true of which face."""

from collections.abc import Callable

import torch
from torch import Tensor

from model_store.rendered.people import BLUSH_COLOURS, LIP_COLOURS, SHADOW_COLOURS, Face

Judge = Callable[[Face], Tensor]
TEMPLATES = ("{}", "a photo of a {}", "a portrait of a {}", "a picture of a {}")
"""How a noun phrase may be said; text directions are averaged over them."""


def wears(part: str) -> Judge:
    """Whether the part is made up."""
    return lambda face: face[f"{part}_strength"] > 0


def wears_colour(part: str, index: int) -> Judge:
    """Whether the part wears the colour of that index in its table."""
    return lambda face: (face[f"{part}_strength"] > 0) & (face[f"{part}_name"] == index)


def within(name: str, low: float, high: float) -> Judge:
    """Whether a number of the face lies in [low, high)."""
    return lambda face: (face[name] >= low) & (face[name] < high)


def without(judge: Judge) -> Judge:
    """The opposite."""
    return lambda face: ~judge(face)


def _phrases() -> dict[str, Judge]:
    phrases: dict[str, Judge] = {
        "face with makeup": wears("lips"),
        "face without makeup": without(wears("lips")),
        "face with lipstick": wears("lips"),
        "face with bare lips": without(wears("lips")),
        "face with eyeshadow": wears("shadow"),
        "face with bare eyes": without(wears("shadow")),
        "face with dark skin": within("melanin", 0.65, 2.0),
        "face with light skin": within("melanin", -1.0, 0.35),
        "face with blond hair": lambda face: (face["hair_melanin"] < 0.2) & (face["hair_grey"] < 0.3),
        "face with black hair": lambda face: (face["hair_melanin"] > 0.75) & (face["hair_grey"] < 0.3),
        "face with grey hair": within("hair_grey", 0.5, 2.0),
        "smiling face": within("smile", 0.045, 1.0),
    }
    for part, noun, colours in (
        ("lips", "lipstick", LIP_COLOURS),
        ("shadow", "eyeshadow", SHADOW_COLOURS),
        ("blush", "blush", BLUSH_COLOURS),
    ):
        for index, colour in enumerate(colours):
            phrases[f"face with {colour} {noun}"] = wears_colour(part, index)
    return phrases


PHRASES = _phrases()
BANK: dict[str, Judge] = {template.format(phrase): judge for phrase, judge in PHRASES.items() for template in TEMPLATES}


def truths(face: Face) -> Tensor:
    """`(n, len(BANK))` of 0 and 1: which caption is true of which face."""
    return torch.stack([judge(face) for judge in BANK.values()], dim=1).float()


def prompts(phrase: str) -> list[str]:
    """A phrase said in every way of `TEMPLATES`."""
    return [template.format(phrase) for template in TEMPLATES]
