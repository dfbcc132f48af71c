"""The verdict keeps to its rule, and says in plain words what it rests on."""

import itertools

import pytest

from diffam_client.contract.report import Word
from diffam_core.score import Cosines
from protection.measuring.survival import PROFILES
from protection.measuring.verdict import FINISHED, passes, verdict


def _match(is_fooled: bool) -> Cosines:
    return Cosines(1.0, 0.49 if is_fooled else 0.5, 0.0, 0.0, threshold=0.5)


def _seen(**fooled: dict[str, bool]) -> dict[str, dict[str, Cosines]]:
    return {view: {name: _match(is_fooled) for name, is_fooled in row.items()} for view, row in fooled.items()}


@pytest.mark.parametrize(
    ("finished", "half", "word"),
    [
        ({"ir152": True, "vit": True}, {"ir152": True, "vit": True}, "strong"),
        ({"ir152": True, "vit": True}, {"ir152": True, "vit": False}, "partial"),
        ({"ir152": False, "vit": True}, {"ir152": True, "vit": True}, "partial"),
        ({"ir152": False, "vit": True}, {"ir152": True, "vit": False}, "weak"),
        ({"ir152": False, "vit": False}, {"ir152": False, "vit": False}, "weak"),
        ({"a": True, "b": False, "c": False}, {"a": True, "b": False, "c": False}, "weak"),
        ({"a": True, "b": True, "c": False}, {"a": True, "b": True, "c": False}, "partial"),
    ],
)
def test_a_recogniser_is_fooled_only_if_it_is_fooled_in_every_view(
    finished: dict[str, bool], half: dict[str, bool], word: Word
) -> None:
    assert verdict(_seen(finished=finished, half=half), {}).word == word


def test_measuring_more_never_makes_a_verdict_better() -> None:
    order = ["weak", "partial", "strong"]
    for a, b, c, d in itertools.product([True, False], repeat=4):
        few = _seen(finished={"ir152": a, "vit": b})
        more = few | _seen(jpeg50={"ir152": c, "vit": d})
        assert order.index(verdict(more, {}).word) <= order.index(verdict(few, {}).word)


def test_nobody_independent_to_ask_is_not_a_success() -> None:
    assert verdict({FINISHED: {}}, {}).word == "weak"
    assert not passes([])


@pytest.mark.parametrize(
    ("seen", "sentence"),
    [
        (_seen(finished={"vit": True}), "vit no longer recognises the owner in this photo."),
        (
            _seen(finished={"ir152": True, "vit": True}, jpeg75={"ir152": True, "vit": True}),
            "ir152 and vit no longer recognise the owner in this photo, nor after saving it as an ordinary JPEG.",
        ),
        (
            _seen(finished={"ir152": False, "vit": True}, half={"ir152": False, "vit": True}),
            "ir152 still recognises the owner in this photo; vit does not.",
        ),
        (
            _seen(
                finished={"ir152": False, "vit": True},
                half={"ir152": False, "vit": False},
                blur={"ir152": True, "vit": False},
            ),
            "ir152 still recognises the owner in this photo; vit does after halving its size or a slight blur.",
        ),
        (
            _seen(finished={"ir152": True, "vit": True}, screenshot={"ir152": True, "vit": False}),
            "vit recognises the owner after a screenshot; ir152 does not.",
        ),
    ],
)
def test_the_sentence_names_who_still_recognises_the_owner_and_when(
    seen: dict[str, dict[str, Cosines]], sentence: str
) -> None:
    assert verdict(seen, {}).sentence == sentence


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_has_words_for_the_sentence(name: str) -> None:
    said = verdict(_seen(finished={"vit": True}) | _seen(**{name: {"vit": False}}), {}).sentence
    assert said == f"vit recognises the owner after {PROFILES[name].happens}."


def test_nothing_is_strong_while_one_that_was_attacked_still_recognises_the_owner() -> None:
    hidden, known = _seen(finished={"dlib": True}), _seen(finished={"dlib": False})
    attacked = {"sface": _match(False), "faceres": _match(True)}
    partial = verdict(hidden, attacked)
    assert partial.word == "partial"
    assert partial.sentence == (
        "dlib no longer recognises the owner in this photo. sface still recognises the owner, although attacked."
    )
    assert verdict(hidden, {"faceres": _match(True)}).word == "strong"
    assert verdict(known, attacked).word == "weak"
