"""Credit, copyright and date are read from wherever cameras and programs write them, if asked for; nothing else is."""

import random
from io import BytesIO
from typing import Any

import pillow_heif
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from app.photo.canonical import PhotoLimits, canonical_photo
from diffam_client.contract.wish import Kept
from tests.told import SECRETS, XMP, exif_of, iptc_of, with_segments

LIMITS = PhotoLimits(max_pixels=1_000_000, max_side_px=5000, min_side_px=64, extra_formats=("avif", "heic"))
WORDS = ("credit", "copyright", "date")
EVERYTHING = {"artist": "Ada", "copyright": "(c) Ada", "date": "2024:05:31 17:02:09"}
EXIF_SAYS = {"credit": "Ada", "copyright": "(c) Ada", "date": "2024-05-31T17:02:09"}
XMP_SAYS = {"credit": "Ada & Bea; Cleo", "copyright": "CC BY 4.0", "date": "2023-04-05T06:07:08"}
IPTC_SAYS = {"credit": "Zoë; Yu", "copyright": "© Zoë", "date": "2022-01-02T10:11:12"}
IPTC = iptc_of(artist=["Zoë", "Yu"], copyright="© Zoë", date="20220102", time="101112+0200", city=SECRETS[1])


def upload(photo_format: str = "JPEG", **options: Any) -> bytes:
    file, photo = BytesIO(), Image.effect_noise((96, 80), 50).convert("RGB")
    if photo_format == "HEIC":
        pillow_heif.from_pillow(photo).save(file, **options)
    else:
        photo.save(file, photo_format, **options)
    return file.getvalue()


def kept(photo: bytes, *words: str) -> dict[str, str]:
    """What is kept, which the contract takes, and that no secret is in it or in the canonical photo."""
    canonical = canonical_photo(photo, LIMITS, words or WORDS)
    for secret in SECRETS:
        assert secret.encode() not in canonical.png
        assert secret not in str(canonical.kept)
    assert Kept.model_validate(canonical.kept).told == canonical.kept
    return canonical.kept


@pytest.mark.parametrize("photo_format", ["JPEG", "PNG", "WEBP", "AVIF", "HEIC"])
def test_exif_is_read_in_every_format(photo_format: str) -> None:
    photo = upload(photo_format, exif=exif_of(**EVERYTHING).tobytes())
    assert b"SN-4711" in photo
    assert kept(photo) == EXIF_SAYS
    assert canonical_photo(photo, LIMITS).kept == {}


@pytest.mark.parametrize("photo_format", ["JPEG", "PNG", "WEBP", "AVIF", "HEIC"])
def test_xmp_is_read_in_every_format_and_after_exif(photo_format: str) -> None:
    text = PngInfo()
    text.add_itxt("XML:com.adobe.xmp", XMP.decode())
    packet: dict[str, Any] = {"pnginfo": text} if photo_format == "PNG" else {"xmp": XMP}
    assert kept(upload(photo_format, **packet)) == XMP_SAYS
    both = upload(photo_format, exif=exif_of(artist="Ada").tobytes(), **packet)
    assert kept(both) == XMP_SAYS | {"credit": "Ada"}


def test_iptc_is_read_last() -> None:
    assert kept(with_segments(upload(), (0xED, IPTC))) == IPTC_SAYS
    assert kept(with_segments(upload(exif=exif_of(artist="Ada")), (0xED, IPTC))) == IPTC_SAYS | {"credit": "Ada"}
    assert kept(with_segments(upload(xmp=XMP), (0xED, IPTC))) == XMP_SAYS
    day_alone = iptc_of(date="20220102", time="soon")
    assert kept(with_segments(upload(), (0xED, day_alone))) == {"date": "2022-01-02"}


@pytest.mark.parametrize("word", WORDS)
def test_only_what_was_asked_for_is_handed_over(word: str) -> None:
    photo = with_segments(upload(xmp=XMP, exif=exif_of(**EVERYTHING)), (0xED, IPTC))
    assert kept(photo, word) == {word: EXIF_SAYS[word]}


