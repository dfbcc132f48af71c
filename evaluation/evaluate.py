"""The evaluation: every method on every task, judged by every recogniser after every treatment.

A task is what one shipped style was trained for: a reference, a target, the recogniser it never saw. Recognisers that
no style attacks are held out everywhere.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from time import perf_counter

import numpy as np

from diffam_core.faces.face import stack_portraits
from diffam_core.images import Photo
from diffam_core.score import Embeddings, compare, embed
from evaluation.cells import Cell, Cost
from evaluation.judge import MATCHING_FACES, VisibleCost, lip_distance, views_of, visible_cost
from evaluation.judged.judging import Bench, Known, bench_of, judged, known
from evaluation.method import Method
from evaluation.noise import LITERATURE_EPS
from evaluation.subjects import OnProgress, Subjects, save, save_and_open
from evaluation.treatments import TREATMENTS
from model_store.bundle import Bundle
from model_store.catalog import StyleCard
from model_store.training.new_style import reference_pictures

SHEET_FACES = 6


@dataclass(frozen=True)
class Outcome:
    """What one method made of all photos: embeddings per treatment and recogniser, its cost, a few photos to show.

    lip_distance: by reference.  files: the first finished files, as many as were asked for.
    judged: embeddings of judges, by treatment.
    """

    embeddings: dict[str, Embeddings]
    cost: VisibleCost
    lip_distance: dict[str, float]
    seconds: float
    eps: float | None
    shown: list[Photo]
    files: list[bytes]
    judged: dict[str, Embeddings]


@dataclass(frozen=True)
class Evaluation:
    """All that was measured; `outcomes` by method and `outcome_key`, `known` by recognisers that people run."""

    cells: list[Cell]
    subjects: Subjects
    outcomes: dict[tuple[str, str], Outcome] = field(repr=False)
    known: list[Known] = field(default_factory=list)

    @property
    def held_out(self) -> list[Cell]:
        """The cells of recognisers that the task's style was never trained against."""
        return [cell for cell in self.cells if cell.role == "held_out"]


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
    bench = None if bundle.judges is None else bench_of(bundle.judges, subjects)
    ordered = sorted(methods, key=lambda name: methods[name].kind == "noise")
    todo = [(name, outcome_key(methods[name], task), task) for name in ordered for task in tasks]
    budgets: dict[str, float] = {}
    for done, (name, key, task) in enumerate(todo):
        on_progress(name, done, len(todo))
        if (name, key) in outcomes:
            continue
        if methods[name].kind == "noise" and name not in budgets:
            ours = [outcome.cost.first_ssim for (other, _), outcome in outcomes.items() if other == "diffam"]
            if eps is None and ours:
                budgets[name] = _match_eps(bundle, subjects, methods[name], task, float(np.mean(ours)))
            else:
                budgets[name] = eps or LITERATURE_EPS
        outcomes[name, key] = _outcome(bundle, subjects, methods[name], task, budgets.get(name), keep_files, bench)
    on_progress("done", len(todo), len(todo))
    cells = [
        cell
        for name, method in methods.items()
        for task in tasks
        for cell in _cells(bundle, name, task, outcomes[name, outcome_key(method, task)], own)
    ]
    opinions = [
        opinion
        for (name, key), outcome in outcomes.items()
        for opinion in (known(bench, outcome.judged, name, key) if bench else ())
    ]
    return Evaluation(cells, subjects, outcomes, opinions)


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
    bundle: Bundle, subjects: Subjects, method: Method, task: StyleCard, eps: float | None, keep_files: int,
    bench: Bench | None,
) -> Outcome:  # fmt: skip
    models = bundle.models
    started = perf_counter()
    photos = method.protect(bundle, subjects, task, eps or 0.0)
    seconds = (perf_counter() - started) / len(photos)
    finished = [save_and_open(photo) for photo in photos] if method.kind != "nothing" else photos
    treatments = {"clean": TREATMENTS["clean"]} if method.kind == "control" else TREATMENTS
    seen = views_of(models, finished, subjects.found, treatments)
    views = stack_portraits(finished, subjects.found, models.view_px)
    return Outcome(
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
        judged={} if bench is None else judged(bench, subjects, finished, list(treatments)),
    )


def _cells(bundle: Bundle, name: str, task: StyleCard, outcome: Outcome, own: Embeddings) -> Iterator[Cell]:
    """A cell for each treatment and recogniser. own: embeddings of the subjects' other photos."""
    models, cost = bundle.models, _cost(outcome, task)
    target = embed(models, bundle.targets[task.target].test)
    for treatment, seen in outcome.embeddings.items():
        people = compare(models.recognisers, own, seen, target)
        for judge, recogniser in models.recognisers.items():
            matches = [person[judge] for person in people]
            yield Cell(name, task, treatment, judge, recogniser.thresholds, matches, cost)


def _cost(outcome: Outcome, task: StyleCard) -> Cost:
    seen = {name: round(value, 4) for name, value in asdict(outcome.cost).items() if name != "first_ssim"}
    return Cost(
        **seen,
        lip_distance=round(outcome.lip_distance[task.reference], 2),
        seconds=round(outcome.seconds, 4),
        eps_255=None if outcome.eps is None else round(outcome.eps * 255 / 2, 2),
    )
