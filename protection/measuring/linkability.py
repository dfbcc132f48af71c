"""Which photos of an album show the same person, and which of them still link once they are protected.

Recognisers of libraries tell, where there are any, and the bundle's own where there are none. Photos that all drift
towards one target would link to each other as that target, so those of one person get different ones, and what is left
is measured. Embeddings live as long as the call that needs them; nobody writes them anywhere.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from diffam_core.faces.crops import Points
from diffam_core.faces.face import FoundFace, cut_portrait
from diffam_core.images import Photo
from diffam_core.models import Models, Recogniser
from diffam_core.score import DECISION_FAR, Share
from model_store.bundle import Bundle
from model_store.recognisers import Judges
from protection.measuring.again import meet_again
from protection.measuring.identification import Faces, State, identify
from protection.measuring.judging import Sight, embed_sights, meet, sight_of

Embeddings = dict[str, NDArray[np.float32]]
"""Unit vectors of one face, by recogniser."""
NOBODY_TWICE = 3.0
"""Distance of two faces in one photo, which are two people; 1 is where the recognisers are in doubt."""


@dataclass(frozen=True, eq=False)
class KnownFace:
    """A face of a photo, and how the recognisers see it; empty where those of libraries see none.

    points: where these see eyes, nose and mouth.
    """

    found: FoundFace
    embeddings: Embeddings
    points: Points | None = None


@dataclass(frozen=True, eq=False)
class Appearance:
    """A person in a photo, before and after; without target, and all recognisers held out, where nothing was done."""

    photo: int
    person: int
    before: Embeddings
    after: Embeddings
    target: str | None
    held_out: frozenset[str]


@dataclass(frozen=True)
class Links:
    """Shares of `pairs` of photos of one person that still match at FAR 0.01; None without pairs.

    by_recogniser: on each of them.  every_held_out, any_held_out: on all, or at least one, of those that neither
    photo's style attacked; of the `judged` pairs that have such a recogniser.
    """

    pairs: int
    by_recogniser: dict[str, float | None]
    judged: int
    every_held_out: float | None
    any_held_out: float | None


@dataclass(frozen=True)
class Found:
    """What searches found; rank_5: None where one of them has five people to choose from, or fewer.

    tpir: the owner comes first, with a cosine that hardly any search for somebody else reaches.
    """

    query: State
    gallery: State
    rank_1: Share
    rank_5: Share | None
    tpir: Share


@dataclass(frozen=True)
class Searches:
    """Searches with a face of one photo among all faces of the other photos, by recogniser.

    people: in the gallery.  searches: with each made-up face whose person is in another photo, too.  non_mated: those
    that the threshold of `tpir` comes from, bare faces whose own person does not count.  never_attacked: recognisers
    that no style of the album was trained against.
    """

    people: int
    searches: int
    non_mated: int
    never_attacked: list[str]
    by_recogniser: dict[str, list[Found]]


def know_faces(bundle: Bundle, photo: Photo) -> list[KnownFace]:
    """The faces of a photo that can be protected, largest first."""
    found = [face for face in bundle.models.detector.all(photo) if face.is_protectable]
    if bundle.judges is None:
        return [KnownFace(face, seen) for face, seen in zip(found, _embed(bundle.models, photo, found), strict=True)]
    sights = [sight_of(bundle.judges, photo, face) for face in found]
    embedded = _embed_sights(bundle.judges, sights)
    points = [sight.points if sight else None for sight in sights]
    return [KnownFace(*each) for each in zip(found, embedded, points, strict=True)]


def know_again(bundle: Bundle, finished: Photo, known: Sequence[KnownFace]) -> list[Embeddings]:
    """The same faces in the finished photo, as a stranger's detector finds them; where they were, if it does not."""
    models, judges, width_px = bundle.models, bundle.judges, finished.shape[1]
    met = [meet_again(models, finished, face.found, width_px).face for face in known]
    if judges is None:
        return _embed(models, finished, met)
    seen = zip(met, (face.points for face in known), strict=True)
    return _embed_sights(judges, [None if at is None else meet(judges, finished, face, at) for face, at in seen])


