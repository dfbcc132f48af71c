"""Decoding in a process of its own, so that no upload can exhaust, hang or crash the web process."""

from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import IO

from anyio import BrokenWorkerProcess, CapacityLimiter, to_process

from app.photo.canonical import PhotoDamaged, PhotoLimits, Source
from app.photo.confined import decode_confined
from app.spool import is_large, open_spool, path_of, size_of
from jobs.settings import Settings


def photo_limits(settings: Settings) -> PhotoLimits:
    """What the settings say an upload may be."""
    return PhotoLimits(settings.max_pixels, settings.max_side_px, settings.min_side_px, settings.extra_formats)


@dataclass(frozen=True)
class DecodedPhoto:
    """A `CanonicalPhoto` whose PNG is in a file."""

    png: IO[bytes]
    size_bytes: int
    width: int
    height: int
    source: Source
    kept: dict[str, str]


class Decoder:
    """At most `decode_processes` children, reused; each serves one upload at a time, and one is kept for small ones.

    Files go to them and come back, not bytes: a pipe would hold the photo three times over.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._limits = photo_limits(settings)
        self._places = CapacityLimiter(settings.decode_processes)
        self._large = CapacityLimiter(max(1, settings.decode_processes - 1))

    @asynccontextmanager
    async def decode(self, upload: IO[bytes], keep: Collection[str] = ()) -> AsyncIterator[DecodedPhoto]:
        """The canonical photo of an open file, for as long as the block lasts. keep: what to read of its metadata.

        Raises PhotoRejected, also when the child dies over it or takes too long.
        """
        upload.flush()
        with open_spool() as png:
            arguments = (path_of(upload), path_of(png), self._limits, self._settings.decode_timeout_s, keep)
            async with AsyncExitStack() as held:
                if is_large(size_of(upload), self._settings):
                    await held.enter_async_context(self._large)
                try:
                    told = await to_process.run_sync(
                        decode_confined, *arguments, cancellable=True, limiter=self._places
                    )
                except BrokenWorkerProcess as error:
                    raise PhotoDamaged("decoding the photo crashed or took too long") from error
            yield DecodedPhoto(png, size_of(png), *told)
