"""`diffam watch DIR`: an album that never ends. Look, take what is whole and not finished, make it, look again.

The journal is the album's own, so `diffam protect DIR` with the same wish finds everything finished, and reports on it.
"""

import signal
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from time import monotonic

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from app.codes import FACTS, IN_A_JOB
from cli.album.arrivals import Arrivals, Stamp
from cli.album.folder import Album, is_photo
from cli.album.journal import Entry, Journal, open_journal
from cli.album.protect import IN_FLIGHT, AlbumOrder, check_album, styled, targets_of
from cli.album.work import Maker, fingerprint, is_finished, make_all
from cli.bundles.choosing import choose
from cli.errors import CliError
from cli.make import make_here, make_there, service_at
from cli.wishes import suffix_of
from jobs.settings import Settings
from model_store.additions import with_additions
from model_store.digest import sha256_of

LOOKS = 4
"""In the time for which a file must not change."""
MOST_APART_S = 2.0
RETRY_S = 60.0
"""Before a photo that failed for a reason which passes is tried again."""
AT_A_TIME = 32
FINAL = (IN_A_JOB, 413, 415, 422)
"""Statuses of codes that are about the photo itself: unless the file changes, nothing else will be said of it."""


def watch_folder(console: Console, settings: Settings, order: AlbumOrder, settle_s: float) -> None:
    """Protect what arrives until somebody interrupts; what is under way then is made at the next start.

    Raises CliError, ClientError, StoreError, OSError.
    """
    wish, stop = order.wish, Event()
    check_album(wish)
    folder, out = order.folder.resolve(), order.out.resolve()
    if not folder.is_dir():
        raise CliError(f"there is no folder {order.folder}")
    if folder.is_relative_to(out):
        raise CliError("--out must be a folder of its own: originals are never written over")
    choice = choose(settings)
    added = settings.added_to(choice.folder.name)
    with ExitStack() as held:
        held.enter_context(_interrupted_by_sigterm())
        if order.server:
            client = held.enter_context(service_at(order.server, settings, stop))
            targets, make = targets_of(client, wish.reference_id), make_there(client, wish, stop)
        else:
            targets = styled(with_additions(choice.catalog, added), wish)
            from model_store.opening import open_chosen  # here: where a service makes the photos, no network loads

            make = make_here(open_chosen(choice, settings.device, added, wish.judges), settings, wish)
        journal = held.enter_context(open_journal(out))
        watching = Watching(
            Arrivals(folder, out, settle_s), Album(folder, out, [], []), journal,
            Maker(make, IN_FLIGHT if order.server else 1, stop), fingerprint(wish, choice.catalog.name),
            suffix_of(wish.output_format), [wish.target_id] if wish.target_id else targets,
        )  # fmt: skip
        console.print(f"Watching {escape(str(order.folder))}. Ctrl-C stops it.", soft_wrap=True)
        while True:
            for entry in watching.round(monotonic()):
                console.print(told(entry), soft_wrap=True)
            stop.wait(min(settle_s / LOOKS, MOST_APART_S))


@dataclass
class Watching:
    """A folder that is watched. done: the files about which nothing is left to do, as they looked then.

    asked, suffix, targets: which options files are made with, how their names end, whom they may be dealt to.
    """

    arrivals: Arrivals
    album: Album
    journal: Journal
    maker: Maker
    asked: str
    suffix: str
    targets: Sequence[str | None]
    done: dict[str, Stamp] = field(default_factory=dict)
    later: dict[str, float] = field(default_factory=dict)

    def round(self, now: float) -> list[Entry]:
        """Look once, make what is to be made, and tell what became of it. now: as `Arrivals.whole` takes it."""
        waiting = {
            name: stamp
            for name, stamp in self.arrivals.whole(now).items()
            if self.done.get(name) != stamp and self.later.get(name, now) <= now
        }
        todo: dict[str, Entry] = {}
        for name, stamp in waiting.items():
            if entry := self._entry(name, todo):
                todo[name] = entry
            else:
                self.done[name] = stamp
            if len(todo) == AT_A_TIME:
                break
        make_all(self.album, list(todo.values()), self.journal, self.maker, Progress(disable=True))
        made = [self.journal.entries[name] for name in todo]
        for entry in made:
            if entry.status == "protected" or is_final(entry):
                self.done[entry.photo] = waiting[entry.photo]
                self.later.pop(entry.photo, None)
            else:
                self.later[entry.photo] = now + RETRY_S
        return made

    def _entry(self, name: str, beside: dict[str, Entry]) -> Entry | None:
        """What is to become of a file; None where nothing is: it is no photo, or finished, or failed for good."""
        path, known, others = self.album.folder / name, self.journal.entries.get(name), self.journal.entries | beside
        try:
            sha256 = sha256_of(path)
        except OSError:  # gone again, or not to be read: making it tells why
            sha256 = ""
        if sha256 and not is_photo(path):
            return None
        if known and is_finished(self.album, known, sha256, self.asked):
            return None
        if known and is_final(known) and (known.upload_sha256, known.wish) == (sha256, self.asked):
            return None
        out = known.out if known and known.out else self._free_name(name, others)
        return Entry(name, sha256, self.asked, "failed", out=out, target=self._least_used(others))

    def _free_name(self, name: str, others: Mapping[str, Entry]) -> str:
        """The photo's name with another suffix, or with one more where another photo has that name."""
        short = str(Path(name).with_suffix(self.suffix))
        taken = {entry.out.lower() for entry in others.values() if entry.out and entry.photo != name}
        return name + self.suffix if short.lower() in taken else short

    def _least_used(self, others: Mapping[str, Entry]) -> str | None:
        """Photos that all resemble one stranger would link to each other, so targets take turns."""
        used = Counter(entry.target for entry in others.values())
        return min(self.targets, key=lambda target: used[target], default=None)


def is_final(entry: Entry) -> bool:
    """Whether a photo failed for a reason that lies in it."""
    fact = FACTS.get(entry.code or "")
    return entry.status == "failed" and fact is not None and fact.status in FINAL and not fact.is_retryable


def told(entry: Entry) -> str:
    """A line about what became of a photo."""
    if entry.status == "protected":
        return f"{escape(entry.photo)} -> {escape(str(entry.out))}"
    again = "" if is_final(entry) else f"; again in {RETRY_S:.0f} s"
    return f"{escape(entry.photo)}: [red]{entry.code}[/]: {escape(entry.message or '')}{again}"


@contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    """What asks services to stop is a Ctrl-C, so that a photo at a service is erased there."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
