"""How many uploads are under way, and how many bytes they may have together.

A large upload cannot take the last share: what is kept for small ones lets them through while large ones come and go.
"""

from dataclasses import dataclass

from app.problem import Problem
from app.spool import is_large
from jobs.settings import Settings

KEPT_PART = 4  # a quarter of the places and of the bytes is for small ones alone


@dataclass(eq=False)
class Place:
    """The room that one upload takes, until it is given back."""

    uploads: "Uploads"
    size_bytes: int
    is_taken: bool = False

    def give_back(self) -> None:
        """Whoever comes next may have it; a second time does nothing."""
        if self.is_taken:
            self.is_taken = False
            self.uploads.count -= 1
            self.uploads.total_bytes -= self.size_bytes


class Uploads:
    """Those of one web process. Lives in its event loop, so nothing comes between a look and a change."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.count = 0
        self.total_bytes = 0

    def take(self, size_bytes: int) -> Place:
        """Room for `size_bytes` more, before any of them is read. Raises Problem."""
        kept = KEPT_PART if is_large(size_bytes, self._settings) else 0
        most = self._settings.max_uploads - (self._settings.max_uploads // kept if kept else 0)
        most_bytes = self._settings.uploading_bytes
        most_bytes -= most_bytes // kept if kept else 0
        if self.count >= most or self.total_bytes + size_bytes > most_bytes:
            raise Problem("too_many_uploads", "too many uploads are under way; come back in a moment")
        self.count += 1
        self.total_bytes += size_bytes
        return Place(self, size_bytes, is_taken=True)