def test_a_photo_that_says_nothing_keeps_nothing() -> None:
    assert kept(upload()) == {}
    assert kept(upload(exif=exif_of())) == {}


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ({"artist": "Zoë"}, {"credit": "Zoë"}),
        ({"artist": b"Zo\xeb"}, {"credit": "Zoë"}),
        ({"artist": "Auf\u200cleger"}, {"credit": "Auf\u200cleger"}),
        ({"artist": " \x01Ada\n\tBea\x7f "}, {"credit": "Ada Bea"}),
        ({"artist": "Ada\u202egnp.\u2066 \x1b[31mBea"}, {"credit": "Ada gnp. [31mBea"}),
        ({"artist": "\ud800Ada".encode("utf-8", "surrogatepass") + b"\xef\xbf\xbe"}, None),
        ({"artist": "x" * 9000}, {"credit": "x" * 500}),
        ({"copyright": "Ada\0Bea"}, {"copyright": "Ada Bea"}),
        ({"artist": " ", "date": "0000:00:00 00:00:00"}, {}),
        ({"date": "2024:13:45 10:00:00"}, {}),
        ({"date": "2024:05:31 25:00:00"}, {}),
        ({"date": "soon"}, {}),
        ({"date": "2024:05:31 17:02:09 at home"}, {}),
        ({"date": "2024:05:31"}, {"date": "2024-05-31"}),
        ({"date": "2024-05-31T17:02:09.5+14:00"}, {"date": "2024-05-31T17:02:09"}),
    ],
)
def test_what_is_kept_is_a_line_of_text_or_a_date(said: dict[str, Any], read: dict[str, str] | None) -> None:
    found = kept(upload(exif=exif_of(**said)))
    assert all(char.isprintable() or char == "\u200c" for text in found.values() for char in text)
    assert read is None or found == read


def packet(inner: str) -> bytes:
    """XMP around that."""
    before, _, after = XMP.decode().partition("<dc:creator>")
    return f"{before}{inner}{after[after.index('</rdf:Description>') :]}".encode()


@pytest.mark.parametrize(
    ("inner", "credit"),
    [
        ("<dc:creator>Ada</dc:creator>", "Ada"),
        (
            '<dc:creator><rdf:Alt><rdf:li xml:lang="x-default">Ada</rdf:li><rdf:li xml:lang="de">Ada, DE</rdf:li>'
            "</rdf:Alt></dc:creator>",
            "Ada",
        ),
        ('<photoshop:Credit xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/">Agency</photoshop:Credit>', "Agency"),
        (
            "<xmpMM:Ingredients><rdf:Bag><rdf:li><rdf:Description><dc:creator>Somebody else</dc:creator>"
            "</rdf:Description></rdf:li></rdf:Bag></xmpMM:Ingredients>",
            None,
        ),
        ("<dc:creator><![CDATA[Ada & <Bea>]]></dc:creator>", "Ada & <Bea>"),
    ],
)
def test_a_packet_tells_of_the_photo_itself_in_every_form_that_programs_write(inner: str, credit: str | None) -> None:
    assert kept(upload(xmp=packet(inner)), "credit").get("credit") == credit


@pytest.mark.parametrize(
    "packet",
    [
        b"<x", b"\xff\xfe<\0x\0", b"", b"\0" * 40, XMP[:300], b"<a>" * 20_000, b"<a>" * 9000 + b"</a>" * 9000,
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>' + XMP.replace(b"Cleo", b"&b;"),
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + XMP.replace(b"Cleo", b"&a;"),
        XMP.decode().encode("utf-16"),
    ],
    ids=range(10),
)  # fmt: skip
def test_xmp_that_is_broken_or_dangerous_says_nothing(packet: bytes) -> None:
    assert kept(upload(xmp=packet, exif=exif_of(artist="Ada"))) == {"credit": "Ada"}


@pytest.mark.filterwarnings("ignore")  # Pillow warns of what it cannot read, the service does not listen
def test_blocks_that_are_damaged_anywhere_say_less_and_never_more() -> None:
    dice, exif = random.Random(0), exif_of(**EVERYTHING).tobytes()
    damaged = [exif[:length] for length in range(6, len(exif), 9)]
    for _ in range(150):
        at = dice.randrange(6, len(exif))
        damaged.append(exif[:at] + dice.randbytes(4) + exif[at + 4 :])
    for block in damaged:
        assert set(kept(upload(exif=block))) <= set(WORDS)
    for length in range(0, len(IPTC), 7):
        assert set(kept(with_segments(upload(), (0xED, IPTC[:length])))) <= set(WORDS)
