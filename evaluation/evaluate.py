"""The evaluation: every method on every task, judged by every recogniser after every treatment.

A task is what one shipped style was trained for: a reference, a target, the recogniser it never saw. Recognisers that
no style attacks are held out everywhere.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from time import perf_counter
from typing import TypeVar

import numpy as np

from diffam_core.faces.face import scale_face, stack_portraits
from diffam_core.images import Photo
from diffam_core.score import Embeddings, compare, embed
from evaluation.cells import Cell, Cost
from evaluation.judge import MATCHING_FACES, VisibleCost, lip_distance, views_of, visible_cost
from evaluation.judged.identification import Engine, Search, engine_of, role_of, searches
from evaluation.judged.judging import JUDGED, Bench, Known, Looked, bench_of, known
from evaluation.method import Method
from evaluation.noise import LITERATURE_EPS
from evaluation.subjects import OnProgress, Subjects, save, save_and_open
from evaluation.treatments import TREATMENTS, Treatment, treatments_of
from model_store.bundle import Bundle
from model_store.catalog import StyleCard
from model_store.datasets.people import Person
from model_store.training.new_style import reference_pictures

SHEET_FACES = 6
What = TypeVar("What")


@dataclass(frozen=True)
class Scope:
    """How much is measured.

    treatments: by name; None means all that there are, "clean" always.  eps: the noise budget on the scale of [-1, 1];
    None gives each noise method the one at which its photos have the SSIM of `diffam`, matched on the first people;
    8/255 where `diffam` is not run.  keep_files: of how many people the finished files stay in memory.
    is_searched: whether owners are looked for in a gallery, too.  strangers: who is in it besides.
    on_strangers: hears how many of their photos were looked at, of how many.
    """

    treatments: Sequence[str] | None = None
    eps: float | None = None
    keep_files: int = 0
    is_searched: bool = False
    strangers: Sequence[Person] = ()
    on_strangers: Callable[[int, int], None] = lambda _done, _total: None


EVERYTHING = Scope()


@dataclass(frozen=True)
class Outcome:
    """What one method made of all photos: embeddings per treatment and recogniser, its cost, a few photos to show.

    lip_distance: by reference.  files: the first finished files, as many as were asked for.
    judged: what judges see, by treatment.  enrolled: what a search engine sees of the second photos.
    """

    embeddings: dict[str, Embeddings]
    cost: VisibleCost
    lip_distance: dict[str, float]
    seconds: float
    eps: float | None
    shown: list[Photo]
    files: list[bytes]
    judged: dict[str, Looked]
    enrolled: Embeddings | None


@dataclass(frozen=True)
class Evaluation:
    """All that was measured; `outcomes` by method and `outcome_key`.

    known: what recognisers that people run say.  searches: of owners, by them or by the bundle's.
    """

    cells: list[Cell]
    subjects: Subjects
    outcomes: dict[tuple[str, str], Outcome] = field(repr=False)
    known: list[Known] = field(default_factory=list)
    searches: list[Search] = field(default_factory=list)

    @property
    def held_out(self) -> list[Cell]:
        """The cells of recognisers that the task's style was never trained against."""
        return [cell for cell in self.cells if cell.role == "held_out"]


@dataclass(frozen=True)
class _Room:
    """What all methods are measured with."""

    bundle: Bundle
    subjects: Subjects
    treatments: Mapping[str, Treatment]
    bench: Bench | None
    engine: Engine | None
    keep_files: int


def outcome_key(method: Method, task: StyleCard) -> str:
    """What tells a method's outcomes apart: tasks that are alike to the method share one."""
    return "/".join(str(getattr(task, name)) for name in method.depends_on)


def evaluate(
    bundle: Bundle, subjects: Subjects, methods: dict[str, Method], on_progress: OnProgress, scope: Scope = EVERYTHING
) -> Evaluation:
    """Run and judge `methods` on all styles of the bundle."""
    tasks = bundle.catalog.styles
    outcomes: dict[tuple[str, str], Outcome] = {}
    room = _furnish(bundle, subjects, scope)
    ordered = sorted(methods, key=lambda name: methods[name].kind == "noise")
    todo = [(name, outcome_key(methods[name], task), task) for name in ordered for task in tasks]
    budgets: dict[str, float] = {}
    for done, (name, key, task) in enumerate(todo):
        on_progress(name, done, len(todo))
        if (name, key) in outcomes:
            continue
        if methods[name].kind == "noise" and name not in budgets:
            ours = [outcome.cost.first_ssim for (other, _), outcome in outcomes.items() if other == "diffam"]
            if scope.eps is None and ours:
                budgets[name] = _match_eps(bundle, subjects, methods[name], task, float(np.mean(ours)))
            else:
                budgets[name] = scope.eps or LITERATURE_EPS
        outcomes[name, key] = _outcome(room, methods[name], task, budgets.get(name))
    on_progress("done", len(todo), len(todo))
    own = _own(room)
    firsts = {(name, outcome_key(methods[name], task)): task for name, _, task in reversed(todo)}
    return Evaluation(
        cells=[
            cell
            for name, method in methods.items()
            for task in tasks
            for cell in _cells(bundle, name, task, outcomes[name, outcome_key(method, task)], own)
        ],
        subjects=subjects,
        outcomes=outcomes,
        known=[
            opinion
            for (name, key), outcome in outcomes.items()
            for opinion in (known(room.bench, outcome.judged, name, key) if room.bench else ())
        ],
        searches=[
            search
            for place, outcome in outcomes.items()
            for search in _searches(room, place, methods[place[0]], firsts[place], outcome)
        ],
    )


