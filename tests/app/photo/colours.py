"""Files that Pillow can read but not write: PNGs of any depth, and small colour profiles of a known meaning."""

import struct
import zlib
from collections.abc import Sequence
from io import BytesIO

from PIL import Image, ImageCms

DISPLAY_P3 = {
    b"rXYZ": (0.51512, 0.2412, -0.00105),
    b"gXYZ": (0.29198, 0.69225, 0.04189),
    b"bXYZ": (0.1571, 0.06657, 0.78407),
}
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GREY, RGB = 0, 2


def png(rows: Sequence[bytes], width: int, bits: int, colour_type: int, **chunks: bytes) -> bytes:
    """A PNG of the bytes as given; `chunks` come before the pixels."""
    header = struct.pack(">2I5B", width, len(rows), bits, colour_type, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = {b"IHDR": header} | {name.encode(): body for name, body in chunks.items()} | {b"IDAT": pixels, b"IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in parts.items()
    )


def display_p3() -> bytes:
    """sRGB's profile with the primaries, and the name, of Display P3."""
    profile = bytearray(SRGB.replace("sRGB built-in".encode("utf-16-be"), "Display P3   ".encode("utf-16-be")))
    for at in range(132, 132 + 12 * struct.unpack(">I", SRGB[128:132])[0], 12):
        xyz = DISPLAY_P3.get(SRGB[at : at + 4])
        if xyz:
            (place,) = struct.unpack(">I", SRGB[at + 4 : at + 8])
            profile[place + 8 : place + 20] = struct.pack(">3i", *(round(value * 65536) for value in xyz))
    return bytes(profile)


def linear_grey() -> bytes:
    """Grey whose levels are light itself: 128 is half the light, which sRGB writes as 188."""
    curve = b"curv" + bytes(4) + struct.pack(">I", 0)
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)
    return _profile(b"GRAY", b"XYZ ", {b"wtpt": white, b"kTRC": curve})


def dark_cmyk() -> bytes:
    """CMYK in which half the black ink leaves a fifth of the lightness, and other inks take a quarter each."""
    straight = bytes(range(256))
    black = bytes(255 if level > 127 else round(level * 1.6) for level in range(256))
    lightness = [
        max(0, 255 - 64 * (cyan + magenta + yellow)) * (1 - key)
        for cyan in (0, 1)
        for magenta in (0, 1)
        for yellow in (0, 1)
        for key in (0, 1)
    ]
    cube = bytes(value for level in lightness for value in (level, 128, 128))
    unit = struct.pack(">9i", *(65536 * (row == column) for row in range(3) for column in range(3)))
    table = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + unit + 3 * straight + black + cube + 3 * straight
    return _profile(b"CMYK", b"Lab ", {b"A2B0": table}, device=b"prtr")


def transferred(photo: Image.Image, icc_profile: bytes) -> Image.Image:
    """`photo`, in sRGB, in the numbers of `icc_profile`, as a camera of that profile would have written it."""
    profile = ImageCms.ImageCmsProfile(BytesIO(icc_profile))
    converted = ImageCms.profileToProfile(photo, ImageCms.createProfile("sRGB"), profile)
    assert converted is not None
    return converted


def _profile(space: bytes, connection: bytes, tags: dict[bytes, bytes], device: bytes = b"mntr") -> bytes:
    table, bodies, place = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for name, body in tags.items():
        body += bytes(-len(body) % 4)
        table += name + struct.pack(">2I", place + len(bodies), len(body))
        bodies += body
    light = struct.pack(">3i", 63190, 65536, 54061)
    header = bytes(4) + struct.pack(">I", 0x02400000) + device + space + connection + bytes(12) + b"acsp"
    rest = table + bodies
    whole = bytes(4) + header + bytes(28) + light + bytes(48) + rest
    return struct.pack(">I", len(whole)) + whole[4:]
