"""Decoding in a process of its own, so that no upload can exhaust, hang or crash the web process."""

import resource
import signal
import sys

from anyio import BrokenWorkerProcess, CapacityLimiter, to_process

from app.photo import CanonicalPhoto, PhotoDamaged, PhotoLimits, canonical_photo
from jobs.settings import Settings

BASE_BYTES = 512 * 1024 * 1024  # interpreter, libraries and the upload itself, with room
BYTES_PER_PIXEL = 24  # at 50 megapixels a turned JPEG took 8, HEIC 12, AVIF with alpha 13, WebP with alpha 17


def photo_limits(settings: Settings) -> PhotoLimits:
    """What the settings say an upload may be."""
    return PhotoLimits(settings.max_pixels, settings.max_side_px, settings.min_side_px, settings.extra_formats)


class Decoder:
    """At most `decode_processes` children, reused; each serves one upload at a time."""

    def __init__(self, settings: Settings) -> None:
        self._limits = photo_limits(settings)
        self._timeout_s = settings.decode_timeout_s
        self._places = CapacityLimiter(settings.decode_processes)

    async def decode(self, upload: bytes) -> CanonicalPhoto:
        """The canonical photo. Raises PhotoRejected, also when the child dies over it or takes too long."""
        arguments = (upload, self._limits, self._timeout_s)
        try:
            return await to_process.run_sync(_confined, *arguments, cancellable=True, limiter=self._places)
        except BrokenWorkerProcess as error:
            raise PhotoDamaged("decoding the photo crashed or took too long") from error


def _confined(upload: bytes, limits: PhotoLimits, timeout_s: float) -> CanonicalPhoto:
    """Runs in the child: bounded memory, and SIGALRM ends the child even when nobody is left to wait for it."""
    if sys.platform == "linux":  # elsewhere the kernel does not enforce it
        memory_bytes = BASE_BYTES + BYTES_PER_PIXEL * limits.max_pixels
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    signal.setitimer(signal.ITIMER_REAL, timeout_s)
    try:
        return canonical_photo(upload, limits)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
