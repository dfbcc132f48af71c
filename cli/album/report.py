"""One report on an album: what became of every photo, and how linkable the photos of a person still are."""

from base64 import b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

from jinja2 import Environment, PackageLoader, select_autoescape
from pydantic import BaseModel, ConfigDict, JsonValue
from rich.progress import Progress

from cli.album.folder import Album
from cli.album.journal import Entry
from cli.album.sight import Sight, look_again
from cli.commit import commit
from cli.scores import GRADES
from diffam_client.contract.report import FaceReport, Judgement, Match, ProtectedFace, Word, protected
from diffam_client.contract.wish import Wish
from model_store.additions import finished
from model_store.bundle import Bundle
from protection.measuring.linkability import (
    Appearance,
    Found,
    KnownFace,
    Links,
    Searches,
    count_links,
    search_album,
    thresholds,
)


class PhotoReport(BaseModel):
    """What became of one photo; `people` are numbered within its album only."""

    model_config = ConfigDict(frozen=True)

    photo: str
    status: Literal["protected", "failed"]
    out: str | None
    reference: str | None
    target: str | None
    code: str | None
    message: str | None
    faces: list[FaceReport]
    people: list[int]


class AlbumReport(BaseModel):
    """What `report.json` holds.

    judged_by: the bundle that found the faces.  judges: the recognisers of libraries that told who is who, and who runs
    them; the bundle's own without any.  people: whom they tell apart.  unseen: faces of finished photos that they do
    not see.
    """

    model_config = ConfigDict(frozen=True)

    commit: str
    measured_at: str
    options: dict[str, JsonValue]
    bundle: dict[str, str] | None
    judged_by: str
    judges: dict[str, str]
    photos: list[PhotoReport]
    not_photos: list[str]
    people: int
    verdicts: dict[Word, int]
    unseen: int
    linkability: dict[str, Links]
    searches: Searches | None
    sentence: str


@dataclass(frozen=True, eq=False)
class Measured:
    """What a report is made of; people: told apart on the originals.  thumbs: before and after."""

    bundle: str
    judges: dict[str, str]
    people: int
    unseen: int
    links: dict[str, Links]
    searches: Searches | None
    thumbs: list[tuple[bytes | None, bytes | None]]


def measure(
    bundle: Bundle,
    album: Album,
    entries: Sequence[Entry],
    sights: Sequence[Sight],
    people: Sequence[Sequence[int]],
    bar: Progress,
) -> Measured:
    """Look at every finished file as a stranger would, and count what still links, and what searches find."""
    asked, appearances, unseen = thresholds(bundle), list[Appearance](), 0
    thumbs: list[tuple[bytes | None, bytes | None]] = []
    for number, entry in enumerate(bar.track(entries, description="look at the results")):
        sight, after = sights[number], None
        if entry.status == "protected":
            embedded, after = look_again(bundle, album.out / str(entry.out), sight.faces)
            for person, known, seen in zip(people[number], sight.faces, embedded, strict=True):
                if not seen:
                    unseen += 1
                    continue
                target, held_out = worn(known, entry.faces, frozenset(asked), bundle.judges is not None)
                appearances.append(Appearance(number, person, known.embeddings, seen, target, held_out))
        thumbs.append((sight.thumb, after))
    return Measured(
        bundle=bundle.catalog.name,
        judges={name: bundle.judges.cards[name].stands_for for name in asked} if bundle.judges else {},
        people=told_apart(sights, people),
        unseen=unseen,
        links=count_links(appearances, asked),
        searches=search_album(appearances, list(asked)),
        thumbs=thumbs,
    )


def told_apart(sights: Sequence[Sight], people: Sequence[Sequence[int]]) -> int:
    """How many people there are on the originals; not those whom no recogniser sees.  people: of each sight's faces."""
    faces = (
        (face, person)
        for sight, who in zip(sights, people, strict=True)
        for face, person in zip(sight.faces, who, strict=True)
    )
    return len({person for face, person in faces if face.embeddings})


def worn(
    known: KnownFace, faces: Sequence[FaceReport], everybody: frozenset[str], are_judges: bool
) -> tuple[str | None, frozenset[str]]:
    """Towards whom a face was made up, and whom its style was not trained against: nobody, where it was left alone.

    are_judges: whether these are recognisers of libraries, which no style is trained against unless the report says so;
    of a bundle's own, those are held out of which it says so.
    """
    face = _face_of(known, faces)
    if not isinstance(face, ProtectedFace):
        return None, everybody
    if not are_judges:
        return face.target, everybody & {row.name for row in face.recognisers if row.role == "held_out"}
    rows: list[Match | Judgement] = [*face.recognisers, *face.judges]
    return face.target, everybody - {row.name for row in rows if row.role == "surrogate"}


