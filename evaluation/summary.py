"""Means over an evaluation's cells: a line per method, and the lead over noise."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap

from diffam_core.models import FalseAcceptRate
from diffam_core.score import DECISION_FAR, Share
from evaluation.cells import Cell, Cost, Json
from evaluation.evaluate import Evaluation
from evaluation.judged.judging import Known
from evaluation.method import EQUALS, Equal, Kind, Method
from evaluation.treatments import TREATMENTS
from protection.measuring.identification import Hits, State

PAPER_GAIN = 12.98
"""Points by which the paper's method leads its best rival (table 1)."""
Asked = Literal["target", "owner"]
"""What is asked of finished files: are they taken for the target, or, where there is none, is their owner known?"""
STRICT_FAR: FalseAcceptRate = "0.001"
COLUMNS: dict[Asked, str] = {"target": "asr", "owner": "own_match_by"}
"""How `Line.shares` are written."""


@dataclass(frozen=True)
class Line:
    """A method on finished files, over all tasks.

    shares: of people who are taken for the target at FAR 0.01, by held-out recogniser; of owners who are known, where
    `asked` says so.  mean: of those recognisers that some style attacks; strict: the same at FAR 0.001.
    own_match, own_match_unseen: how often they, and those that no style ever met, still know the owner; own_match_all:
    how often all do, attacked ones, too.  treatments: `mean` after each.
    """

    method: str
    title: str
    kind: Kind
    n: int
    asked: Asked
    shares: dict[str, Share]
    mean: Share
    strict: Share
    own_match: float
    own_match_unseen: float
    own_match_all: float
    cost: Cost
    treatments: dict[str, Share]
    equal: Equal = "ssim"

    def as_json(self) -> Json:
        """The line as it is written: what it costs stands among the rest."""
        line: Json = asdict(self)
        del line["cost"], line["treatments"], line["equal"], line["asked"]
        line[COLUMNS[self.asked]], line["mean_far_0.001"] = line.pop("shares"), line.pop("strict")
        return line | asdict(self.cost) | {"treatments": self.treatments}


@dataclass(frozen=True)
class Gain:
    """Points of mean between `diffam` and the best noise, `over`, at equal SSIM or PSNR, and the SSIM and PSNR of both.

    Points of people taken for the target; of owners who are not known, where that is asked: the paper has none of them.
    """

    over: str
    points: float
    paper_points: float | None
    ssim: float
    noise_ssim: float
    psnr_db: float
    noise_psnr_db: float
    equal: Equal


class KnownLine(NamedTuple):
    """How many owners judges that were held out know in a method's photos after a treatment, over its styles.

    shares, mean: at FAR 0.01.  strict: the mean at FAR 0.001.
    """

    method: str
    title: str
    treatment: str
    shares: dict[str, Share]
    mean: Share
    strict: Share


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
    """A line per method and treatment; none without judges. Of judges that were held out for every method."""
    fair = [opinion for opinion in evaluation.known if opinion.role == "held_out"]
    asked = {opinion.judge for opinion in fair}
    for method in {opinion.method for opinion in evaluation.known}:
        asked &= {opinion.judge for opinion in fair if opinion.method == method}
    places: dict[tuple[str, str], dict[str, list[Known]]] = {}
    for opinion in fair:
        if opinion.judge in asked:
            heard = places.setdefault((opinion.method, opinion.treatment), {})
            heard.setdefault(opinion.judge, []).append(opinion)
    lines = []
    for (method, treatment), heard in places.items():
        means, strict = (
            {judge: mean_of([opinion.shares[far] for opinion in each]) for judge, each in heard.items()}
            for far in (DECISION_FAR, STRICT_FAR)
        )
        both = (mean_of([*shares.values()]) for shares in (means, strict))
        lines.append(KnownLine(method, methods[method].title, treatment, means, *both))
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
    return [_line(evaluation, name, method) for name, method in methods.items()]


def asked_of(evaluation: Evaluation) -> Asked:
    """Whether photos should be taken for somebody: not where one of the tasks has no target."""
    return "owner" if any(cell.target is None for cell in evaluation.cells) else "target"


def _line(evaluation: Evaluation, name: str, method: Method) -> Line:
    (attacked, unseen), asked = judges(evaluation), asked_of(evaluation)
    mine = [cell for cell in evaluation.held_out if cell.method == name]
    clean = [cell for cell in mine if cell.treatment == "clean"]
    of_attacked = [cell for cell in mine if cell.recogniser in attacked]
    first = [cell for cell in of_attacked if cell.treatment == "clean"]
    everybody = [cell for cell in evaluation.cells if (cell.method, cell.treatment) == (name, "clean")]
    hits = Cell.taken if asked == "target" else Cell.knows
    shares = partial(mean_rate, hits=hits)
    return Line(
        method=name,
        title=method.title,
        kind=method.kind,
        n=len(clean[0].own),
        asked=asked,
        shares={judge: shares([c for c in clean if c.recogniser == judge]) for judge in (*attacked, *unseen)},
        mean=shares(first),
        strict=mean_rate(first, hits=lambda cell: hits(cell, STRICT_FAR)),
        own_match=_mean_known(clean, attacked),
        own_match_unseen=_mean_known(clean, unseen or attacked),
        own_match_all=_mean_known(everybody, {cell.recogniser for cell in everybody}),
        cost=_mean_cost(clean),
        treatments={
            treatment: shares([cell for cell in of_attacked if cell.treatment == treatment])
            for treatment in TREATMENTS
            if treatment in {cell.treatment for cell in mine}
        },
        equal=method.equal,
    )


def mean_rate(cells: Sequence[Cell], hits: Callable[[Cell], NDArray[np.bool_]] = Cell.taken) -> Share:
    """Mean over cells of the same people, two or more, with an interval from 1000 draws of people.

    hits: of whom it is the share, by default those taken for the target at FAR 0.01.
    """
    people = np.stack([hits(cell) for cell in cells]).mean(axis=0)
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


def gains(table: Sequence[Line]) -> list[Gain]:
    """The lead over the best noise at each budget that was measured."""
    return [found for equal in EQUALS if (found := gain(table, equal)) is not None]


def gain(table: Sequence[Line], equal: Equal = "ssim") -> Gain | None:
    """The lead over the best noise at equal SSIM or PSNR. None when `diffam` or every such noise was not run."""
    noise = [line for line in table if (line.kind, line.equal) == ("noise", equal)]
    ours = [line for line in table if line.method == "diffam"]
    if not noise or not ours:
        return None
    sign = 1 if ours[0].asked == "target" else -1
    best = max(noise, key=lambda line: sign * line.mean.value)
    return Gain(
        over=best.title,
        points=round(100 * sign * (ours[0].mean.value - best.mean.value), 2),
        paper_points=PAPER_GAIN if ours[0].asked == "target" else None,
        ssim=round(ours[0].cost.ssim, 4),
        noise_ssim=round(best.cost.ssim, 4),
        psnr_db=round(ours[0].cost.psnr_db, 2),
        noise_psnr_db=round(best.cost.psnr_db, 2),
        equal=equal,
    )
