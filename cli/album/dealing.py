"""What is to do in an album: who is on the photos, and which target each gets."""

from collections.abc import Sequence
from dataclasses import dataclass

from cli.album.folder import Album, finished_names
from cli.album.journal import Entry, Journal
from cli.album.sight import Sight
from cli.album.work import fingerprint, is_finished
from cli.wishes import suffix_of
from diffam_client.contract.wish import Wish
from model_store.bundle import Bundle
from protection.measuring.linkability import deal_targets, group_people, thresholds


@dataclass(frozen=True)
class Plan:
    """Who is on each photo, its largest face's person first, and the entries that are to become finished files."""

    people: list[list[int]]
    todo: list[Entry]


def plan_work(
    bundle: Bundle, album: Album, journal: Journal, wish: Wish, sights: Sequence[Sight], targets: Sequence[str]
) -> Plan:
    """Group the faces by person, and deal targets to the photos that are not finished already."""
    people = group_people([[face.embeddings for face in sight.faces] for sight in sights], thresholds(bundle))
    names = finished_names(album.photos, suffix_of(wish.output_format))
    asked = fingerprint(wish, bundle.catalog.name)
    kept: dict[int, str] = {}
    for number, (name, sight) in enumerate(zip(album.photos, sights, strict=True)):
        entry = journal.entries.get(name)
        if entry and entry.target and is_finished(album, entry, sight.sha256, asked):
            kept[number] = entry.target
    dealt = deal_targets(people, targets, kept)
    todo = [
        Entry(name, sight.sha256, asked, "failed", out=names[name], target=target)
        for number, (name, sight, target) in enumerate(zip(album.photos, sights, dealt, strict=True))
        if number not in kept
    ]
    return Plan(people, todo)
