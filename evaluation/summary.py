"""Means over an evaluation's cells: a line per method, and the lead over noise."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
from scipy.stats import bootstrap

from diffam_core.score import Share
from evaluation.cells import Cell, Cost, Json
from evaluation.evaluate import Evaluation
from evaluation.method import Kind, Method
from evaluation.treatments import TREATMENTS

PAPER_GAIN = 12.98
"""Points by which the paper's method leads its best rival (table 1)."""


@dataclass(frozen=True)
class Line:
    """A method on finished files, over all targets.

    asr: taken for the target at FAR 0.01, by held-out recogniser.  mean: of those that some style attacks.
    own_match, own_match_unseen: how often they, and those that no style ever met, still know the owner.
    treatments: `mean` after each.
    """

    method: str
    title: str
    kind: Kind
    n: int
    asr: dict[str, Share]
    mean: Share
    own_match: float
    own_match_unseen: float
    cost: Cost
    treatments: dict[str, Share]

    def as_json(self) -> Json:
        """The line as it is written: what it costs stands among the rest."""
        line: Json = asdict(self)
        del line["cost"], line["treatments"]
        return line | asdict(self.cost) | {"treatments": self.treatments}


@dataclass(frozen=True)
class Gain:
    """Points of mean ASR between `diffam` and the best noise, `over`, and the SSIM of both."""

    over: str
    points: float
    paper_points: float
    ssim: float
    noise_ssim: float


def summary(evaluation: Evaluation, methods: dict[str, Method]) -> list[Line]:
    """A line per method."""
    attacked, unseen = judges(evaluation)
    return [_line(evaluation, name, method, attacked, unseen) for name, method in methods.items()]


def _line(evaluation: Evaluation, name: str, method: Method, attacked: list[str], unseen: list[str]) -> Line:
    mine = [cell for cell in evaluation.held_out if cell.method == name]
    clean = [cell for cell in mine if cell.treatment == "clean"]
    of_attacked = [cell for cell in mine if cell.recogniser in attacked]
    treated = {cell.treatment for cell in mine}
    return Line(
        method=name,
        title=method.title,
        kind=method.kind,
        n=len(clean[0].matches),
        asr={judge: mean_rate([c for c in clean if c.recogniser == judge]) for judge in (*attacked, *unseen)},
        mean=mean_rate([cell for cell in of_attacked if cell.treatment == "clean"]),
        own_match=_mean_known(clean, attacked),
        own_match_unseen=_mean_known(clean, unseen or attacked),
        cost=_mean_cost(clean),
        treatments={t: mean_rate([c for c in of_attacked if c.treatment == t]) for t in TREATMENTS if t in treated},
    )


def mean_rate(cells: Sequence[Cell]) -> Share:
    """Mean ASR at FAR 0.01 over cells of the same people, two or more, with an interval from 1000 draws of people."""
    people = np.stack([cell.taken() for cell in cells]).mean(axis=0)
    drawn = bootstrap((people,), np.mean, n_resamples=1000, method="percentile", rng=np.random.default_rng(0))
    low, high = drawn.confidence_interval
    return Share(float(people.mean()), (round(float(low), 4), round(float(high), 4)))


def _mean_known(cells: Sequence[Cell], judges: Collection[str]) -> float:
    return float(np.mean([cell.known.value for cell in cells if cell.recogniser in judges]))


def _mean_cost(cells: Sequence[Cell]) -> Cost:
    """The budget is the first one's: a method has one."""
    names = [field.name for field in fields(Cost) if field.name != "eps_255"]
    means = {name: float(np.mean([getattr(cell.cost, name) for cell in cells])) for name in names}
    return Cost(**means, eps_255=cells[0].cost.eps_255)


def judges(evaluation: Evaluation) -> tuple[list[str], list[str]]:
    """Recognisers held out from some styles and attacked by others, then those that none attacks."""
    roles: dict[str, set[str]] = {}
    for cell in evaluation.cells:
        roles.setdefault(cell.recogniser, set()).add(cell.role)
    both = [name for name, seen in roles.items() if len(seen) == 2]
    never = [name for name, seen in roles.items() if seen == {"held_out"}]
    return (both, never) if both else (never, [])


def gain(table: Sequence[Line]) -> Gain | None:
    """None when `diffam` or every noise was not run."""
    noise = [line for line in table if line.kind == "noise"]
    ours = [line for line in table if line.method == "diffam"]
    if not noise or not ours:
        return None
    best = max(noise, key=lambda line: line.mean.value)
    return Gain(
        over=best.title,
        points=round(100 * (ours[0].mean.value - best.mean.value), 2),
        paper_points=PAPER_GAIN,
        ssim=round(ours[0].cost.ssim, 4),
        noise_ssim=round(best.cost.ssim, 4),
    )
