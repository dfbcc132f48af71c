"""What the owner of an upload may keep of its metadata: who made the photo, whose it is, when it was taken.

Nothing else is read. What comes back are lines of text of bounded length, which are written anew; no block of the
upload goes on, for the same blocks hold places, serial numbers and thumbnails.
"""

from collections.abc import Collection, Iterator
from contextlib import suppress
from datetime import datetime
from xml.etree import ElementTree as ET

from PIL import ExifTags, Image, IptcImagePlugin
from PIL.JpegImagePlugin import JpegImageFile

from app.photo.formats import ODDITIES

LONGEST = 500  # characters; an IPTC copyright notice has 128 at most
LARGEST_XMP_BYTES = 1 << 20
JOINERS = "\u200c\u200d"
"""They print nothing, and names in Persian or Hindi are spelled with them."""
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
DC, PHOTOSHOP = "{http://purl.org/dc/elements/1.1/}", "{http://ns.adobe.com/photoshop/1.0/}"
XMP = {
    "credit": (f"{DC}creator", f"{PHOTOSHOP}Credit"),
    "copyright": (f"{DC}rights",),
    "date": (f"{PHOTOSHOP}DateCreated", "{http://ns.adobe.com/exif/1.0/}DateTimeOriginal"),
}
"""Properties of the photo, the first that is told counts."""
IPTC = {"credit": (80, 110), "copyright": (116,)}
"""Datasets of record 2, likewise."""
IPTC_DATE, IPTC_TIME = (2, 55), (2, 60)
Told = Iterator[tuple[str, object]]


def read_kept(photo: Image.Image, words: Collection[str]) -> dict[str, str]:
    """What an open photo tells of `credit`, `copyright` and `date`, as far as `words` name them.

    EXIF counts before XMP, and XMP before IPTC, much as the Metadata Working Group advised. A date is in ISO 8601:
    to the second or the day, without a zone, which would tell of a place. A block that is damaged tells nothing.
    """
    kept: dict[str, str] = {}
    for reader in (_exif, _xmp, _iptc) if words else ():
        with suppress(*ODDITIES):
            for word, value in reader(photo):
                text = _date(value) if word == "date" else _line(value)
                if word in words and text:
                    kept.setdefault(word, text)
    return kept


def _exif(photo: Image.Image) -> Told:
    exif = photo.getexif()
    for word, tag in (("credit", ExifTags.Base.Artist), ("copyright", ExifTags.Base.Copyright)):
        yield word, _bytes(exif.get(tag))
    yield "date", _bytes(exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal))


def _xmp(photo: Image.Image) -> Told:
    """What the packet says of the photo itself: pictures that it was made of may have authors, too."""
    packet = photo.info.get("xmp") or b""
    if not packet or len(packet) > LARGEST_XMP_BYTES:
        return
    text = bytes(packet).decode().strip("\0\ufeff \r\n\t")
    if "<!DOCTYPE" in text:  # it could hold entities that grow without bound
        return
    root = ET.fromstring(text)  # noqa: S314  # without a document type nothing in it grows, or leads elsewhere
    rdf = root if root.tag == f"{RDF}RDF" else root.find(f"{RDF}RDF")
    for description in () if rdf is None else rdf.iterfind(f"{RDF}Description"):
        for word, names in XMP.items():
            for name in names:
                yield word, description.get(name)
                yield from ((word, _property(element)) for element in description.iterfind(name))


def _property(element: ET.Element) -> str:
    """A text, several texts, or one in several languages, of which the first counts."""
    items = [item.text or "" for item in element.iter(f"{RDF}li")]
    if element.find(f"{RDF}Alt") is not None:
        items = items[:1]
    return "; ".join(items) if items else element.text or ""


def _iptc(photo: Image.Image) -> Told:
    if not isinstance(photo, JpegImageFile):  # no other format that is taken has a place for it
        return
    told = IptcImagePlugin.getiptcinfo(photo) or {}
    for word, numbers in IPTC.items():
        for number in numbers:
            value = told.get((2, number))
            yield word, b"; ".join(value) if isinstance(value, list) else value
    day, time = (told.get(dataset) for dataset in (IPTC_DATE, IPTC_TIME))
    if isinstance(day, bytes):
        yield "date", day + b"T" + time if isinstance(time, bytes) else day
        yield "date", day


def _bytes(value: object) -> object:
    """Readers of EXIF hand out every byte of a text as one character."""
    return value.encode("latin-1") if isinstance(value, str) else value


def _line(value: object) -> str:
    """A text without invisible characters, in one line, cut where it is too long; "" of what is no text."""
    text = _decoded(value) if isinstance(value, bytes) else value
    if not isinstance(text, str):
        return ""
    printed = (char if char.isprintable() or char in JOINERS else " " for char in text)
    return " ".join("".join(printed).split())[:LONGEST].rstrip()


def _decoded(text: bytes) -> str:
    """UTF-8, as programs write by now, or Latin-1, as they did."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")


def _date(value: object) -> str:
    """`2024-05-31T17:02:09`, or the day alone where no time is told; "" of what is no date."""
    text = _line(value)
    day = text[:10].replace(":", "-")  # EXIF writes 2024:05:31 17:02:09
    with suppress(ValueError):
        moment = datetime.fromisoformat(day + text[10:]).replace(tzinfo=None, microsecond=0)
        return moment.isoformat() if len(text) > len("2024-05-31") else moment.date().isoformat()
    return ""
