"""How often a person notices the change: a quiz of pairs, original and protected, "which one was protected?"

    python -m benchmarks.which_is_protected PEOPLE [--faces 12] [--reference everyday] [--effort thorough] [--seed 0]
        [--out FILE.html]

Writes one page that opens in any browser, from the disk, counts the answers and tells how likely guessing does as well;
it saves them as JSON. Every photo is shown as head and shoulders and whole, left or right by chance. Both of a pair
went through the same encoder as often, and have the same format, quality and pixels. The page holds its own solution:
no riddle for who reads its source. It shows faces: keep it to yourself where they are of real people.
"""

import argparse
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, select_autoescape
from rich.console import Console
from scipy.stats import binom

from benchmarks.pairs import Pair, head_of, open_served, pairs_of, resized, unseen_photos, wished
from cli.commit import commit
from diffam_core.images import Photo, encode_photo
from jobs.settings import Settings

HEAD_PX, WHOLE_PX = 640, 1024
"""Side of a head, and the most pixels along a side of a whole photo."""
QUALITY = 95
SIDES = ("left", "right")
console = Console(highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class Question:
    """What is shown on each side, head and whole photo as data URLs, and on which the protected photo is."""

    sides: tuple[tuple[str, str], tuple[str, str]]
    protected: int


def p_values(count: int) -> list[float]:
    """By number of right answers, 0 to `count`: how probably who guesses has as many or more."""
    return [float(p) for p in binom.sf(np.arange(count + 1) - 1, count, 0.5)]


def ask(pair: Pair, protected: int) -> Question:
    """The question with the protected photo on the left, 0, or on the right, 1."""
    original, finished = (_pictures(photo, pair) for photo in (pair.original, pair.finished))
    return Question((original, finished) if protected else (finished, original), protected)


def _pictures(photo: Photo, pair: Pair) -> tuple[str, str]:
    height, width = photo.shape[:2]
    scale = min(1.0, WHOLE_PX / max(height, width))
    whole = resized(photo, (round(width * scale), round(height * scale)))
    return _url(head_of(photo, pair.face, HEAD_PX)), _url(whole)


def _url(photo: Photo) -> str:
    return "data:image/jpeg;base64," + b64encode(encode_photo(photo, "jpeg", QUALITY)).decode()


def write_quiz(questions: Sequence[Question], asked: dict[str, Any]) -> str:
    """The page; `asked` goes into the JSON that it saves."""
    page = Environment(loader=PackageLoader("benchmarks"), autoescape=select_autoescape(["html", "j2"]))
    facts = {
        "asked": asked,
        "protected": [SIDES[question.protected] for question in questions],
        "p_values": p_values(len(questions)),
    }
    return page.get_template("quiz.html.j2").render(questions=questions, sides=SIDES, facts=facts)


def main(arguments: Sequence[str] | None = None) -> None:
    """Protect, mix, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("people", type=Path)
    parser.add_argument("--faces", type=int, default=12)
    parser.add_argument("--reference", default="everyday")
    parser.add_argument("--effort", choices=("quick", "thorough"), default="thorough")
    parser.add_argument("--seed", type=int, default=0)
    settings = Settings()
    parser.add_argument("--out", type=Path, default=settings.data_dir / "which_is_protected.html")
    asked = parser.parse_args(arguments)
    bundle = open_served(settings)
    wish, chance = wished(asked.reference, asked.effort), np.random.default_rng([asked.seed, 1])
    questions = []
    for pair in pairs_of(bundle, unseen_photos(asked.people), [wish], asked.faces, asked.seed):
        questions.append(ask(pair, int(chance.integers(2))))
        console.print(f"{len(questions)} of {asked.faces} photos")
    if not questions:
        raise SystemExit(f"nobody in {asked.people} could be protected")
    about = vars(asked) | {"people": asked.people.name, "out": None, "n": len(questions), "commit": commit()}
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(write_quiz(questions, about), encoding="utf-8")
    console.print(f"{asked.out}: {len(questions)} pairs. Open it in a browser.")


if __name__ == "__main__":
    main()
