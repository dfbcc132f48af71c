"""The evaluation: every method on every task, judged by every recogniser after every treatment.

A task is what one shipped style was trained for: a reference, a target, the recogniser it never saw. Recognisers that
no style attacks are held out everywhere.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffam_core.faces.face import stack_portraits
from diffam_core.images import Photo
from diffam_core.models import FalseAcceptRate
from diffam_core.score import Embeddings, compare, embed
from evaluation.judge import MATCHING_FACES, VisibleCost, lip_distance, rate, views_of, visible_cost
from evaluation.method import Method
from evaluation.noise import LITERATURE_EPS
from evaluation.subjects import OnProgress, Subjects, save, save_and_open
from evaluation.treatments import TREATMENTS
from model_store.bundle import Bundle
from model_store.catalog import StyleCard
from model_store.training.new_style import reference_pictures

FALSE_ACCEPT_RATES: tuple[FalseAcceptRate, ...] = ("0.1", "0.01", "0.001")
SHEET_FACES = 6


@dataclass(frozen=True)
class Outcome:
    """What one method made of all photos: embeddings per treatment and recogniser, what it costs, a few photos to show.

    `files` are the first finished files, as many as were asked for.
    """

    method: str
    embeddings: dict[str, Embeddings]
    cost: VisibleCost
    lip_distance: dict[str, float]
    seconds: float
    eps: float | None
    shown: list[Photo]
    files: list[bytes]


@dataclass(frozen=True)
class Evaluation:
    """All that was measured: `rows` one per method, judge never attacked, target and treatment; `matches` every judge.

    `hits` keeps, per row, who was taken for the target, for intervals of means over rows.
    """

    rows: list[dict[str, Any]]
    matches: list[dict[str, Any]]
    hits: list[NDArray[np.bool_]]
    subjects: Subjects
    outcomes: dict[tuple[str, str], Outcome] = field(repr=False)


def outcome_key(method: Method, task: StyleCard) -> str:
    """What tells a method's outcomes apart: tasks that are alike to the method share one."""
    return "/".join(str(getattr(task, name)) for name in method.depends_on)


def evaluate(
    bundle: Bundle,
    subjects: Subjects,
    methods: dict[str, Method],
    on_progress: OnProgress,
    eps: float | None = None,
    keep_files: int = 0,
) -> Evaluation:
    """Run and judge `methods` on all styles of the bundle.

    eps: the noise budget on the scale of [-1, 1]; None gives each noise method the one at which its photos have the
    SSIM of `diffam`, matched on the first people; 8/255 where `diffam` is not run.
    keep_files: of how many people the finished files stay in memory.
    """
    tasks = bundle.catalog.styles
    outcomes: dict[tuple[str, str], Outcome] = {}
    own = embed(bundle.models, subjects.others)
    ordered = sorted(methods, key=lambda name: methods[name].kind == "noise")
    todo = [(name, outcome_key(methods[name], task), task) for name in ordered for task in tasks]
    budgets: dict[str, float] = {}
    for done, (name, key, task) in enumerate(todo):
        on_progress(name, done, len(todo))
        if (name, key) in outcomes:
            continue
        if methods[name].kind == "noise" and name not in budgets:
            ours = [outcome.cost.first_ssim for outcome in outcomes.values() if outcome.method == "diffam"]
            if eps is None and ours:
                budgets[name] = _match_eps(bundle, subjects, methods[name], task, float(np.mean(ours)))
            else:
                budgets[name] = eps or LITERATURE_EPS
        outcomes[name, key] = _outcome(bundle, subjects, name, methods[name], task, budgets.get(name), keep_files)
    on_progress("done", len(todo), len(todo))
    rows, matches, hits = [], [], []
    for name in methods:
        for task in tasks:
            outcome = outcomes[name, outcome_key(methods[name], task)]
            for row, hit in _judge(bundle, task, outcome, own):
                matches.append(row)
                if row["role"] == "held_out":
                    hits.append(hit)
                    rows.append(row | _costs(outcome, task))
    return Evaluation(rows, matches, hits, subjects, outcomes)


