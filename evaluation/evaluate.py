"""The evaluation: every method on every task, judged by every recogniser after every treatment.

A task is what one style is for: a reference, a target or none, the recogniser it never saw. Recognisers that no style
attacks are held out everywhere. A bundle that has none of its own is measured by judges, and attacks them, too.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import partial

from diffam_core.score import Embeddings
from evaluation.cells import Cell, Cost
from evaluation.judged.identification import Search, searches
from evaluation.judged.judging import Known, known
from evaluation.method import Method
from evaluation.running.outcomes import Outcome, outcome_key, run
from evaluation.running.room import EVERYTHING, Room, Scope, furnish, own_of, people_of, recognisers_of, target_of
from evaluation.subjects import OnProgress, Subjects
from evaluation.treatments import TREATMENTS
from model_store.bundle import Bundle
from model_store.catalog import StyleCard


@dataclass(frozen=True)
class Evaluation:
    """All that was measured; `outcomes` by method and `outcome_key`.

    known: what recognisers that people run say.  searches: of owners, by them or by the bundle's.
    people: ids of those whom cells are about.
    """

    cells: list[Cell]
    subjects: Subjects
    outcomes: dict[tuple[str, str], Outcome] = field(repr=False)
    known: list[Known] = field(default_factory=list)
    searches: list[Search] = field(default_factory=list)
    people: list[str] = field(default_factory=list)

    @property
    def held_out(self) -> list[Cell]:
        """The cells of recognisers that the task's style never met."""
        return [cell for cell in self.cells if cell.role == "held_out"]


def evaluate(
    bundle: Bundle, subjects: Subjects, methods: dict[str, Method], on_progress: OnProgress, scope: Scope = EVERYTHING
) -> Evaluation:
    """Run and judge `methods` on all tasks. Raises NoFaceFound where judges, who alone are there, see nobody."""
    room = furnish(bundle, subjects, scope)
    outcomes = run(room, methods, scope.eps, on_progress)
    own = own_of(room)
    keys = {
        name: {outcome_key(method, task): task for task in reversed(room.tasks)} for name, method in methods.items()
    }
    return Evaluation(
        cells=[
            cell
            for name, method in methods.items()
            for task in room.tasks
            for cell in _cells(room, name, task, outcomes[name, outcome_key(method, task)], own)
        ],
        subjects=subjects,
        outcomes=outcomes,
        known=[
            opinion
            for (name, key), outcome in outcomes.items()
            if room.bench is not None
            for opinion in known(room.bench, outcome.judged, name, key, partial(methods[name].role_of, keys[name][key]))
        ],
        searches=[
            search
            for (name, key), outcome in outcomes.items()
            for search in _searches(room, (name, key), methods[name], keys[name][key], outcome)
        ],
        people=people_of(room),
    )


def _searches(
    room: Room, place: tuple[str, str], method: Method, task: StyleCard, outcome: Outcome
) -> Iterator[Search]:
    """What a search engine finds among a method's photos."""
    if room.engine is None:
        return
    name, key = place
    seen = outcome.embeddings["clean"] if room.bench is None else outcome.judged["clean"].embeddings
    protected = None if method.kind == "nothing" else seen
    for recogniser, found in searches(room.engine, protected, outcome.enrolled):
        yield Search(name, key, recogniser, method.role_of(task, recogniser), found)


def _cells(room: Room, name: str, task: StyleCard, outcome: Outcome, own: dict[bool, Embeddings]) -> Iterator[Cell]:
    """A cell for each treatment and recogniser. own: embeddings of the other photos, as `own_of` gives them."""
    cost, target = _cost(outcome, task), target_of(room, task)
    for treatment, seen in outcome.embeddings.items():
        owners = own[TREATMENTS[treatment].is_found_by_another]
        for judge, recogniser in recognisers_of(room).items():
            to_own = (seen[judge] * owners[judge]).sum(dim=1).double().cpu().numpy()
            to_target = None if target is None else (seen[judge] @ target[judge][0]).double().cpu().numpy()
            yield Cell(name, task, treatment, judge, recogniser.thresholds, to_own, to_target, cost)


def _cost(outcome: Outcome, task: StyleCard) -> Cost:
    seen = {name: round(value, 4) for name, value in asdict(outcome.cost).items() if not name.startswith("first_")}
    return Cost(
        **seen,
        lip_distance=round(outcome.lip_distance[task.reference], 2),
        seconds=round(outcome.seconds, 4),
        eps_255=None if outcome.eps is None else round(outcome.eps * 255 / 2, 2),
    )
