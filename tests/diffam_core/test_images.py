"""The finished file: the pixels, the alpha plane and one honest line of metadata."""

import struct
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import get_args

import numpy as np
import pytest
from PIL import ExifTags

from diffam_core.errors import PhotoUnreadable, PhotoUnwritable
from diffam_core.images import (
    MEDIA_TYPES,
    XMP,
    Alpha,
    OutputFormat,
    Photo,
    _open,
    decode_photo,
    decode_rgba,
    encode_photo,
)

FORMATS: tuple[OutputFormat, ...] = get_args(OutputFormat)
SOURCE = b"http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"


@pytest.fixture(scope="module")
def photo() -> Photo:
    """Smooth colour, 96 by 70, with a red and blue edge that halved colour resolution would smear."""
    rows, columns = np.mgrid[0:70, 0:96]
    photo = np.stack((rows * 3, columns * 2, 255 - rows * 2), axis=-1).astype(np.uint8)
    photo[20:50, 31:61], photo[20:50, 61:81] = (220, 20, 20), (20, 20, 220)
    return photo


@pytest.fixture(scope="module")
def alpha() -> Alpha:
    """A hole, a veil and a solid rest."""
    alpha = np.full((70, 96), 255, dtype=np.uint8)
    alpha[:10], alpha[10:20] = 0, 128
    return alpha


