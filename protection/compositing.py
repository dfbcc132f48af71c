"""A face's change goes back into the full-size photo it came from: the only way there, for a file and for a trial."""

from collections.abc import Collection, Sequence

from jaxtyping import Float
from torch import Tensor

from diffam_core.composite import REGIONS, Region, change, region_weights
from diffam_core.faces.face import native_px
from diffam_core.faces.palette import fit_palette
from diffam_core.faces.paste import paste_changes
from diffam_core.images import Photo
from protection.batch import Face, Residual


def change_of(
    face: Face, residual: Residual, regions: Collection[Region] = REGIONS
) -> Float[Tensor, "3 native native"]:
    """What to add to a face at its own resolution, in the colours that its photo has; 0 outside the regions."""
    size_px = native_px(face.found, residual.shape[-1])
    delta = change(residual, face.mask, size_px, region_weights(face.regions, regions))[0]
    return fit_palette(delta, face.photo, face.found)


def composite(photo: Photo, worn: Sequence[tuple[Face, Residual]], regions: Collection[Region] = REGIONS) -> Photo:
    """The photo with every face's residual in its own place, nothing else moved."""
    return paste_changes(photo, [(face.found, change_of(face, residual, regions)) for face, residual in worn])
