"""A make-up reference from one picture: found, framed, read, given a bare twin, checked, stored."""

import os
import shutil
from secrets import token_hex

import numpy as np
import tomli_w
import torch
from torch import Tensor
from torch.nn import functional

from diffam_core.faces.face import cut_portrait
from diffam_core.images import Photo, decode_photo, encode_photo, shrink, to_pixels
from diffam_core.models import Models
from diffam_core.networks.parser import CHANNELS, region
from diffam_core.removal import remove_makeup
from model_store.additions import DRAFT, check_name, with_additions
from model_store.bundle import Bundle, Reference
from model_store.catalog import ReferenceCard
from model_store.errors import ReferenceExists, ReferenceGrey, ReferenceRegionTooSmall, ReferenceWithoutMakeup

LARGEST_GREY_CHROMA = 2.0
"""Mean difference between a pixel's channels, in levels of 255, up to which a picture counts as grey."""
SMALLEST_REGION = {"lips": 0.004, "eyes": 0.004}
"""Share of the portrait that lips and eye areas must cover for their colours to be read."""
LEAST_MAKEUP = 6.0
"""Mean difference from a bare twin that was sent along, on lips and eyes, in levels of 255."""


def _portrait(picture: bytes, models: Models) -> tuple[Tensor, Photo]:
    photo = decode_photo(picture)
    return cut_portrait(photo, models.detector.largest(photo), models.view_px).to(models.device), photo


@torch.inference_mode()
def read_new_reference(bundle: Bundle, picture: bytes, bare: bytes | None) -> Reference:
    """A picture with make-up as a reference; without a bare twin, removal makes one.

    picture, bare: encoded files.  Raises PhotoUnreadable, NoFaceFound, FaceTooSmall, ReferenceRefused.
    """
    models = bundle.models
    made_up, photo = _portrait(picture, models)
    if float(np.ptp(photo.astype(np.int16), axis=2).mean()) <= LARGEST_GREY_CHROMA:
        raise ReferenceGrey("this picture has no colours; a look needs them")
    small = shrink(made_up, models.portrait_px)
    regions = models.parser(small).sigmoid()
    for name, least in SMALLEST_REGION.items():
        share = float((region(regions, name) > 0.5).float().mean())
        if share < least:
            raise ReferenceRegionTooSmall(f"{name} cover {share:.1%} of the face's frame, {least:.1%} needed")
    if bare is not None:
        twin = _portrait(bare, models)[0]
        shown = makeup_shown(made_up, twin, regions)
        if shown < LEAST_MAKEUP:
            raise ReferenceWithoutMakeup(
                f"lips and eyes differ from the bare twin by {shown:.1f} of 255 levels, {LEAST_MAKEUP:g} needed"
            )
    elif bundle.removal is None:
        raise ReferenceWithoutMakeup("this bundle cannot remove make-up; add the bare twin of the picture")
    elif not is_made_up(bundle, small):
        raise ReferenceWithoutMakeup("this face looks bare: CLIP finds that it wears no make-up")
    else:
        twin = remove_makeup(models, made_up, bundle.removal)
    grown = functional.interpolate(regions[:, : len(CHANNELS)], models.view_px, mode="bilinear")
    return Reference(made_up.cpu(), twin.cpu(), (grown > 0.5).float().cpu())


def is_made_up(bundle: Bundle, portrait: Tensor) -> bool:
    """What CLIP says: right on 99.5 % of rendered faces (docs/measurements/mini.json), less sure on others."""
    clip, asked = bundle.models.clip, (bundle.prompts.made_up, bundle.prompts.bare)
    worn, bare = (functional.normalize(clip.embed_texts(list(prompts)).mean(dim=0), dim=0) for prompts in asked)
    seen = clip.embed_images(portrait)
    return bool((seen @ worn > seen @ bare).all())


def makeup_shown(made_up: Tensor, bare: Tensor, regions: Tensor) -> float:
    """Mean absolute difference on lips and eye areas, in levels of 255."""
    painted = torch.maximum(region(regions, "lips"), region(regions, "eyes"))
    mask = functional.interpolate(painted, made_up.shape[-1], mode="bilinear") > 0.5
    return float(127.5 * ((made_up - bare).abs() * mask).sum() / (3 * mask.sum().clamp(min=1)))


def add_reference(
    bundle: Bundle, name: str, picture: bytes, bare: bytes | None, title: str = "", description: str = ""
) -> ReferenceCard:
    """Store a new reference beside the bundle, complete or not at all; from then on it is on offer.

    Raises NameInvalid, ReferenceExists, what `read_new_reference` raises, OSError when it cannot be written.
    """
    shelf = bundle.additions / "references"
    check_name(with_additions(bundle.catalog, bundle.added), name)
    reference = read_new_reference(bundle, picture, bare)
    shelf.mkdir(parents=True, exist_ok=True)
    draft = shelf / f"{DRAFT}{token_hex(8)}"
    draft.mkdir()  # as open to others as this user's new folders are
    try:
        files = {"look.png": to_pixels(reference.made_up[0]), "bare.png": to_pixels(reference.bare[0])}
        for part in CHANNELS:
            mask = region(reference.regions, part)[0] * 2 - 1
            files[f"{part}.png"] = to_pixels(mask.expand(3, -1, -1))
        for file, pixels in files.items():
            (draft / file).write_bytes(encode_photo(pixels, "png"))
        row = {
            "title": title or name, "description": description, "image": "look.png", "bare": "bare.png",
            "masks": {region: f"{region}.png" for region in CHANNELS},
        }  # fmt: skip
        (draft / "reference.toml").write_text(tomli_w.dumps(row), encoding="utf-8")
        os.rename(draft, shelf / name)  # noqa: PTH104  # Path.rename would do the same; this fails if `name` is there
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        if (shelf / name).exists():
            raise ReferenceExists(f"there is a reference {name!r} already") from error
        raise
    return with_additions(bundle.catalog, bundle.added).reference(name)
