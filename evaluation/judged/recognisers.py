"""How well recognisers tell people apart: accept rates, equal error rate and thresholds, on photos of real people."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import bootstrap
from torch import Tensor

from diffam_core.faces.face import FoundFace, cut_portrait
from diffam_core.faces.yunet import YunetDetector
from diffam_core.images import Photo
from diffam_core.models import FalseAcceptRate, Models
from diffam_core.score import DECISION_FAR, VIEWS, Embeddings, Scores, Share, embed, rate, threshold_at
from evaluation.cells import FALSE_ACCEPT_RATES
from model_store.datasets.people import Person
from model_store.datasets.pictures import read_photo
from model_store.recognisers import Judges
from protection.measuring.identification import Vectors
from protection.measuring.judging import FRAME, Sight, embed_sights, sight_of

DRAWS = 200
"""Of people, for the intervals of thresholds and of the equal error rate."""
DRAWN_PEOPLE = 5
"""Draws of fewer repeat the same one or two pairs."""
LARGE_SHARE = 0.5
"""Of the width of the largest face: those below are other people in the background."""
AGES = (25, 35, 50)
"""Where bands of ages begin."""
Glimpse = TypeVar("Glimpse")
"""What an observer keeps of a face until it is embedded."""


class Point(NamedTuple):
    """At a false accept rate: the threshold and its 95 % interval, and how many genuine pairs pass it."""

    threshold: Share
    accepted: Share


@dataclass(frozen=True)
class Group:
    """People of one value of a trait, at the threshold that .01 of all impostor pairs pass.

    genuine, accepted: pairs of photos of one of them, and the share that passes.  impostors, fooled: pairs of photos of
    two of them; None without any.  fooled_ci95: 95 % interval from draws of two people or more, because pairs that
    share a person are not independent; None of fewer than `DRAWN_PEOPLE`, and when no pair passes: every draw is 0.
    """

    people: int
    genuine: int
    accepted: Share
    impostors: int
    fooled: float | None
    fooled_ci95: tuple[float, float] | None


@dataclass(frozen=True)
class Accuracy:
    """What one recogniser makes of pairs of photos.

    eer: equal error rate.  points: by false accept rate, at thresholds of these people.  shipped: genuine and impostor
    pairs that pass the shipped threshold of a false accept rate of .01.  groups: by trait and value.
    """

    genuine: int
    impostors: int
    eer: Share
    points: Mapping[FalseAcceptRate, Point]
    shipped: tuple[Share, Share]
    groups: Mapping[str, Mapping[str, Group]]


@dataclass(frozen=True)
class Seen:
    """People's faces, as judges meet them: `owners` are indices into `people`, `vectors` unit embeddings by judge."""

    people: list[Person]
    owners: NDArray[np.int64]
    vectors: dict[str, Vectors]
    missed: list[str]


@dataclass(frozen=True)
class Eyes(Generic[Glimpse]):
    """Who looks at photos: what they see of one (None without a face), and unit embeddings of what they saw."""

    names: Sequence[str]
    glimpse: Callable[[Photo], Glimpse | None]
    embed: Callable[[Sequence[Glimpse]], Embeddings]


def eyes_of_judges(judges: Judges) -> Eyes[Sight]:
    """The face in the middle, as judges meet it."""
    detector = YunetDetector(FRAME, judges.landmarks)

    def glimpse(photo: Photo) -> Sight | None:
        face = middle_face(detector.all(photo), photo)
        return None if face is None else sight_of(judges, photo, face)

    return Eyes(list(judges.recognisers), glimpse, lambda sights: embed_sights(judges, sights))


def eyes_of_bundle(models: Models) -> Eyes[Tensor]:
    """The face in the middle, aligned as the bundle's recognisers expect it."""

    def glimpse(photo: Photo) -> Tensor | None:
        face = middle_face(models.detector.all(photo), photo)
        return None if face is None else cut_portrait(photo, face, models.view_px)

    return Eyes(list(models.recognisers), glimpse, lambda views: embed(models, torch.cat(list(views))))


