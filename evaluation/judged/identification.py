"""Whether a search engine names the owners of finished photos, by judges or, without any, by a bundle's recognisers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor

from diffam_core.faces.face import FoundFace
from diffam_core.images import Photo
from diffam_core.score import Embeddings, embed
from evaluation.cells import Json
from evaluation.judge import views_of
from evaluation.judged.judging import Bench
from evaluation.judged.recognisers import Eyes, Glimpse, Seen, eyes_of_bundle, eyes_of_judges, see_people
from evaluation.subjects import Subjects
from evaluation.treatments import TREATMENTS
from model_store.bundle import Bundle
from model_store.datasets.people import Person
from protection.measuring.identification import Faces, Identification, State, identify

See = Callable[[Sequence[Photo], Sequence[FoundFace]], Embeddings]
"""Embeddings of people's faces in photos; where they are expected there."""
CLEAN = {"clean": TREATMENTS["clean"]}


@dataclass(frozen=True)
class Engine:
    """A search engine for faces, with the people measured in its gallery, bare, and strangers.

    others: the people's second photos, None where there are none to protect.
    """

    queries: Embeddings
    gallery: Embeddings
    see_others: See
    others: Subjects | None
    strangers: Mapping[str, tuple[Faces, Faces]]


@dataclass(frozen=True)
class Search:
    """What a recogniser's searches found for a method; `styles` tells its outcomes apart, as `outcome_key` does."""

    method: str
    styles: str
    recogniser: str
    role: str
    found: Identification

    def as_json(self) -> Iterator[Json]:
        """A row for each state of query and gallery; ranks that say nothing are None."""
        told: Json = {
            "method": self.method, "styles": self.styles, "recogniser": self.recogniser, "role": self.role,
            "persons": self.found.persons, "searches": self.found.searches, "non_mated": self.found.non_mated,
            "non_mated_are": "strangers" if self.found.are_strangers else "queries", "threshold": self.found.threshold,
        }  # fmt: skip
        for (query, gallery), hits in self.found.cases.items():
            shares = {"rank_1": hits.rank_1, "rank_5": hits.rank_5, "tpir_fpir_0.01": hits.tpir}
            row = told | {"query": query, "gallery": gallery}
            for name, share in shares.items():
                row |= {name: share and share.value, f"{name}_ci95": share and share.ci95}
            yield row


def engine_of(
    bundle: Bundle,
    subjects: Subjects,
    bench: Bench | None,
    strangers: Sequence[Person] = (),
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Engine:
    """An engine that looks as judges do, or as the bundle's own recognisers where nobody judges.

    strangers: people besides those measured; of each one photo is enrolled, and another is a search.
    """
    models = bundle.models
    others = subjects.exchanged(models) if subjects.own_match_against == "another photo" else None
    pairs = [Person(person.id, person.photos[:2]) for person in strangers]

    def enrolled(eyes: Eyes[Glimpse], people: int) -> dict[str, tuple[Faces, Faces]]:
        return _enrolled(see_people(eyes, pairs, on_progress), people) if pairs else {}

    if bench is not None:
        people = len(bench.people)
        return Engine(
            queries=bench.see(subjects.photos, subjects.found).embeddings,
            gallery=bench.own[False].embeddings,
            see_others=lambda photos, faces: bench.see_others(photos, faces).embeddings,
            others=others,
            strangers=enrolled(eyes_of_judges(bench.judges), people),
        )
    return Engine(
        queries=embed(models, subjects.views),
        gallery=embed(models, subjects.others),
        see_others=lambda photos, faces: embed(models, views_of(bundle, photos, faces, CLEAN)["clean"]),
        others=others,
        strangers=enrolled(eyes_of_bundle(models), len(subjects.faces)),
    )


def _enrolled(seen: Seen, people: int) -> dict[str, tuple[Faces, Faces]]:
    """Of each recogniser, strangers' first faces and those that come after; their numbers follow the `people`'s."""
    _, firsts = np.unique(seen.owners, return_index=True)
    is_first = np.zeros(len(seen.owners), bool)
    is_first[firsts] = True
    owners = seen.owners + people
    return {
        name: (Faces(vectors[is_first], owners[is_first]), Faces(vectors[~is_first], owners[~is_first]))
        for name, vectors in seen.vectors.items()
    }


def searches(
    engine: Engine, protected: Embeddings | None, enrolled: Embeddings | None
) -> Iterator[tuple[str, Identification]]:
    """What each recogniser's searches find. protected, enrolled: first and second photos; None where none were made."""
    for name, bare in engine.queries.items():
        known, strangers = engine.strangers.get(name, (None, None))
        queries: dict[State, Faces] = {"bare": _faces(bare)}
        galleries: dict[State, Faces] = {"bare": _faces(engine.gallery[name])}
        if protected is not None:
            queries["protected"] = _faces(protected[name])
        if enrolled is not None:
            galleries["protected"] = _faces(enrolled[name])
        if known is not None:
            galleries = {state: gallery.and_also(known) for state, gallery in galleries.items()}
        is_searched = strangers is not None and len(strangers.owners)
        yield name, identify(queries, galleries, strangers if is_searched else None)


def _faces(rows: Float[Tensor, "people dim"]) -> Faces:
    """Of the people measured, who are numbered in order."""
    return Faces(rows.double().cpu().numpy(), np.arange(len(rows)))
