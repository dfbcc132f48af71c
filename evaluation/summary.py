"""Means over an evaluation's cells: a line per method, and the lead over noise."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, fields
from typing import NamedTuple

import numpy as np
from scipy.stats import bootstrap

from diffam_core.score import DECISION_FAR, Share
from evaluation.cells import Cell, Cost, Json
from evaluation.evaluate import Evaluation
from evaluation.method import Kind, Method
from evaluation.treatments import TREATMENTS
from protection.measuring.identification import Hits, State

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


class KnownLine(NamedTuple):
    """How many owners judges know in a method's photos after a treatment, at FAR 0.01, over its styles."""

    method: str
    title: str
    treatment: str
    shares: dict[str, Share]
    mean: Share


class SearchLine(NamedTuple):
    """What searches find for a method, by recogniser and in the mean, over its styles.

    method: empty for bare photos in a bare gallery, which are every method's.
    """

    method: str
    title: str
    query: State
    gallery: State
    hits: dict[str, Hits]
    mean: Hits


def known_lines(evaluation: Evaluation, methods: dict[str, Method]) -> list[KnownLine]:
    """A line per method and treatment; none without judges."""
    places: dict[tuple[str, str], dict[str, list[Share]]] = {}
    for opinion in evaluation.known:
        shares = places.setdefault((opinion.method, opinion.treatment), {})
        shares.setdefault(opinion.judge, []).append(opinion.shares[DECISION_FAR])
    lines = []
    for (method, treatment), shares in places.items():
        means = {judge: mean_of(each) for judge, each in shares.items()}
        lines.append(KnownLine(method, methods[method].title, treatment, means, mean_of([*means.values()])))
    return sorted(lines, key=lambda line: list(methods).index(line.method))


def missed_faces(evaluation: Evaluation) -> dict[str, tuple[int, int, int]]:
    """By treatment: in how many photos judges saw no face, of how many, over all methods; in how many of the gallery.

    Only where there was one.
    """
    told: dict[str, tuple[int, int, int]] = {}
    for opinion in evaluation.known:
        if opinion.judge == evaluation.known[0].judge:  # all judges look at the same landmarks
            missed, photos, _ = told.get(opinion.treatment, (0, 0, 0))
            told[opinion.treatment] = (missed + opinion.missed, photos + opinion.n, opinion.missed_in_gallery)
    return {name: counts for name, counts in told.items() if counts[0] or counts[2]}


def search_lines(evaluation: Evaluation, methods: dict[str, Method]) -> list[SearchLine]:
    """A line for bare photos, then one per method and states of query and gallery; none where nobody was searched.

    All are of the same recognisers, so that they can be compared: those that every method has a style for that was not
    trained against them.
    """
    fair = [search for search in evaluation.searches if search.role == "held_out"]
    asked = {search.recogniser for search in fair}
    for method in {search.method for search in evaluation.searches}:
        asked &= {search.recogniser for search in fair if search.method == method}
    places: dict[tuple[str, State, State], dict[str, list[Hits]]] = {}
    for name in ("", *methods):
        for search in fair:
            for (query, gallery), hits in search.found.cases.items():
                is_line_of = "" if query == gallery == "bare" else search.method
                if name == is_line_of and search.recogniser in asked:
                    by_recogniser = places.setdefault((name, query, gallery), {})
                    by_recogniser.setdefault(search.recogniser, []).append(hits)
    lines = []
    for (name, query, gallery), found in places.items():
        means = {recogniser: _mean_hits(each) for recogniser, each in found.items()}
        title = methods[name].title if name else "any photo"
        lines.append(SearchLine(name, title, query, gallery, means, _mean_hits([*means.values()])))
    return lines


def _mean_hits(hits: Sequence[Hits]) -> Hits:
    fives = [each.rank_5 for each in hits if each.rank_5]
    return Hits(
        rank_1=mean_of([each.rank_1 for each in hits]),
        rank_5=mean_of(fives) if len(fives) == len(hits) else None,
        tpir=mean_of([each.tpir for each in hits]),
    )


def mean_of(shares: Sequence[Share]) -> Share:
    """The mean of shares of the same people; the means of their intervals' ends, which is never too narrow."""
    low, high = (float(np.mean([share.ci95[end] for share in shares])) for end in (0, 1))
    return Share(float(np.mean([share.value for share in shares])), (round(low, 4), round(high, 4)))


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
