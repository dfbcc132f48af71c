"""What methods make of all photos, and what is seen of that after each treatment."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import TypeVar

from diffam_core.faces.face import scale_face, stack_portraits
from diffam_core.images import Photo
from diffam_core.score import Embeddings, embed
from evaluation.judge import VisibleCost, lip_distance, views_of, visible_cost
from evaluation.judged.judging import JUDGED, Looked
from evaluation.method import Method
from evaluation.noise import LITERATURE_EPS
from evaluation.running.budget import Trial, match_eps, tried, wanted_of
from evaluation.running.room import Room, is_own
from evaluation.subjects import OnProgress, Subjects, save, save_and_open
from evaluation.treatments import TREATMENTS, Treatment
from model_store.bundle import Bundle
from model_store.catalog import StyleCard
from model_store.training.new_style import reference_pictures

SHEET_FACES = 6
What = TypeVar("What")
Protect = Callable[[Bundle, Subjects, StyleCard, float], list[Photo]]


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


def outcome_key(method: Method, task: StyleCard) -> str:
    """What tells a method's outcomes apart: tasks that are alike to the method share one."""
    return "/".join(str(value) for name in method.depends_on if (value := getattr(task, name)) is not None)


def run(
    room: Room, methods: dict[str, Method], eps: float | None, on_progress: OnProgress
) -> dict[tuple[str, str], Outcome]:
    """What became of all photos, noise coming last: its budget is that of the others. eps: the budget of all noise."""
    outcomes: dict[tuple[str, str], Outcome] = {}
    ordered = sorted(methods, key=lambda name: methods[name].kind == "noise")
    todo = [(name, outcome_key(methods[name], task), task) for name in ordered for task in room.tasks]
    budgets = dict[str, float]()
    trials: dict[Protect, list[Trial]] = {}
    for done, (name, key, task) in enumerate(todo):
        on_progress(name, done, len(todo))
        if (name, key) in outcomes:
            continue
        method = methods[name]
        if method.kind == "noise" and name not in budgets:
            ours = [outcome.cost for (other, _), outcome in outcomes.items() if other == "diffam"]
            if eps is None and ours:
                if method.protect not in trials:
                    trials[method.protect] = tried(room.bundle, room.subjects, method, task)
                budgets[name] = match_eps(trials[method.protect], method.equal, wanted_of(ours, method.equal))
            else:
                budgets[name] = eps or LITERATURE_EPS
        outcomes[name, key] = _outcome(room, method, task, budgets.get(name))
    on_progress("done", len(todo), len(todo))
    return outcomes


def _outcome(room: Room, method: Method, task: StyleCard, eps: float | None) -> Outcome:
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
            for name in {task.reference for task in room.tasks}
        },
        seconds=seconds + (subjects.invert_s if method.kind == "make-up" else 0.0),
        eps=eps,
        shown=finished[:SHEET_FACES],
        files=[save(photo) for photo in photos[: room.keep_files]],
        judged=seen,
        enrolled=_enrolled(room, method, task, eps),
    )


def _after(
    room: Room, finished: list[Photo], treatments: Mapping[str, Treatment]
) -> tuple[dict[str, Embeddings], dict[str, Looked]]:
    """What those who count, and judges, see after each treatment; one state of all photos at a time."""
    bundle, subjects, bench = room.bundle, room.subjects, room.bench
    embeddings, judged = dict[str, Embeddings](), dict[str, Looked]()
    for alter in dict.fromkeys(treatment.alter for treatment in treatments.values()):
        alike = {name: treatment for name, treatment in treatments.items() if treatment.alter is alter}
        states = alter(bundle, finished, subjects.found)
        faces = [
            scale_face(face, state.shape[1] / photo.shape[1])
            for face, state, photo in zip(subjects.found, states, finished, strict=True)
        ]
        if bench is not None:
            judged |= {
                name: bench.see(states, faces, treatment.is_found_by_another)
                for name, treatment in alike.items()
                if name in JUDGED
            }
        if is_own(room):
            views = views_of(bundle, states, faces, alike)
            embeddings |= {name: embed(bundle.models, view) for name, view in views.items()}
        else:
            embeddings |= {name: judged[name].embeddings for name in alike}
    return _ordered(embeddings, treatments), _ordered(judged, treatments)


def _ordered(seen: dict[str, What], treatments: Mapping[str, Treatment]) -> dict[str, What]:
    return {name: seen[name] for name in treatments if name in seen}


def _enrolled(room: Room, method: Method, task: StyleCard, eps: float | None) -> Embeddings | None:
    """What a search engine sees of the second photos, made by the method, too; None where nothing is made of them."""
    engine = room.engine
    if engine is None or engine.others is None or method.kind == "nothing":
        return None
    photos = method.protect(room.bundle, engine.others, task, eps or 0.0)
    return engine.see_others([save_and_open(photo) for photo in photos], engine.others.found)
