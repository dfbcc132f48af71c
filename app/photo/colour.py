"""Any colour mode becomes 8 bits of sRGB and, apart from it, alpha; with an honest word on how.

Profiles are applied relative to white with black point compensation: colours that sRGB has stay exactly what they were,
skin among them, and black stays black. Lightening everything to save a few saturated colours (perceptual) would not.
"""

from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageCms

SRGB = "sRGB"
ASSUMED = "sRGB assumed"
UNUSABLE = "profile unusable, sRGB assumed"
UNCONVERTED = "other primaries not converted, sRGB assumed"
PLAIN_CMYK = "CMYK without a usable profile, converted plainly"

MODE_OF_SPACE = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
SRGB_PRIMARIES = (1, 2)  # H.273: BT.709, whose primaries are sRGB's, and "unspecified"
SAME_LEVELS = 2  # two makers' sRGB profiles differ by that much in rounding
NAME_CHARACTERS = 60


@dataclass(frozen=True)
class Declared:
    """What a file says about its colours, besides the pixels."""

    icc_profile: bytes | None
    primaries: int | None  # a number of H.273
    is_srgb: bool  # it says so by a word of its own


def reduce_to_8_bits(photo: Image.Image, bits: int) -> Image.Image:
    """16-bit grey keeps its high byte, as Pillow keeps it of 16-bit RGB; a colour key is reduced in the same way.

    bits: per channel, as the file stores them.  photo: any mode; `I;16` becomes `L`, the others stay.
    """
    key = photo.info.get("transparency")
    if photo.mode.startswith("I"):  # convert() alone would clip it to white
        photo = photo.point(lambda level: level / 256).convert("L")
    if photo.mode in ("L", "RGB") and key is not None and bits != 8:
        levels = [level >> 8 if bits == 16 else level * 255 // (2**bits - 1) for level in _as_tuple(key)]
        photo.info["transparency"] = levels[0] if photo.mode == "L" else tuple(levels)
    return photo


def split_alpha(photo: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """The colours, as L, RGB or CMYK, and the alpha plane as L; None where no pixel is the least transparent."""
    if photo.has_transparency_data:
        if photo.mode not in ("LA", "RGBA"):
            photo = photo.convert("LA" if photo.mode in ("1", "L") else "RGBA")
        alpha = photo.getchannel("A")
        colours = photo.convert(photo.mode.removesuffix("A"))
        return colours, None if alpha.getextrema()[0] == 255 else alpha
    if photo.mode in ("L", "RGB", "CMYK"):
        return photo, None
    return photo.convert("L" if photo.mode == "1" else "RGB"), None


def to_srgb(photo: Image.Image, declared: Declared) -> tuple[Image.Image, str]:
    """`photo` (L, RGB or CMYK; it may be changed in place) in sRGB, and how it came there."""
    if declared.icc_profile:
        try:
            return _from_profile(photo, declared.icc_profile)
        except (ImageCms.PyCMSError, OSError, ValueError):
            return _plain(photo), PLAIN_CMYK if photo.mode == "CMYK" else UNUSABLE
    if photo.mode == "CMYK":
        return _plain(photo), PLAIN_CMYK
    if declared.primaries is not None and declared.primaries not in SRGB_PRIMARIES:
        return _plain(photo), UNCONVERTED
    return _plain(photo), SRGB if declared.is_srgb or declared.primaries == 1 else ASSUMED


def _from_profile(photo: Image.Image, icc_profile: bytes) -> tuple[Image.Image, str]:
    """Raises PyCMSError, OSError, ValueError: the profile is garbage, or one for another kind of picture."""
    profile = ImageCms.ImageCmsProfile(BytesIO(icc_profile))
    mode = MODE_OF_SPACE.get(profile.profile.xcolor_space.strip())
    if mode == "RGB" and photo.mode == "L":  # grey pictures often carry the profile of the coloured one they came from
        photo = photo.convert("RGB")
    if mode != photo.mode:
        raise ValueError(f"a profile for {profile.profile.xcolor_space}, a picture in {photo.mode}")
    transform = ImageCms.buildTransform(
        profile,
        ImageCms.createProfile("sRGB"),
        photo.mode,
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    if _changes_nothing(transform, photo.mode):
        return _plain(photo), SRGB
    converted = ImageCms.applyTransform(photo, transform, inPlace=photo.mode == "RGB")  # a copy fewer of 50 megapixels
    return converted or photo, f"converted from {_name(profile)}"


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether every colour of a coarse cube, or every grey, stays where it is: then it is sRGB, whatever its name."""
    if mode == "CMYK":
        return False
    ramp = Image.linear_gradient("L")
    levels = bytes(range(0, 256, 17))
    cube = bytes(level for red in levels for green in levels for blue in levels for level in (red, green, blue))
    before = ramp if mode == "L" else Image.frombytes("RGB", (64, 64), cube)
    after = ImageCms.applyTransform(before, transform)
    if after is None:
        raise ValueError("no picture came out of the profile")
    levels_of = zip(after.tobytes(), before.convert("RGB").tobytes(), strict=True)
    return max(abs(now - then) for now, then in levels_of) <= SAME_LEVELS


def _plain(photo: Image.Image) -> Image.Image:
    return photo if photo.mode == "RGB" else photo.convert("RGB")


def _name(profile: ImageCms.ImageCmsProfile) -> str:
    """What the profile calls itself: a stranger's words, so only printable ones, and not many."""
    words = "".join(letter for letter in ImageCms.getProfileDescription(profile) if letter.isprintable())
    return words.strip()[:NAME_CHARACTERS] or "an unnamed profile"


def _as_tuple(key: int | tuple[int, ...]) -> tuple[int, ...]:
    return key if isinstance(key, tuple) else (key,)