def see_people(eyes: Eyes[Glimpse], people: Sequence[Person], on_progress: Callable[[int, int], None]) -> Seen:
    """The face in the middle of every photo. Raises DatasetDamaged; photos without a face are told by name."""
    owners, glimpses, missed = list[int](), list[Glimpse](), list[str]()
    parts: dict[str, list[Vectors]] = {name: [] for name in eyes.names}

    def embed_all() -> None:  # soon: a view has half a million numbers
        for name, rows in (eyes.embed(glimpses) if glimpses else {}).items():
            parts[name].append(rows.double().cpu().numpy())
        glimpses.clear()

    photos = [(index, path) for index, person in enumerate(people) for path in person.photos]
    for done, (owner, path) in enumerate(photos):
        on_progress(done, len(photos))
        glimpse = eyes.glimpse(read_photo(path))
        if glimpse is None:
            missed.append(path.name)
        else:
            owners.append(owner)
            glimpses.append(glimpse)
        if len(glimpses) == VIEWS:
            embed_all()
    embed_all()
    on_progress(len(photos), len(photos))
    vectors = {name: np.concatenate(rows) if rows else np.zeros((0, 1)) for name, rows in parts.items()}
    return Seen(list(people), np.array(owners, np.int64), vectors, missed)


def middle_face(faces: Sequence[FoundFace], photo: Photo) -> FoundFace | None:
    """The one whom a portrait is of: the nearest to its middle of those that are not much smaller than the largest."""
    height, width = photo.shape[:2]
    large = [face for face in faces if face.box[2] >= LARGE_SHARE * max(other.box[2] for other in faces)]
    return min(
        large,
        key=lambda face: float(np.hypot(face.eye_middle[0] - width / 2, face.eye_middle[1] - height / 2)),
        default=None,
    )


def measure(
    judges: Judges, seen: Seen, traits: Mapping[str, Mapping[str, str]], seed: int = 0
) -> Iterator[tuple[str, Accuracy]]:
    """Every judge with its accuracy. Raises ValueError without a second photo of anybody, or a second person."""
    for name, vectors in seen.vectors.items():
        shipped = judges.recognisers[name].thresholds[DECISION_FAR]
        yield name, accuracy(vectors @ vectors.T, seen, traits, shipped, seed)


def accuracy(
    cosines: Scores, seen: Seen, traits: Mapping[str, Mapping[str, str]], shipped: float, seed: int
) -> Accuracy:
    """The accuracy of a matrix of cosines between the faces of `seen`."""
    owners = seen.owners
    genuine, impostors = _pairs(cosines, owners)
    if not len(genuine) or not len(impostors):
        raise ValueError("verification needs two people, and two photos of one of them")
    intervals = _intervals(cosines, owners, seed)
    points = {}
    for far in FALSE_ACCEPT_RATES:
        threshold = threshold_at(impostors, float(far))
        points[far] = Point(Share(threshold, intervals[far]), rate(genuine >= threshold))
    groups = _groups(cosines >= points[DECISION_FAR].threshold.value, seen, traits, seed)
    return Accuracy(
        genuine=len(genuine),
        impostors=len(impostors),
        eer=Share(equal_error(genuine, impostors), intervals["eer"]),
        points=points,
        shipped=(rate(genuine >= shipped), rate(impostors >= shipped)),
        groups=groups,
    )


def equal_error(genuine: Scores, impostors: Scores) -> float:
    """The rate at which as many genuine pairs are refused as impostors are accepted. Both in ascending order."""
    refused = np.arange(len(genuine)) / len(genuine)
    accepted = 1 - np.searchsorted(impostors, genuine, "left") / len(impostors)
    nearest = int(np.argmin(np.abs(refused - accepted)))
    return float((refused[nearest] + accepted[nearest]) / 2)


