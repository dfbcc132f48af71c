"""Whether a search engine for faces names the owner of a photo, in a gallery of many people.

NIST's terms (FRVT 1:N): a search is mated when its person is enrolled. Rank k: the person is among the k best of the
gallery. Open set: nobody is named unless the cosine reaches a threshold, which at most a share FPIR (false positive
identification rate) of non-mated searches does; TPIR (true positive identification rate) is the share of mated ones
whose person comes first and reaches it. An engine is calibrated on ordinary photos, so the threshold is that of bare
queries in a bare gallery, whatever is searched with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from diffam_core.score import Scores, Share, rate, threshold_at

FPIR = 0.01
RANKS = 5
"""How far down a list of people counts, besides its first."""
Vectors = NDArray[np.float64]
State = Literal["bare", "protected"]
STATES: tuple[State, State] = ("bare", "protected")


@dataclass(frozen=True, eq=False)
class Faces:
    """Unit embeddings `(faces, dim)` of one recogniser, and whose each is: a number of a person `(faces,)`.

    photos: the number of the photo that each is in `(faces,)`, where queries are photos of the gallery: one never
    finds itself, nor who else is in it.
    """

    vectors: Vectors
    owners: NDArray[np.int64]
    photos: NDArray[np.int64] | None = None

    def and_also(self, others: "Faces") -> "Faces":
        """These faces, then those, all of photos of their own."""
        return Faces(np.concatenate([self.vectors, others.vectors]), np.concatenate([self.owners, others.owners]))


@dataclass(frozen=True)
class Hits:
    """How many mated searches found their person; intervals take the threshold as given.

    rank_5: None where a search has five people to choose from, or fewer: it would find its person whoever looks.
    """

    rank_1: Share
    rank_5: Share | None
    tpir: Share


@dataclass(frozen=True)
class Identification:
    """What searches found, by the state of the query and of the owners' photos in the gallery.

    persons: in the gallery.  searches: mated ones of each case.  non_mated: those that the threshold was set by, below
    1 / FPIR of them it lies just above their best score; they were the strangers', or the bare queries themselves.
    """

    persons: int
    searches: int
    non_mated: int
    are_strangers: bool
    threshold: float
    cases: dict[tuple[State, State], Hits]


def identify(
    queries: Mapping[State, Faces],
    galleries: Mapping[State, Faces],
    strangers: Faces | None = None,
    fpir: float = FPIR,
) -> Identification:
    """Search with every state of the queries in every state of the gallery. "bare" must be among both.

    galleries: one face or more of each person; a query's person is one of them.
    strangers: searches that set the threshold, in whose answers their own person does not count; the bare queries
    without them.  Raises ValueError when a query's person is not enrolled, or nobody else is.
    """
    bare = galleries["bare"]
    others = np.sort(best_others(queries["bare"] if strangers is None else strangers, bare))
    threshold = threshold_at(others, fpir)
    cases = {
        (query, state): hits(queries[query], gallery, threshold)
        for state, gallery in galleries.items()
        for query in queries
    }
    return Identification(
        persons=len(np.unique(bare.owners)),
        searches=len(queries["bare"].owners),
        non_mated=len(others),
        are_strangers=strangers is not None,
        threshold=threshold,
        cases=cases,
    )


def hits(queries: Faces, gallery: Faces, threshold: float) -> Hits:
    """What mated searches found. Raises ValueError when a query's person is not enrolled."""
    scores, persons = scores_of_persons(queries, gallery)
    is_own = persons == queries.owners[:, None]
    if not is_own.any(axis=1).all():
        raise ValueError("a mated search is for a person who is enrolled")
    own = scores[is_own]
    if not np.isfinite(own).all():
        raise ValueError("a mated search is for a person who is in another photo, too")
    better = (scores > own[:, None]).sum(axis=1)
    fewest = int(np.isfinite(scores).sum(axis=1).min())
    rank_5 = rate(better < RANKS) if fewest > RANKS else None
    return Hits(rate(better < 1), rank_5, rate((better < 1) & (own >= threshold)))


def best_others(searches: Faces, gallery: Faces) -> Scores:
    """The best cosine `(searches,)` of anybody but the searched person. Raises ValueError without anybody else."""
    scores, persons = scores_of_persons(searches, gallery)
    others = np.where(persons == searches.owners[:, None], -np.inf, scores).max(axis=1)
    if not np.isfinite(others).all():
        raise ValueError("a non-mated search needs somebody else in the gallery")
    return np.asarray(others)


def scores_of_persons(searches: Faces, gallery: Faces) -> tuple[Scores, NDArray[np.int64]]:
    """Each person's best cosine `(searches, persons)`, and who the columns are; -inf in the searched photo alone."""
    order = np.argsort(gallery.owners, kind="stable")
    persons, starts = np.unique(gallery.owners[order], return_index=True)
    cosines = searches.vectors @ gallery.vectors[order].T
    if searches.photos is not None and gallery.photos is not None:
        cosines = np.where(np.equal.outer(searches.photos, gallery.photos[order]), -np.inf, cosines)
    return np.maximum.reduceat(cosines, starts, axis=1), persons