def png_parts(file: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at < len(file):
        (size,) = struct.unpack(">I", file[at : at + 4])
        yield file[at + 4 : at + 8], file[at + 8 : at + 8 + size]
        at += 12 + size


def jpeg_parts(file: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 2
    while file[at + 1] != 0xDA:
        (size,) = struct.unpack(">H", file[at + 2 : at + 4])
        yield file[at : at + 2], file[at + 4 : at + 2 + size]
        at += 2 + size


def webp_parts(file: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    while at < len(file):
        (size,) = struct.unpack("<I", file[at + 4 : at + 8])
        yield file[at : at + 4], file[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def iso_parts(file: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The items that a HEIC or AVIF declares, by type and name."""
    at = file.index(b"infe") - 4
    while file[at + 4 : at + 8] == b"infe":
        (size,) = struct.unpack(">I", file[at : at + 4])
        yield file[at + 16 : at + 20], file[at + 20 : at + size]
        at += size


def parts(file: bytes, output_format: OutputFormat) -> list[tuple[bytes, bytes]]:
    walk = {"png": png_parts, "jpeg": jpeg_parts, "webp": webp_parts, "avif": iso_parts, "heic": iso_parts}
    return list(walk[output_format](file))


PICTURE: dict[OutputFormat, set[bytes]] = {
    "png": {b"IHDR", b"IDAT", b"IEND"},
    "jpeg": {b"\xff\xe0", b"\xff\xdb", b"\xff\xc0", b"\xff\xc4"},
    "webp": {b"VP8 ", b"VP8X", b"ALPH"},
    "avif": {b"av01"},
    "heic": {b"hvc1"},
}
MARK: dict[OutputFormat, bytes] = {
    "png": b"iTXt",
    "jpeg": b"\xff\xe1",
    "webp": b"XMP ",
    "avif": b"mime",
    "heic": b"mime",
}


@pytest.mark.parametrize("output_format", FORMATS)
@pytest.mark.parametrize("has_alpha", [False, True])
def test_a_file_holds_the_picture_and_where_marked_its_provenance_and_nothing_else(
    output_format: OutputFormat, has_alpha: bool, photo: Photo, alpha: Alpha
) -> None:
    plane = alpha if has_alpha else None
    bare = parts(encode_photo(photo, output_format, alpha=plane), output_format)
    assert {name for name, _ in bare} <= PICTURE[output_format]
    file = encode_photo(photo, output_format, alpha=plane, kept={})
    marked = [(name, body) for name, body in parts(file, output_format) if name not in PICTURE[output_format]]
    assert [name for name, _ in marked] == [MARK[output_format]]
    assert file.count(b"<x:xmpmeta") == file.count(SOURCE) == 1
    assert b"Exif" not in file
    assert b"colrprof" not in file


EXIF: dict[OutputFormat, bytes] = {
    "png": b"eXIf",
    "jpeg": b"\xff\xe1",
    "webp": b"EXIF",
    "avif": b"Exif",
    "heic": b"Exif",
}
KEPT = {"credit": "Zoë <ada & sons>", "copyright": "© 2024 Zoë", "date": "2024-05-31T17:02:09"}


@pytest.mark.parametrize("output_format", FORMATS)
def test_what_is_kept_stands_beside_the_provenance_in_xmp_and_exif(output_format: OutputFormat, photo: Photo) -> None:
    file = encode_photo(photo, output_format, kept=KEPT)
    blocks = sorted(name for name, _ in parts(file, output_format) if name not in PICTURE[output_format])
    assert blocks == sorted([MARK[output_format], EXIF[output_format]])
    assert file.count(b"<x:xmpmeta") == file.count(SOURCE) == 1
    assert np.array_equal(decode_photo(file), decode_photo(encode_photo(photo, output_format)))
    with _open(file) as picture:
        packet, exif = picture.info["xmp"], picture.getexif()
    description = ET.fromstring(packet)[0][0]  # noqa: S314 our own text
    told = {element.tag.rpartition("}")[2]: "".join(element.itertext()) for element in description}
    assert told == {"creator": KEPT["credit"], "rights": KEPT["copyright"], "DateCreated": KEPT["date"]}
    assert exif.pop(ExifTags.Base.Artist).encode("latin-1").decode() == KEPT["credit"]
    assert exif.pop(ExifTags.Base.Copyright).encode("latin-1").decode() == KEPT["copyright"]
    assert exif.get_ifd(ExifTags.IFD.Exif) == {ExifTags.Base.DateTimeOriginal: "2024:05:31 17:02:09"}
    assert set(exif) == {ExifTags.IFD.Exif}


def test_a_day_without_a_time_is_told_where_it_can_be(photo: Photo) -> None:
    file = encode_photo(photo, "jpeg", kept={"date": "2024-05-31"})
    assert b"<photoshop:DateCreated>2024-05-31</photoshop:DateCreated>" in file
    assert b"Exif" not in file


def test_the_mark_is_xml_that_names_the_source_and_nothing_else() -> None:
    description = ET.fromstring(XMP)[0][0]  # noqa: S314 our own text
    assert len(description) == 0
    assert {name.rpartition("}")[2]: value for name, value in description.attrib.items()} == {
        "about": "",
        "DigitalSourceType": SOURCE.decode(),
    }


@pytest.mark.parametrize("output_format", FORMATS)
def test_every_format_gives_the_picture_back(output_format: OutputFormat, photo: Photo) -> None:
    file = encode_photo(photo, output_format)
    assert MEDIA_TYPES[output_format] == f"image/{output_format}"
    off = np.abs(decode_photo(file).astype(int) - photo)
    assert off.mean() < {"png": 0.001, "webp": 4}.get(output_format, 2.5)
    if output_format != "webp":  # the others keep the colour of every pixel, so an edge is one pixel wide
        assert np.abs(off[30:40, 58:64]).max() < 25
    assert decode_rgba(file)[1] is None


@pytest.mark.parametrize("output_format", ["png", "webp", "avif", "heic"])
def test_the_alpha_plane_survives(output_format: OutputFormat, photo: Photo, alpha: Alpha) -> None:
    arrived, plane = decode_rgba(encode_photo(photo, output_format, alpha=alpha))
    assert plane is not None
    assert np.abs(plane.astype(int) - alpha).max() <= (0 if output_format in ("png", "webp") else 8)
    assert np.abs(arrived.astype(int) - photo)[alpha > 0].mean() < 4


def test_a_jpeg_lies_on_white(photo: Photo, alpha: Alpha) -> None:
    arrived, plane = decode_rgba(encode_photo(photo, "jpeg", alpha=alpha))
    assert plane is None
    assert arrived[:8].min() > 245
    assert np.abs(arrived[12:18].astype(int) - (photo[12:18].astype(int) + 255) / 2).mean() < 4


@pytest.mark.parametrize("output_format", ["jpeg", "webp", "avif", "heic"])
def test_less_quality_makes_a_smaller_file(output_format: OutputFormat, photo: Photo) -> None:
    noisy = photo ^ np.random.default_rng(0).integers(0, 32, photo.shape, dtype=np.uint8)
    sizes = [len(encode_photo(noisy, output_format, quality)) for quality in (30, 60, 90)]
    assert sizes == sorted(set(sizes))


def test_a_photo_that_a_format_cannot_hold_is_refused_by_size() -> None:
    with pytest.raises(PhotoUnwritable, match="16384 by 2 pixels"):
        encode_photo(np.zeros((2, 16_384, 3), dtype=np.uint8), "webp")


@pytest.mark.parametrize(
    "data",
    [b"", b"text", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", encode_photo(np.zeros((9, 9, 3), np.uint8), "png")[:40]],
)
def test_bytes_that_are_no_picture_are_unreadable(data: bytes) -> None:
    with pytest.raises(PhotoUnreadable):
        decode_rgba(data)
