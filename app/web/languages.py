"""The languages that the page speaks: one file each in `languages/`, named for its tag, found by being there."""

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "languages"
DEFAULT = "en"
RANGE = re.compile(r"\s*([a-z]{1,8})(-[a-z0-9-]+)?\s*(?:;\s*q=([0-9.]{1,5}))?\s*", re.IGNORECASE)
HOUR_S, MINUTE_S = 3600, 60


@cache
def languages() -> Mapping[str, str]:
    """What each language calls itself, by its tag (BCP 47); the default first."""
    tags = sorted((file.stem for file in FOLDER.glob("*.json")), key=lambda tag: (tag != DEFAULT, tag))
    return {tag: texts_of(tag)["name"] for tag in tags}


@cache
def texts_of(tag: str) -> Mapping[str, str]:
    """Everything that the page says in that language, by what it is about."""
    texts: dict[str, str] = json.loads((FOLDER / f"{tag}.json").read_text(encoding="utf-8"))
    return texts


def saying(tag: str) -> Callable[..., str]:
    """A function of what a text is about, and of the values that it tells."""
    texts = texts_of(tag)
    return lambda about, **values: texts[about].format(**values)


def chosen(asked: str, accept_language: str) -> str:
    """The tag of the language to speak: the one that is asked for by name, else the first that the browser prefers.

    Only the primary subtag counts: whoever reads zh-TW reads zh-Hans rather than English.
    """
    if asked in languages():
        return asked
    for primary in _preferred(accept_language):
        for tag in languages():
            if tag.partition("-")[0] == primary:
                return tag
    return DEFAULT


def lasting(seconds: int, say: Callable[..., str]) -> str:
    """A span of time, in hours, minutes or seconds: the largest unit in which it is a whole number."""
    for unit_s, unit in ((HOUR_S, "h"), (MINUTE_S, "min")):
        if seconds >= unit_s and seconds % unit_s == 0:
            return say(f"time.{unit}", n=seconds // unit_s)
    return say("time.s", n=seconds)


def _preferred(accept_language: str) -> list[str]:
    """Primary subtags, the most wanted first; what is no language range is passed over."""
    found: list[tuple[float, str]] = []
    for part in accept_language[:500].split(","):
        read = RANGE.fullmatch(part)
        if read:
            try:
                weight = float(read[3] or 1)
            except ValueError:
                continue
            found.append((weight, read[1].lower()))
    return [primary for weight, primary in sorted(found, key=lambda each: -each[0]) if weight > 0]
