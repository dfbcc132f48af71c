"""The only place that knows bytes: photos as uint8 `(height, width, 3)` RGB arrays, portraits as floats in [-1, 1]."""

import io
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from diffam_core.errors import PhotoUnreadable

Photo = NDArray[np.uint8]
"""RGB, `(height, width, 3)`."""
OutputFormat = Literal["png", "jpeg"]


def decode_photo(data: bytes) -> Photo:
    """The pixels of an encoded picture. Raises PhotoUnreadable."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return np.array(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, RuntimeError, Image.DecompressionBombError) as error:
        raise PhotoUnreadable(f"these {len(data)} bytes do not decode to a picture") from error


def encode_photo(photo: Photo, output_format: OutputFormat, quality: int = 92) -> bytes:
    """The photo as a file without metadata. JPEG keeps full colour resolution (4:4:4)."""
    buffer = io.BytesIO()
    if output_format == "png":
        Image.fromarray(photo).save(buffer, "PNG", compress_level=3)
    else:
        Image.fromarray(photo).save(buffer, "JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


def to_portrait(pixels: Photo) -> Float[Tensor, "1 3 height width"]:
    """Bytes to [-1, 1]."""
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1


def to_pixels(portrait: Float[Tensor, "3 height width"]) -> UInt8[np.ndarray, "height width 3"]:
    """[-1, 1] to rounded bytes; values outside are clipped."""
    rounded = ((portrait + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return rounded.permute(1, 2, 0).contiguous().cpu().numpy()