def _embed_sights(judges: Judges, sights: Sequence[Sight | None]) -> list[Embeddings]:
    """One for each sight, empty for None."""
    if not any(sights):
        return [{} for _ in sights]
    rows = {name: iter(seen.cpu().numpy()) for name, seen in embed_sights(judges, list(filter(None, sights))).items()}
    return [{name: next(row) for name, row in rows.items()} if sight else {} for sight in sights]


@torch.inference_mode()
def _embed(models: Models, photo: Photo, faces: Sequence[FoundFace]) -> list[Embeddings]:
    if not faces:
        return []
    views = torch.cat([cut_portrait(photo, face, models.view_px) for face in faces]).to(models.device)
    rows = {name: recogniser.embed(views).cpu().numpy() for name, recogniser in models.recognisers.items()}
    return [{name: row[number] for name, row in rows.items()} for number in range(len(faces))]


def thresholds(bundle: Bundle) -> dict[str, float]:
    """The cosine at FAR 0.01, by recogniser that tells who is who."""
    asked: Mapping[str, Recogniser] = (bundle.judges or bundle.models).recognisers
    return {name: recogniser.thresholds[DECISION_FAR] for name, recogniser in asked.items()}


def group_people(photos: Sequence[Sequence[Embeddings]], threshold: Mapping[str, float]) -> list[list[int]]:
    """Who is in each photo: a number per face, counted from 0 in order of appearance.

    Faces are near when the recognisers, on average, find them alike: each one's cosine counts from 0 at its threshold
    to 1 at identity. Groups whose mean distance is below that threshold are one person (average linkage). A face
    without embeddings is a person by itself.
    """
    places = [(photo, place) for photo, faces in enumerate(photos) for place in range(len(faces))]
    seen = [(photo, place) for photo, place in places if photos[photo][place]]
    labels = dict(zip(seen, _grouped([(photo, photos[photo][place]) for photo, place in seen], threshold), strict=True))
    number: dict[int | tuple[int, int], int] = {}
    people = {where: number.setdefault(labels.get(where, where), len(number)) for where in places}
    return [[people[photo, place] for place in range(len(faces))] for photo, faces in enumerate(photos)]


def _grouped(faces: Sequence[tuple[int, Embeddings]], threshold: Mapping[str, float]) -> list[int]:
    """A label for each face of a photo, the same for one person."""
    if len(faces) < 2:
        return [0] * len(faces)
    likeness = np.mean(
        [(_cosines([face[name] for _, face in faces]) - t) / (1 - t) for name, t in threshold.items()], axis=0
    )
    photo = np.array([number for number, _ in faces])
    distance = np.where(np.equal.outer(photo, photo), NOBODY_TWICE, np.maximum(1 - likeness, 0))
    np.fill_diagonal(distance, 0)
    return [int(label) for label in fcluster(linkage(squareform(distance, checks=False), "average"), 1.0, "distance")]


