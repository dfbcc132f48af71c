"""When the server is asked to stop, nothing that waits goes on waiting."""

from collections.abc import Iterator
from contextlib import contextmanager

import anyio


class Stopping:
    """Ends waits: those of uploads for their next bytes, and of long polls for the end of their job."""

    def __init__(self) -> None:
        self.has_begun = False
        self._waits: set[anyio.CancelScope] = set()

    def begin(self) -> None:
        """The server stops. To be called in its event loop."""
        self.has_begun = True
        for wait in self._waits:
            wait.cancel()

    @contextmanager
    def patience(self, seconds: float) -> Iterator[anyio.CancelScope]:
        """A block that is left after `seconds`, or as soon as the server stops; the scope tells if it was."""
        with anyio.move_on_after(0 if self.has_begun else seconds) as wait:
            self._waits.add(wait)
            try:
                yield wait
            finally:
                self._waits.discard(wait)