def _pairs(cosines: Scores, owners: NDArray[np.int64], rows: NDArray[np.int64] | None = None) -> tuple[Scores, Scores]:
    """Cosines of the pairs of one person, and of two, in ascending order.

    rows: faces that were drawn, some more than once.
    """
    drawn = np.arange(len(owners)) if rows is None else rows
    one, other = (drawn[places] for places in np.triu_indices(len(drawn), 1))
    found, is_same = cosines[one, other], owners[one] == owners[other]
    return np.sort(found[is_same & (one != other)]), np.sort(found[~is_same])


def _intervals(cosines: Scores, owners: NDArray[np.int64], seed: int) -> dict[str, tuple[float, float]]:
    """95 % intervals of the thresholds and of the equal error rate, from draws of people."""
    faces = [np.flatnonzero(owners == person) for person in np.unique(owners)]

    def drawn(chosen: NDArray[np.int64]) -> tuple[float, ...]:
        rows = np.concatenate([faces[person] for person in chosen])
        genuine, impostors = _pairs(cosines, owners, rows)
        thresholds = (threshold_at(impostors, float(far)) for far in FALSE_ACCEPT_RATES)
        return (*thresholds, equal_error(genuine, impostors))

    found = bootstrap(
        (np.arange(len(faces)),), drawn, n_resamples=DRAWS, vectorized=False, method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval  # fmt: skip
    names = (*FALSE_ACCEPT_RATES, "eer")
    return {
        name: (round(float(low), 4), round(float(high), 4))
        for name, low, high in zip(names, found.low, found.high, strict=True)
    }


def _groups(
    passes: NDArray[np.bool_], seen: Seen, traits: Mapping[str, Mapping[str, str]], seed: int
) -> dict[str, dict[str, Group]]:
    """Who passes, by what is told of the people of whom there are two photos.  passes: by face and face."""
    owners = seen.owners
    paired = [person for person in np.unique(owners) if np.count_nonzero(owners == person) > 1]
    told = {person: traits.get(seen.people[person].id, {}) for person in paired}
    groups: dict[str, dict[str, Group]] = {}
    for trait in dict.fromkeys(name for row in told.values() for name in row):
        values = {person: band_of(trait, row.get(trait, "")) for person, row in told.items()}
        members = {value: [person for person in paired if values[person] == value] for value in values.values()}
        groups[trait] = {value: _group(passes, owners, members[value], seed) for value in sorted(members)}
    return groups


def _group(passes: NDArray[np.bool_], owners: NDArray[np.int64], people: list[int], seed: int) -> Group:
    """One group.  people: each with two faces or more."""
    is_theirs = np.equal.outer(people, owners).astype(np.float64)
    faces = is_theirs.sum(axis=1)
    rows, others = np.triu_indices(len(owners), 1)
    same = passes[rows, others][(owners[rows] == owners[others]) & np.isin(owners[rows], people)]
    passed, pairs = is_theirs @ passes @ is_theirs.T, np.outer(faces, faces)
    for table in (passed, pairs):
        np.fill_diagonal(table, 0)
    fooled, interval = float(passed.sum() / pairs.sum()) if len(people) > 1 else None, None
    if fooled and len(people) >= DRAWN_PEOPLE:
        drawn = np.random.default_rng(seed).multinomial(len(people), np.full(len(people), 1 / len(people)), DRAWS)
        hits, met = (((drawn @ table) * drawn).sum(axis=1) for table in (passed, pairs))
        is_told = met > 0  # else it is one person alone, who is no stranger to itself
        low, high = np.quantile(hits[is_told] / met[is_told], [0.025, 0.975])
        interval = (round(float(low), 4), round(float(high), 4))
    return Group(len(people), len(same), rate(same), int(pairs.sum()) // 2, fooled, interval)


def band_of(trait: str, value: str) -> str:
    """A value by itself, an age by its band."""
    if trait != "age" or not value.isdigit():
        return value or "unknown"
    band = sum(int(value) >= start for start in AGES)
    if band in (0, len(AGES)):
        return f"{AGES[-1]} and older" if band else f"under {AGES[0]}"
    return f"{AGES[band - 1]} to {AGES[band] - 1}"