def _match_eps(bundle: Bundle, subjects: Subjects, method: Method, task: StyleCard, ssim: float) -> float:
    """The budget at which a noise method's photos have this SSIM: log(1 - SSIM) is linear in log eps."""
    few = subjects.first(MATCHING_FACES)
    tried: list[tuple[float, float]] = []
    for eps in (LITERATURE_EPS / 2, LITERATURE_EPS):
        finished = [save_and_open(photo) for photo in method.protect(bundle, few, task, eps)]
        views = stack_portraits(finished, few.found, bundle.models.view_px)
        tried.append((np.log(eps), np.log(1 - visible_cost(bundle.models, few, finished, views).ssim)))
    (x_0, y_0), (x_1, y_1) = tried
    return float(np.exp(x_0 + (np.log(1 - ssim) - y_0) * (x_1 - x_0) / (y_1 - y_0)))


def _outcome(
    bundle: Bundle,
    subjects: Subjects,
    name: str,
    method: Method,
    task: StyleCard,
    eps: float | None,
    keep_files: int,
) -> Outcome:
    models = bundle.models
    started = perf_counter()
    photos = method.protect(bundle, subjects, task, eps or 0.0)
    seconds = (perf_counter() - started) / len(photos)
    finished = [save_and_open(photo) for photo in photos] if method.kind != "nothing" else photos
    treatments = {"clean": TREATMENTS["clean"]} if method.kind == "control" else TREATMENTS
    seen = views_of(models, finished, subjects.found, treatments)
    views = stack_portraits(finished, subjects.found, models.view_px)
    return Outcome(
        method=name,
        embeddings={label: embed(models, each) for label, each in seen.items()},
        cost=visible_cost(models, subjects, finished, views),
        lip_distance={
            name: lip_distance(subjects, views, reference_pictures(bundle, name))
            for name in {task.reference for task in bundle.catalog.styles}
        },
        seconds=seconds + (subjects.invert_s if method.kind == "make-up" else 0.0),
        eps=eps,
        shown=finished[:SHEET_FACES],
        files=[save(photo) for photo in photos[:keep_files]],
    )


def _judge(
    bundle: Bundle, task: StyleCard, outcome: Outcome, own: Embeddings
) -> Iterator[tuple[dict[str, Any], NDArray[np.bool_]]]:
    """A row for each treatment and recogniser, with who was taken for the target at FAR 0.01."""
    target = embed(bundle.models, bundle.targets[task.target].test)
    for treatment, seen in outcome.embeddings.items():
        people = compare(bundle.models, own, seen, target)
        for name, recogniser in bundle.models.recognisers.items():
            matches = [person[name] for person in people]
            to_target = np.array([match.target_after for match in matches])
            row: dict[str, Any] = {
                "method": outcome.method, "held_out": name, "target": task.target, "treatment": treatment,
                "reference": task.reference, "role": task.role_of(name), "n": len(to_target),
            }  # fmt: skip
            for far in FALSE_ACCEPT_RATES:
                share, interval = rate(to_target >= recogniser.thresholds[far])
                row |= {f"asr_far_{far}": share, f"asr_far_{far}_ci95": interval}
            share, interval = rate(np.array([not match.is_dodged for match in matches]))
            row |= {"own_match": share, "own_match_ci95": interval}
            row |= {"dodging_rate": 1 - share, "dodging_rate_ci95": [round(1 - bound, 4) for bound in interval[::-1]]}
            yield row, np.array([match.is_impersonating for match in matches])


def _costs(outcome: Outcome, task: StyleCard) -> dict[str, Any]:
    rounded = {name: round(value, 4) for name, value in asdict(outcome.cost).items() if name != "first_ssim"}
    return rounded | {
        "lip_distance": round(outcome.lip_distance[task.reference], 2),
        "seconds": round(outcome.seconds, 4),
        "eps_255": None if outcome.eps is None else round(outcome.eps * 255 / 2, 2),
    }


def mean_rate(
    evaluation: Evaluation, method: str, treatment: str, judges: Collection[str]
) -> tuple[float, list[float]]:
    """Mean ASR at FAR 0.01 over targets and judges, with a 95 % interval from 1000 draws of people (bootstrap)."""
    picked = [
        hit
        for row, hit in zip(evaluation.rows, evaluation.hits, strict=True)
        if (row["method"], row["treatment"]) == (method, treatment) and row["held_out"] in judges
    ]
    table = np.stack(picked).astype(float)
    draws = np.random.default_rng(0).integers(0, table.shape[1], (1000, table.shape[1]))
    means = table.mean(axis=0)[draws].mean(axis=1)
    return float(table.mean()), [round(float(bound), 4) for bound in np.quantile(means, [0.025, 0.975])]


def mean_of(rows: Sequence[dict[str, Any]], column: str) -> float:
    """Mean of a column."""
    return float(np.mean([row[column] for row in rows]))