def _cosines(rows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    stacked = np.stack(rows)
    return np.asarray(stacked @ stacked.T)


def deal_targets(people: Sequence[Sequence[int]], targets: Sequence[str], kept: Mapping[int, str]) -> list[str]:
    """A target per photo, so that the photos of a person repeat targets as little as they can.

    people: of each photo, its largest face's first, who counts most.  targets: the ones to choose from.  kept: what
    photos wear already, by their number.
    """
    worn: dict[int, Counter[str]] = defaultdict(Counter)
    overall: Counter[str] = Counter()
    dealt = dict(kept)
    for photo, faces in sorted(enumerate(people), key=lambda each: each[0] not in kept):
        if photo not in dealt:
            dealt[photo] = min(targets, key=lambda name: (*(worn[person][name] for person in faces), overall[name]))
        overall[dealt[photo]] += 1
        for person in faces:
            worn[person][dealt[photo]] += 1
    return [dealt[photo] for photo in range(len(people))]


def count_links(appearances: Sequence[Appearance], threshold: Mapping[str, float]) -> dict[str, Links]:
    """How linkable the photos of each person are: a pair is one person in two photos.

    By stage: `before`; `after`; and `after` again for pairs of `same_target` and of `other_target`.
    """
    person = np.array([each.person for each in appearances])
    photo = np.array([each.photo for each in appearances])
    target = np.array([each.target or "" for each in appearances])
    one, two = np.nonzero(np.triu((person[:, None] == person) & (photo[:, None] != photo)))
    held_out: dict[str, NDArray[np.bool_]] = {}
    for name in threshold:
        judges = np.array([name in each.held_out for each in appearances], dtype=bool)
        held_out[name] = judges[one] & judges[two]

    def matched(faces: Sequence[Embeddings]) -> dict[str, NDArray[np.bool_]]:
        nobody = np.zeros(0, dtype=bool)
        return {
            name: np.greater_equal(_cosines([face[name] for face in faces])[one, two], t) if faces else nobody
            for name, t in threshold.items()
        }

    def links(match: dict[str, NDArray[np.bool_]], chosen: NDArray[np.bool_]) -> Links:
        return _links({n: m[chosen] for n, m in match.items()}, {n: h[chosen] for n, h in held_out.items()})

    after = matched([each.after for each in appearances])
    every: NDArray[np.bool_] = np.ones(len(one), dtype=bool)
    is_dealt: NDArray[np.bool_] = (target[one] != "") & (target[two] != "")
    is_same: NDArray[np.bool_] = np.equal(target[one], target[two])
    return {
        "before": links(matched([each.before for each in appearances]), every),
        "after": links(after, every),
        "same_target": links(after, is_dealt & is_same),
        "other_target": links(after, is_dealt & ~is_same),
    }


def _links(match: Mapping[str, NDArray[np.bool_]], held_out: Mapping[str, NDArray[np.bool_]]) -> Links:
    """match, held_out: per recogniser and pair."""
    matched, judges = np.stack([match[name] for name in match]), np.stack([held_out[name] for name in match])
    is_judged = np.any(judges, axis=0)
    return Links(
        pairs=matched.shape[1],
        by_recogniser={name: _share(match[name]) for name in match},
        judged=int(is_judged.sum()),
        every_held_out=_share(np.all(matched | ~judges, axis=0)[is_judged]),
        any_held_out=_share(np.any(matched & judges, axis=0)[is_judged]),
    )


def _share(hits: NDArray[np.bool_]) -> float | None:
    return round(float(hits.mean()), 4) if hits.size else None


def search_album(appearances: Sequence[Appearance], recognisers: Sequence[str]) -> Searches | None:
    """What a search engine finds that has the other photos, bare or protected.

    None where nobody who was made up is in two photos, or nobody else is there to be taken for them.
    """
    person = np.array([each.person for each in appearances], np.int64)
    photo = np.array([each.photo for each in appearances], np.int64)
    is_elsewhere = np.not_equal.outer(photo, photo)
    is_own = np.equal.outer(person, person)
    has_others = (is_elsewhere & ~is_own).any(axis=1)
    is_made_up = np.array([each.target is not None for each in appearances], bool)
    mated = np.flatnonzero((is_elsewhere & is_own).any(axis=1) & is_made_up & has_others)
    if not len(mated):
        return None
    states: dict[State, list[Embeddings]] = {
        "bare": [each.before for each in appearances], "protected": [each.after for each in appearances],
    }  # fmt: skip
    found: dict[str, list[Found]] = {}
    for name in recognisers:
        faces = {
            state: Faces(np.stack([each[name] for each in seen]).astype(np.float64), person, photo)
            for state, seen in states.items()
        }
        queries = {state: _chosen(every, mated) for state, every in faces.items()}
        told = identify(queries, faces, _chosen(faces["bare"], np.flatnonzero(has_others)))
        found[name] = [
            Found(query, gallery, hits.rank_1, hits.rank_5, hits.tpir) for (query, gallery), hits in told.cases.items()
        ]
    attacked = {name for each in appearances for name in recognisers if name not in each.held_out}
    return Searches(
        people=len(np.unique(person)),
        searches=len(mated),
        non_mated=int(has_others.sum()),
        never_attacked=[name for name in recognisers if name not in attacked],
        by_recogniser=found,
    )


def _chosen(faces: Faces, rows: NDArray[np.int64]) -> Faces:
    return Faces(faces.vectors[rows], faces.owners[rows], None if faces.photos is None else faces.photos[rows])