def _face_of(known: KnownFace, faces: Sequence[FaceReport]) -> FaceReport | None:
    """What is told of a face: found by place, for a service may run another detector, which counts differently."""
    at_x, at_y = known.found.eye_middle
    for face in faces:
        x, y, width, height = face.box
        if x <= at_x <= x + width and y <= at_y <= y + height:
            return face
    return None


def write_report(
    album: Album, entries: Sequence[Entry], measured: Measured, people: Sequence[Sequence[int]], wish: Wish
) -> AlbumReport:
    """Write `report.json` and `report.html` into the out folder; returns what the JSON holds."""
    made_by = next((entry.bundle for entry in entries if entry.bundle), None)
    report = AlbumReport(
        commit=commit(),
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        options=wish.model_dump(mode="json", exclude_none=True),
        bundle=made_by,
        judged_by=measured.bundle,
        judges=measured.judges,
        photos=[_photo(entry, who) for entry, who in zip(entries, people, strict=True)],
        not_photos=album.others,
        people=measured.people,
        verdicts=verdicts(entries),
        unseen=measured.unseen,
        linkability=measured.links,
        searches=measured.searches,
        sentence=" ".join(
            (sentence(measured.links), *search_sentences(measured.searches), *unseen_sentences(measured.unseen))
        ),
    )
    page = Environment(loader=PackageLoader("cli"), autoescape=select_autoescape(["html", "j2"]))
    html = page.get_template("album.html.j2").render(
        report=report,
        pictures=[[thumb and b64encode(thumb).decode() for thumb in pair] for pair in measured.thumbs],
        rows=list(zip(*report.searches.by_recogniser.values(), strict=True)) if report.searches else [],
        grade=GRADES.get((made_by or {}).get("grade", ""), ""),
    )
    for name, text in (("report.json", report.model_dump_json(indent=2) + "\n"), ("report.html", html)):
        with finished(album.out / name) as partial:
            partial.write_text(text, encoding="utf-8")
    return report


def _photo(entry: Entry, people: Sequence[int]) -> PhotoReport:
    told = {name: getattr(entry, name) for name in PhotoReport.model_fields if name != "people"}
    return PhotoReport(**told, people=list(people))


def verdicts(entries: Sequence[Entry]) -> dict[Word, int]:
    """How many protected faces got each word."""
    words = Counter(face.verdict.word for entry in entries for face in protected(entry.faces))
    return {word: words[word] for word in get_args(Word)}


def sentence(links: Mapping[str, Links]) -> str:
    """What the figures mean for somebody who wants the photos of a person kept apart."""
    before, after = links["before"], links["after"]
    if not after.pairs:
        return "Nobody was found in two finished photos, so there is nothing to link."
    subject = "pair of photos shows" if after.pairs == 1 else "pairs of photos show"
    told = f"{after.pairs} {subject} the same person."
    if not after.judged:
        return f"{told} Every recogniser here was attacked by the make-up of one of them, so none can judge them."
    told += (
        f" Of recognisers that the make-up never attacked, at least one matched {_percent(before.any_held_out)} before "
        f"and still matches {_percent(after.any_held_out)} now; all of them matched {_percent(before.every_held_out)} "
        f"and now match {_percent(after.every_held_out)}."
    )
    shared = links["same_target"]
    if not shared.pairs:
        return told
    return told + (
        f" {shared.pairs} of the pairs share a target: of those, at least one recogniser still "
        f"matches {_percent(shared.any_held_out)}."
    )


def search_sentences(searches: Searches | None) -> list[str]:
    """What a search engine would make of the album, over recognisers that no make-up of it was trained against."""
    if searches is None or not searches.never_attacked:
        return []
    rows = zip(*(searches.by_recogniser[name] for name in searches.never_attacked), strict=True)
    firsts = {(each[0].query, each[0].gallery): _range(each) for each in rows}
    subject = "search with one photo" if searches.searches == 1 else "searches with one photo each"
    verb = "puts" if searches.searches == 1 else "put"
    return [
        f"{searches.searches} {subject} among the other photos, {searches.people} people, {verb} the right person "
        f"first in {firsts['bare', 'bare']} when all are bare, "
        f"{firsts['protected', 'bare']} with a protected photo among bare ones, {firsts['bare', 'protected']} with a "
        f"bare one among protected ones, and {firsts['protected', 'protected']} when all are protected."
    ]


def _range(found: Sequence[Found]) -> str:
    """Rank 1 from the recogniser that finds fewest to the one that finds most."""
    least, most = (f"{100 * share:.0f}" for share in (func(each.rank_1.value for each in found) for func in (min, max)))
    return f"{least} %" if least == most else f"{least} to {most} %"


def unseen_sentences(unseen: int) -> list[str]:
    """That some faces are not in the figures."""
    return [f"Not counted, because recognisers of libraries see no face there: {unseen}."] if unseen else []


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{100 * share:.0f} %"
