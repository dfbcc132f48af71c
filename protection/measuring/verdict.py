"""One word and one sentence on how well a finished photo hides its owner.

The rule: only recognisers that nothing attacked count, and where recognisers of libraries judge,
only those. One is fooled only if it fails to match the owner, at the threshold of one false match in a hundred, in the
finished file and after every treatment that was measured. All fooled is strong, at least half partial, anything else
weak. Measuring after more treatments can only make it weaker; and where even one that was attacked still matches the
owner in the finished file, nothing is strong.
"""

from collections.abc import Collection, Mapping

from diffam_client.contract.report import Verdict, Word
from diffam_core.score import Cosines
from protection.measuring.survival import PROFILES

FINISHED = "finished"
"""The name of the finished file itself beside those of survival profiles."""


def passes(fooled: Collection[bool]) -> bool:
    """The bar: there are held-out recognisers, and every one of them is fooled."""
    return bool(fooled) and all(fooled)


def verdict(seen: Mapping[str, Mapping[str, Cosines]], attacked: Mapping[str, Cosines]) -> Verdict:
    """What held-out recognisers make of one face.

    seen: their matches by name, for `FINISHED` and for every survival profile that was measured.
    attacked: matches in the finished file of those that were attacked.
    """
    matched: dict[str, list[str]] = {name: [] for name in seen[FINISHED]}
    for view, found in seen.items():
        for name, match in found.items():
            if not match.is_dodged:
                matched[name].append(view)
    word = _word([not views for views in matched.values()])
    sentence = _sentence(matched, [view for view in seen if view != FINISHED])
    if immune := [name for name, match in attacked.items() if not match.is_dodged]:
        word = "partial" if word == "strong" else word
        sentence = f"{sentence} {_listed(immune, 'and')} still {_verb(immune)} the owner, although attacked."
    return Verdict(word=word, sentence=sentence)


def _word(fooled: Collection[bool]) -> Word:
    if passes(fooled):
        return "strong"
    return "partial" if fooled and 2 * sum(fooled) >= len(fooled) else "weak"


def _sentence(matched: Mapping[str, list[str]], treatments: list[str]) -> str:
    if not matched:
        return "No recogniser that this make-up was not trained against was there to judge it."
    still = {name: views for name, views in matched.items() if views}
    if not still:
        after = f", nor after {_listed([PROFILES[name].happens for name in treatments], 'or')}" if treatments else ""
        return f"{_listed(list(matched), 'and')} no longer {_verb(matched)} the owner in this photo{after}."
    clauses = []
    if always := [name for name, views in still.items() if FINISHED in views]:
        clauses.append(f"{_listed(always, 'and')} still {_verb(always)} the owner in this photo")
    for name in (name for name in still if name not in always):
        verb = "does" if clauses else "recognises the owner"
        clauses.append(f"{name} {verb} after {_listed([PROFILES[view].happens for view in still[name]], 'or')}")
    if fooled := [name for name in matched if name not in still]:
        clauses.append(f"{_listed(fooled, 'and')} {'does' if len(fooled) == 1 else 'do'} not")
    return "; ".join(clauses) + "."


def _verb(names: Collection[str]) -> str:
    return "recognises" if len(names) == 1 else "recognise"


def _listed(words: list[str], joined_by: str) -> str:
    """One, or two joined, or a list with commas."""
    *rest, last = words
    return f"{', '.join(rest)} {joined_by} {last}" if rest else last
