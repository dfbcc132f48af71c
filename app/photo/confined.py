"""What runs in a decoder's process. It imports nothing but what it needs: a child must start quickly and stay small."""

import resource
import signal
import sys
from collections.abc import Collection
from pathlib import Path

from app.photo.canonical import PhotoLimits, Source, canonical_photo

BASE_BYTES = 512 * 1024 * 1024  # interpreter, libraries and the upload itself, with room
BYTES_PER_PIXEL = 24  # at 50 megapixels a turned JPEG took 8, HEIC 12, AVIF with alpha 13, WebP with alpha 17


def decode_confined(
    upload: str, png: str, limits: PhotoLimits, timeout_s: float, keep: Collection[str]
) -> tuple[int, int, Source, dict[str, str]]:
    """Runs in the child: bounded memory, and SIGALRM ends the child even when nobody is left to wait for it.

    Writes the file `png`; returns width, height, source, and what is kept of the metadata.
    """
    if sys.platform == "linux":  # elsewhere the kernel does not enforce it
        memory_bytes = BASE_BYTES + BYTES_PER_PIXEL * limits.max_pixels
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    signal.setitimer(signal.ITIMER_REAL, timeout_s)
    try:
        photo = canonical_photo(Path(upload).read_bytes(), limits, keep)
        Path(png).write_bytes(photo.png)
        return photo.width, photo.height, photo.source, photo.kept
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
