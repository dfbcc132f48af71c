"""Pictures as verifiers take them: a JPEG file neither too small nor too large."""

import io
from dataclasses import dataclass

from PIL import Image

QUALITIES = (95, 85, 75, 60, 40)


@dataclass(frozen=True)
class PictureLimits:
    """The shortest and the longest side, and the size of the file."""

    min_side_px: int
    max_side_px: int
    max_bytes: int


def fit_picture(data: bytes, limits: PictureLimits) -> bytes:
    """The same picture within the limits; a JPEG that is within them already stays as it is, byte for byte.

    A picture too elongated for both limits on its sides keeps to the larger one.
    """
    with Image.open(io.BytesIO(data)) as opened:
        sides = sorted(opened.size)
        fits = limits.min_side_px <= sides[0] and sides[1] <= limits.max_side_px and len(data) <= limits.max_bytes
        if fits and opened.format == "JPEG":
            return data
        picture = opened.convert("RGB")
    factor = min(max(1.0, limits.min_side_px / sides[0]), limits.max_side_px / sides[1])
    while True:
        size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
        scaled = picture if size == picture.size else picture.resize(size, Image.Resampling.LANCZOS)
        for quality in QUALITIES:
            buffer = io.BytesIO()
            scaled.save(buffer, "JPEG", quality=quality, subsampling=0)
            if buffer.tell() <= limits.max_bytes:
                return buffer.getvalue()
        factor /= 2
