"""What `diffam protect` may be asked for: checked like the form fields of the service, before any network loads."""

from collections.abc import Mapping
from typing import cast, get_args

from pydantic import ValidationError

from cli.errors import CliError
from diffam_client import Asked
from diffam_client.contract.wish import MAX_CANDIDATES, REGIONS, Keep, OutputFormat, Treatment, Vary, Wish
from model_store.catalog import Catalog

FORMATS: dict[str, OutputFormat] = {
    ".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp", ".avif": "avif", ".heic": "heic",
}  # fmt: skip
"""By suffix; the first suffix of a format is the one that is written."""
MEANT = {
    "faces": "all, largest, or indices such as 0,2 (diffam faces PHOTO shows them)",
    "skip": "indices such as 0,2 (diffam faces PHOTO shows them)",
    "eyes": "x,y,x,y: both eyes of a face, in pixels of the upright photo",
    "strength": "a number from 0 to 1, or auto",
    "regions": f"some of {','.join(REGIONS)}",
    "survival": f"some of {','.join(get_args(Treatment))}",
    "keep": f"some of {','.join(get_args(Keep))}",
    "judges": "all, none, or names such as dlib,sface",
    "candidates": f"a number from 1 to {MAX_CANDIDATES}",
    "quality": "a number from 1 to 100",
    "vary": " or ".join(get_args(Vary)),
    "output_format": f"one of {', '.join(get_args(OutputFormat))}",
}
"""What an option takes, where pydantic's own words would not help."""
OPTIONS = {"output_format": "format", "reference_id": "reference", "target_id": "target"}
"""Options that are not named as their fields are."""


def read_wish(fields: Mapping[str, str]) -> Wish:
    """The wish that option values spell. Raises CliError, which says what the option takes."""
    given = {name: value for name, value in fields.items() if value != ""}
    try:
        return Wish.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "value_error":  # two options contradict each other, and the message says how
            raise CliError(first["msg"].removeprefix("Value error, ")) from error
        name = str(first["loc"][0])
        meant = f" must be {MEANT[name]}" if name in MEANT else f": {first['msg']}"
        raise CliError(f"--{OPTIONS.get(name, name)}{meant}; not {given.get(name)!r}") from error


def asked(wish: Wish, target: str | None) -> Asked:
    """The wish, towards a target of one's own, as the client takes it; what is as everybody has it is left out."""
    fields = wish.model_dump(exclude_defaults=True, exclude={"reference_id", "target_id"})
    return cast(Asked, fields | {"reference": wish.reference_id, "target": target})


def format_of(suffix: str) -> OutputFormat:
    """The format that a file name's suffix asks for. Raises CliError."""
    if suffix.lower() not in FORMATS:
        raise CliError(f"--out must end in {', '.join(FORMATS)}, not {suffix!r}")
    return FORMATS[suffix.lower()]


def suffix_of(output_format: OutputFormat) -> str:
    """How the name of a file of that format ends."""
    return next(suffix for suffix, name in FORMATS.items() if name == output_format)


def check_looks(catalog: Catalog, wish: Wish) -> None:
    """Whether the wish can be met: its effort, its style, looks enough to choose from. Raises CliError, StoreError."""
    catalog.check_effort(wish.effort)
    target = catalog.style_for(wish.reference_id, wish.target_id).target
    offered = len({style.reference for style in catalog.styles if style.target == target})
    if wish.vary == "look" and offered < wish.candidates:
        raise CliError(f"the target {target!r} has {offered} looks to choose from, not {wish.candidates}")
