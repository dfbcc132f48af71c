"""What all methods of an evaluation are measured with: people, tasks, treatments, and those who look."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from diffam_core.errors import NoFaceFound
from diffam_core.models import Recogniser
from diffam_core.score import Embeddings, embed
from evaluation.judge import views_of
from evaluation.judged.identification import Engine, engine_of
from evaluation.judged.judging import Bench, bench_of
from evaluation.subjects import Subjects
from evaluation.treatments import Treatment, treatments_of
from model_store.bundle import Bundle
from model_store.catalog import StyleCard
from model_store.datasets.people import Person
from protection.measuring.judging import embed_sights, sight_of_portrait


@dataclass(frozen=True)
class Scope:
    """How much is measured.

    tasks: None means the bundle's styles.  treatments: by name; None means all that there are, "clean" always.
    eps: the noise budget on the scale of [-1, 1]; None gives each noise method the one at which its photos have the
    SSIM or PSNR of `diffam`, matched on the first people; 8/255 where `diffam` is not run.  keep_files: of how many
    people the finished files stay in memory.
    is_searched: whether owners are looked for in a gallery, too.  strangers: who is in it besides.
    on_strangers: hears how many of their photos were looked at, of how many.
    """

    treatments: Sequence[str] | None = None
    eps: float | None = None
    keep_files: int = 0
    is_searched: bool = False
    strangers: Sequence[Person] = ()
    on_strangers: Callable[[int, int], None] = lambda _done, _total: None
    tasks: Sequence[StyleCard] | None = None


EVERYTHING = Scope()


@dataclass(frozen=True)
class Room:
    """What all methods are measured with."""

    bundle: Bundle
    subjects: Subjects
    tasks: Sequence[StyleCard]
    treatments: Mapping[str, Treatment]
    bench: Bench | None
    engine: Engine | None
    keep_files: int


def furnish(bundle: Bundle, subjects: Subjects, scope: Scope) -> Room:
    """All of that. Raises NoFaceFound where judges, who alone are there, see nobody."""
    there = treatments_of(bundle)
    wanted = there if scope.treatments is None else {"clean", *scope.treatments}
    treatments = {name: treatment for name, treatment in there.items() if name in wanted}
    is_other_needed = any(treatment.is_found_by_another for treatment in treatments.values())
    bench = None if bundle.judges is None else bench_of(bundle.judges, subjects, is_other_needed)
    if bench is None and not bundle.models.recognisers:
        raise NoFaceFound(f"recognisers see a face in both photos of none of {len(subjects.faces)} people")
    engine = None
    if scope.is_searched:
        engine = engine_of(bundle, subjects, bench, scope.strangers, scope.on_strangers)
    tasks = bundle.catalog.styles if scope.tasks is None else scope.tasks
    return Room(bundle, subjects, tasks, treatments, bench, engine, scope.keep_files)


def is_own(room: Room) -> bool:
    """Whether the bundle has recognisers of its own."""
    return bool(room.bundle.models.recognisers)


def recognisers_of(room: Room) -> Mapping[str, Recogniser]:
    """Those who attack and judge: the bundle's, or judges."""
    return room.bench.judges.recognisers if room.bench and not is_own(room) else room.bundle.models.recognisers


def own_of(room: Room) -> dict[bool, Embeddings]:
    """Embeddings of the subjects' other photos, by whether another detector found them."""
    bundle, subjects = room.bundle, room.subjects
    if room.bench is not None and not is_own(room):
        return {is_other: looked.embeddings for is_other, looked in room.bench.own.items()}
    own = {False: embed(bundle.models, subjects.others)}
    for name, treatment in room.treatments.items():
        if treatment.is_found_by_another:
            views = views_of(bundle, subjects.other_photos, subjects.other_found, {name: treatment})
            own[True] = embed(bundle.models, views[name])
    return own


def people_of(room: Room) -> list[str]:
    """Ids of those whom they look at: judges leave out people of whom they do not see both photos."""
    people = room.subjects.people
    return people if is_own(room) or room.bench is None else [people[index] for index in room.bench.people]


def target_of(room: Room, task: StyleCard) -> Embeddings | None:
    """What recognisers see of the target's test picture; None without a target, or where judges see no face there."""
    if task.target is None:
        return None
    picture = room.bundle.targets[task.target].test
    if is_own(room) or room.bench is None:
        return embed(room.bundle.models, picture)
    sight = sight_of_portrait(room.bench.judges, picture, room.bundle.models.detector.framing)
    return None if sight is None else embed_sights(room.bench.judges, [sight])
