"""Which files have arrived whole: they look the same for a while, look after look.

Looking again and again instead of waiting for events: network folders send none, what arrived while nobody watched
sends none either, and no event says that a file which grew in its place will not grow further.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

Stamp = tuple[int, int, int]
"""What changes when a file does: its size in bytes, its date in nanoseconds, and its number on the disk."""


@dataclass
class Arrivals:
    """The files below `folder`, hidden ones and those of `out` left out. settle_s: for which one must not change."""

    folder: Path
    out: Path
    settle_s: float
    _since: dict[str, tuple[Stamp, float]] = field(default_factory=dict)

    def whole(self, now: float) -> dict[str, Stamp]:
        """Those that have not changed for so long, oldest first. now: seconds on any clock, later with every call."""
        stamps = dict(self._look())
        self._since = {
            name: (stamp, self._since[name][1] if name in self._since and self._since[name][0] == stamp else now)
            for name, stamp in stamps.items()
        }
        settled = [name for name, (stamp, since) in self._since.items() if now - since >= self.settle_s and stamp[0]]
        return {name: stamps[name] for name in sorted(settled, key=lambda name: (stamps[name][1], name))}

    def stamp(self, name: str) -> Stamp | None:
        """How the file looks at this moment; None where it is gone."""
        return _stamp(self.folder / name)

    def _look(self) -> Iterator[tuple[str, Stamp]]:
        for where, folders, names in os.walk(self.folder):
            here = Path(where)
            folders[:] = [each for each in folders if not each.startswith(".") and here / each != self.out]
            for name in names:
                stamp = None if name.startswith(".") else _stamp(here / name)
                if stamp:
                    yield (here / name).relative_to(self.folder).as_posix(), stamp


def _stamp(path: Path) -> Stamp | None:
    try:
        found = path.stat()
    except OSError:  # gone between two looks, or not ours to see
        return None
    return (found.st_size, found.st_mtime_ns, found.st_ino) if path.is_file() else None
