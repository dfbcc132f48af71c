"""Photos whose files tell much: who made them, when, where, with which camera, and a thumbnail of another picture."""

from io import BytesIO

from PIL import ExifTags, Image

SERIAL, PLACE, OTHER = "SN-4711-0815", "52,31.2512N", "Nikon Corporation"
SECRETS = (SERIAL, PLACE, OTHER, "Jane Doe's phone", "beloved@example.org", "uuid:c0ffee")
"""What must never come back."""
XMP = f"""<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/" xmlns:aux="http://ns.adobe.com/exif/1.0/aux/"
 exif:GPSLatitude="{PLACE}" aux:SerialNumber="{SERIAL}" xmpMM:DocumentID="uuid:c0ffee"
 exif:DateTimeOriginal="2023-04-05T06:07:08.90+02:00">
<dc:creator><rdf:Seq><rdf:li>Ada &amp; Bea</rdf:li><rdf:li>Cleo</rdf:li></rdf:Seq></dc:creator>
<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">CC BY 4.0</rdf:li></rdf:Alt></dc:rights>
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">beloved@example.org</rdf:li></rdf:Alt></dc:title>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>""".encode()


def telling(picture: Image.Image) -> bytes:
    """The picture as a JPEG with everything that a camera and an album program write."""
    exif = exif_of(artist="Ada <ada & sons>", copyright="(c) nobody", date="2024:05:31 17:02:09")
    file = BytesIO()
    picture.convert("RGB").save(file, "JPEG", quality=95, exif=exif, xmp=XMP)
    segments = (0xED, iptc_of(city=PLACE)), (0xFE, SECRETS[4].encode())
    told = with_segments(file.getvalue(), *segments) + thumbnail()  # phones put a second picture behind the first
    assert all(secret.encode() in told for secret in SECRETS)
    return told


def exif_of(**said: str | bytes) -> Image.Exif:
    """EXIF with place, camera and serial number, a maker's note, and what is said: artist, copyright, date."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = OTHER
    exif[ExifTags.Base.HostComputer] = "Jane Doe's phone"
    words = {"artist": ExifTags.Base.Artist, "copyright": ExifTags.Base.Copyright}
    exif.update({words[word]: _bytes(text) for word, text in said.items() if word in words})
    camera = exif.get_ifd(ExifTags.IFD.Exif)
    camera[ExifTags.Base.BodySerialNumber] = SERIAL
    camera[ExifTags.Base.MakerNote] = f"{SERIAL} {OTHER}".encode()
    if "date" in said:
        camera[ExifTags.Base.DateTimeOriginal] = _bytes(said["date"])
    place = exif.get_ifd(ExifTags.IFD.GPSInfo)
    place[ExifTags.GPS.GPSLatitudeRef], place[ExifTags.GPS.GPSLatitude] = "N", (52.0, 31.0, 15.07)
    place[ExifTags.GPS.GPSAreaInformation] = PLACE
    return exif


def iptc_of(**said: str | list[str]) -> bytes:
    """An APP13 segment: IPTC records in a Photoshop resource, and a thumbnail (a JPEG) in another."""
    numbers = {"artist": 80, "copyright": 116, "date": 55, "time": 60, "city": 90}
    records = b"".join(
        b"\x1c\x02" + bytes([numbers[word]]) + len(text.encode()).to_bytes(2) + text.encode()
        for word, told in said.items()
        for text in ([told] if isinstance(told, str) else told)
    )
    return b"Photoshop 3.0\0" + _resource(0x0404, records) + _resource(0x040C, b"\1" * 28 + thumbnail())


def thumbnail() -> bytes:
    """A small picture that is not the photo, as JPEG bytes."""
    file = BytesIO()
    Image.linear_gradient("L").resize((48, 32)).save(file, "JPEG", comment=SERIAL.encode())
    return file.getvalue()


def with_segments(jpeg: bytes, *segments: tuple[int, bytes]) -> bytes:
    """The JPEG with further segments, marker and content, at its beginning."""
    inserted = b"".join(bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2) + body for marker, body in segments)
    return jpeg[:2] + inserted + jpeg[2:]


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _resource(number: int, content: bytes) -> bytes:
    padded = content + b"\0" * (len(content) % 2)
    return b"8BIM" + number.to_bytes(2) + b"\0\0" + len(content).to_bytes(4) + padded