def _furnish(bundle: Bundle, subjects: Subjects, scope: Scope) -> _Room:
    there = treatments_of(bundle)
    wanted = there if scope.treatments is None else {"clean", *scope.treatments}
    treatments = {name: treatment for name, treatment in there.items() if name in wanted}
    is_other_needed = any(treatment.is_found_by_another for treatment in treatments.values())
    bench = None if bundle.judges is None else bench_of(bundle.judges, subjects, is_other_needed)
    engine = None
    if scope.is_searched:
        engine = engine_of(bundle, subjects, bench, scope.strangers, scope.on_strangers)
    return _Room(bundle, subjects, treatments, bench, engine, scope.keep_files)


def _own(room: _Room) -> dict[bool, Embeddings]:
    """Embeddings of the subjects' other photos, by whether another detector found them."""
    bundle, subjects = room.bundle, room.subjects
    own = {False: embed(bundle.models, subjects.others)}
    for name, treatment in room.treatments.items():
        if treatment.is_found_by_another:
            views = views_of(bundle, subjects.other_photos, subjects.other_found, {name: treatment})
            own[True] = embed(bundle.models, views[name])
    return own


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


def _outcome(room: _Room, method: Method, task: StyleCard, eps: float | None) -> Outcome:
    bundle, subjects, models = room.bundle, room.subjects, room.bundle.models
    started = perf_counter()
    photos = method.protect(bundle, subjects, task, eps or 0.0)
    seconds = (perf_counter() - started) / len(photos)
    finished = [save_and_open(photo) for photo in photos] if method.kind != "nothing" else photos
    treatments = {"clean": TREATMENTS["clean"]} if method.kind == "control" else room.treatments
    embeddings, seen = _after(room, finished, treatments)
    views = stack_portraits(finished, subjects.found, models.view_px)
    return Outcome(
        embeddings=embeddings,
        cost=visible_cost(models, subjects, finished, views),
        lip_distance={
            name: lip_distance(subjects, views, reference_pictures(bundle, name))
            for name in {task.reference for task in bundle.catalog.styles}
        },
        seconds=seconds + (subjects.invert_s if method.kind == "make-up" else 0.0),
        eps=eps,
        shown=finished[:SHEET_FACES],
        files=[save(photo) for photo in photos[: room.keep_files]],
        judged=seen,
        enrolled=_enrolled(room, method, task, eps),
    )


def _after(
    room: _Room, finished: list[Photo], treatments: Mapping[str, Treatment]
) -> tuple[dict[str, Embeddings], dict[str, Looked]]:
    """What the bundle's recognisers, and judges, see after each treatment; one state of all photos at a time."""
    bundle, subjects, bench = room.bundle, room.subjects, room.bench
    embeddings, judged = dict[str, Embeddings](), dict[str, Looked]()
    for alter in dict.fromkeys(treatment.alter for treatment in treatments.values()):
        alike = {name: treatment for name, treatment in treatments.items() if treatment.alter is alter}
        states = alter(bundle, finished, subjects.found)
        faces = [
            scale_face(face, state.shape[1] / photo.shape[1])
            for face, state, photo in zip(subjects.found, states, finished, strict=True)
        ]
        for name, views in views_of(bundle, states, faces, alike).items():
            embeddings[name] = embed(bundle.models, views)
            if bench is not None and name in JUDGED:
                judged[name] = bench.see(states, faces, alike[name].is_found_by_another)
    return _ordered(embeddings, treatments), _ordered(judged, treatments)


def _ordered(seen: dict[str, What], treatments: Mapping[str, Treatment]) -> dict[str, What]:
    return {name: seen[name] for name in treatments if name in seen}


def _enrolled(room: _Room, method: Method, task: StyleCard, eps: float | None) -> Embeddings | None:
    """What a search engine sees of the second photos, made by the method, too; None where nothing is made of them."""
    engine = room.engine
    if engine is None or engine.others is None or method.kind == "nothing":
        return None
    photos = method.protect(room.bundle, engine.others, task, eps or 0.0)
    return engine.see_others([save_and_open(photo) for photo in photos], engine.others.found)


def _searches(
    room: _Room, place: tuple[str, str], method: Method, task: StyleCard, outcome: Outcome
) -> Iterator[Search]:
    """What a search engine finds among a method's photos."""
    if room.engine is None:
        return
    name, key = place
    seen = outcome.embeddings["clean"] if room.bench is None else outcome.judged["clean"].embeddings
    protected = None if method.kind == "nothing" else seen
    for recogniser, found in searches(room.engine, protected, outcome.enrolled):
        yield Search(name, key, recogniser, role_of(task, "target" in method.depends_on, recogniser), found)


def _cells(bundle: Bundle, name: str, task: StyleCard, outcome: Outcome, own: dict[bool, Embeddings]) -> Iterator[Cell]:
    """A cell for each treatment and recogniser. own: embeddings of the subjects' other photos, as `_own` gives them."""
    models, cost = bundle.models, _cost(outcome, task)
    target = embed(models, bundle.targets[task.identity].test)
    for treatment, seen in outcome.embeddings.items():
        people = compare(models.recognisers, own[TREATMENTS[treatment].is_found_by_another], seen, target)
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
