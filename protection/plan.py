"""What a photo's owner asked for, and what that means for the faces and styles at hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffam_client.contract.wish import NOTHING_KEPT, Kept, Wish
from diffam_core.errors import EyesMisplaced, FaceInProfile, FaceTooSmall, FaceUnknown, NoFaceFound, NoFaceLeft
from diffam_core.faces.detection import Detector
from diffam_core.faces.face import FACE_CODES, FoundFace
from diffam_core.faces.marked import mark_faces
from diffam_core.images import Photo
from model_store.additions import with_additions
from model_store.bundle import Bundle
from model_store.catalog import StyleCard

GRID = (0.2, 0.4, 0.6, 0.8, 1.0)
"""The strengths that `auto` tries."""
AUTO_ROWS = 1 + len(GRID)
LEFT_ALONE = {"face_too_small": FaceTooSmall, "face_in_profile": FaceInProfile}


class Request(NamedTuple):
    """An encoded photo and what to do with it; without a target, the first one its reference was trained for.

    undo_to: the public key to which an undo file is sealed; None: there is to be none.
    kept: of the metadata that the photo came with, what goes into the finished file.
    """

    photo: bytes
    wish: Wish
    undo_to: str | None = None
    kept: Kept = NOTHING_KEPT


@dataclass(frozen=True, eq=False)
class Upload:
    """A decoded photo with its faces: those to protect, `chosen`, and those that one job has no room for, `beyond`.

    seconds: what that took.
    """

    wish: Wish
    photo: Photo
    alpha: NDArray[np.uint8] | None
    found: list[FoundFace]
    chosen: tuple[int, ...]
    beyond: tuple[int, ...]
    seconds: float
    undo_to: str | None = None
    kept: Kept = NOTHING_KEPT

    @property
    def rows(self) -> int:
        """How many portraits it brings into forward passes: what it costs a batch."""
        return len(self.chosen) * rows_per_face(self.wish)


def rows_per_face(wish: Wish) -> int:
    """How often a face is made up for a wish: once per picture to choose from, and for every strength that is tried."""
    return wish.candidates * (AUTO_ROWS if wish.strength == "auto" else 1)


@dataclass(frozen=True, eq=False)
class Variant:
    """What one candidate wears; two of one photo may be alike and are two nevertheless."""

    style: StyleCard
    strength: float | Literal["auto"]


def plan_variants(bundle: Bundle, wish: Wish) -> list[Variant]:
    """The candidates, the one that was asked for first; fewer when the target has too few styles. Raises StoreError.

    Strengths fall in equal parts; references are others with a style for the same target, in the catalog's order.
    """
    bundle.catalog.check_effort(wish.effort)
    first = bundle.find_style(wish.reference_id, wish.target_id)
    parts, strength = wish.candidates, wish.strength
    if wish.vary == "look":
        others = [
            bundle.find_style(card.reference, card.target)
            for card in with_additions(bundle.catalog, bundle.added).offer().styles
            if card.target == first.target and card.reference != first.reference
        ]
        return [Variant(style, strength) for style in [first, *others][:parts]]
    if strength == "auto":
        return [Variant(first, "auto")]
    return [Variant(first, round(strength * (parts - part) / parts, 4)) for part in range(parts)]


class Chosen(NamedTuple):
    """Indices of the faces to protect, largest first, and of those that one job has no room for."""

    within: tuple[int, ...]
    beyond: tuple[int, ...] = ()


def find_faces(detector: Detector, photo: Photo, wish: Wish, most: int | None) -> tuple[list[FoundFace], Chosen]:
    """The faces of a photo, found or marked by hand, and which of them to protect, `most` at most.

    Raises EyesMisplaced, and what `choose_faces` raises.
    """
    height, width = photo.shape[:2]
    if why := wish.misplaced(width, height):
        raise EyesMisplaced(why)
    found, marked = mark_faces(photo, detector.all(photo), wish.marked, detector.framing)
    return found, choose_faces(found, wish.faces, most, marked, wish.skip)


def choose_faces(
    found: Sequence[FoundFace],
    wish: Literal["all", "largest"] | tuple[int, ...],
    most: int | None = None,
    marked: tuple[int, ...] = (),
    skip: tuple[int, ...] = (),
) -> Chosen:
    """The faces to protect, `most` at most: those that are wished for and those that are marked, but for `skip`.

    Raises NoFaceFound, FaceUnknown, NoFaceLeft, and when none of the chosen can be protected FaceTooSmall or
    FaceInProfile.
    """
    if not found:
        raise NoFaceFound("no face was found in this photo; if it does not stand upright, turn it and send it again")
    named = (*wish, *skip) if isinstance(wish, tuple) else skip
    if beyond := [index for index in named if not 0 <= index < len(found)]:
        raise FaceUnknown(f"there is no face {beyond[0]}: {len(found)} were found, counted from 0")
    wanted = sorted({*wish, *marked} if isinstance(wish, tuple) else range(len(found)))
    left = [index for index in wanted if index not in skip]
    if not left:
        raise NoFaceLeft(f"of {len(found)} faces all that were to be protected are left out: there is nothing to do")
    chosen = [index for index in left if found[index].is_protectable]
    if not chosen:
        code = found[left[0]].code or "face_too_small"
        raise LEFT_ALONE[code](FACE_CODES[code])
    if wish == "largest":
        largest = next((index for index in chosen if index not in marked), None)
        chosen = [index for index in chosen if index == largest or index in marked]
    return Chosen(tuple(chosen[:most]), tuple(chosen[len(chosen[:most]) :]))
