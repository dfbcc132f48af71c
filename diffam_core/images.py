"""The only place that knows bytes: photos as uint8 `(height, width, 3)` RGB arrays, portraits as floats in [-1, 1]."""

import io
from collections.abc import Mapping
from typing import Any, Literal
from xml.sax.saxutils import escape

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy.typing import NDArray
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor
from torch.nn import functional

from diffam_core.errors import PhotoUnreadable, PhotoUnwritable

Photo = NDArray[np.uint8]
"""RGB, `(height, width, 3)`."""
Alpha = NDArray[np.uint8]
"""Opacity, `(height, width)`; 255 hides what is behind."""
OutputFormat = Literal["png", "jpeg", "webp", "avif", "heic"]
MEDIA_TYPES: dict[OutputFormat, str] = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "avif": "image/avif",
    "heic": "image/heic",
}
OPTIONS: dict[OutputFormat, dict[str, Any]] = {
    "png": {"compress_level": 3},
    "jpeg": {"subsampling": "4:4:4"},
    "webp": {"alpha_quality": 100, "use_sharp_yuv": True},  # has 4:2:0 only
    "avif": {"subsampling": "4:4:4", "speed": 8},
    "heic": {"chroma": 444, "enc_params": {"preset": "ultrafast"}},  # 4 times as fast, files 18 % larger: 1 megapixel
}
XMP = b"""\
<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" \
Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"/>
</rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>"""
"""What IPTC says of a photo partly made by a trained model; it names neither person nor place nor time."""
XMP_KEPT = {
    "credit": "<dc:creator><rdf:Seq><rdf:li>{}</rdf:li></rdf:Seq></dc:creator>",
    "copyright": '<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">{}</rdf:li></rdf:Alt></dc:rights>',
    "date": "<photoshop:DateCreated>{}</photoshop:DateCreated>",
}
"""Where XMP has what the owner of a photo keeps of its metadata."""
XMP_NAMES = b' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"'
EXIF_KEPT = {"credit": ExifTags.Base.Artist, "copyright": ExifTags.Base.Copyright}


def decode_photo(data: bytes) -> Photo:
    """The pixels of an encoded picture, whatever their alpha. Raises PhotoUnreadable."""
    return decode_rgba(data)[0]


def decode_rgba(data: bytes) -> tuple[Photo, Alpha | None]:
    """The pixels of an encoded picture and its alpha; None where nothing shows through. Raises PhotoUnreadable."""
    try:
        with _open(data) as image:
            alpha = np.array(image.convert("RGBA").getchannel("A")) if image.has_transparency_data else None
            photo = np.array(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, RuntimeError, ImportError, Image.DecompressionBombError) as error:
        raise PhotoUnreadable(f"these {len(data)} bytes do not decode to a picture") from error
    return photo, None if alpha is None or alpha.min() == 255 else alpha


def encode_photo(
    photo: Photo,
    output_format: OutputFormat,
    quality: int = 92,
    alpha: Alpha | None = None,
    kept: Mapping[str, str] | None = None,
) -> bytes:
    """The photo as a file. It has no metadata; or where there is `kept`, this and XMP: partly made by a trained model.

    kept: `credit`, `copyright`, `date` (ISO 8601, no zone), those that there are; XMP and EXIF tell them.
    quality: 0 to 100; PNG has none.  alpha: kept exactly by PNG and WebP, nearly by AVIF and HEIC, and laid on white by
    JPEG. Colour has full resolution (4:4:4), except in WebP. Raises PhotoUnwritable.
    """
    image = Image.fromarray(photo)
    if alpha is not None and output_format == "jpeg":
        ground = Image.new("RGB", image.size, "white")
        ground.paste(image, mask=Image.fromarray(alpha))
        image = ground
    elif alpha is not None:
        image.putalpha(Image.fromarray(alpha))
    options = OPTIONS[output_format] | _quality(output_format, quality)
    if kept is not None:
        options |= _told(output_format, _xmp(kept)) | _exif(kept)
    buffer = io.BytesIO()
    try:
        if output_format == "heic":
            from pillow_heif import from_pillow  # a package of its own, wanted by few

            from_pillow(image).save(buffer, **options)
        else:
            image.save(buffer, output_format.upper(), **options)
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        size = f"{image.width} by {image.height} pixels"
        raise PhotoUnwritable(f"{size} cannot be written as {output_format}: {error}") from error
    return buffer.getvalue()


def _open(data: bytes) -> Image.Image:
    if data[4:8] == b"ftyp" and data[8:12] not in (b"avif", b"avis"):
        from pillow_heif import HeifImageFile

        return HeifImageFile(io.BytesIO(data))
    return Image.open(io.BytesIO(data))


def _quality(output_format: OutputFormat, quality: int) -> dict[str, int]:
    return {} if output_format == "png" else {"quality": quality}


def _told(output_format: OutputFormat, xmp: bytes) -> dict[str, Any]:
    if output_format == "png":
        text = PngInfo()
        text.add_itxt("XML:com.adobe.xmp", xmp.decode())
        return {"pnginfo": text}
    return {"xmp": xmp}


def _xmp(kept: Mapping[str, str]) -> bytes:
    """The packet of a finished photo."""
    if not kept:
        return XMP
    properties = "".join(XMP_KEPT[word].format(escape(text)) for word, text in kept.items()).encode()
    before, after = XMP.split(b"/>\n")
    return before + XMP_NAMES + b">" + properties + b"</rdf:Description>\n" + after


def _exif(kept: Mapping[str, str]) -> dict[str, bytes]:
    """The same for programs that read no XMP. EXIF cannot tell a day without a time."""
    exif = Image.Exif()
    for word, tag in EXIF_KEPT.items():
        if word in kept:
            exif[tag] = kept[word].encode()
    if "T" in kept.get("date", ""):
        day, _, time = kept["date"].partition("T")
        exif[ExifTags.IFD.Exif] = {ExifTags.Base.DateTimeOriginal: f"{day.replace('-', ':')} {time}"}
    return {"exif": exif.tobytes()} if len(exif) else {}


def to_portrait(pixels: Photo) -> Float[Tensor, "1 3 height width"]:
    """Bytes to [-1, 1]."""
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1


def to_pixels(portrait: Float[Tensor, "3 height width"]) -> UInt8[np.ndarray, "height width 3"]:
    """[-1, 1] to rounded bytes; values outside are clipped."""
    rounded = ((portrait + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return rounded.permute(1, 2, 0).contiguous().cpu().numpy()


def shrink(
    x: Float[Tensor, "batch channels height width"], size_px: int
) -> Float[Tensor, "batch channels {size_px} {size_px}"]:
    """Area-averaged down to `size_px`."""
    return functional.interpolate(x, size_px, mode="area")
