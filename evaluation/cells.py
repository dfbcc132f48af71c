"""What was measured: a cell for each method, task, treatment and recogniser, and how cells are written down."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from diffam_core.models import FalseAcceptRate
from diffam_core.score import DECISION_FAR, Scores, Share, rate
from model_store.catalog import StyleCard

FALSE_ACCEPT_RATES: tuple[FalseAcceptRate, ...] = ("0.1", "0.01", "0.001")
Json = dict[str, object]


@dataclass(frozen=True)
class Cost:
    """What is seen of a method's photos, as means over people.

    psnr_db, ssim: of the whole photo; least_psnr_db: of the worst one.  face_psnr_db, face_ssim, lpips: of the aligned
    face.  fid: faces against unprotected ones, on the CLIP features of the bundle.  lip_distance: from the reference's,
    in CIELAB.
    seconds: per photo.  eps_255: largest change of a pixel in grey levels, of noise alone.
    """

    psnr_db: float
    least_psnr_db: float
    ssim: float
    face_psnr_db: float
    face_ssim: float
    lpips: float
    fid: float
    lip_distance: float
    seconds: float
    eps_255: float | None


@dataclass(frozen=True)
class Cell:
    """What one recogniser makes of a method's photos for a task after a treatment.

    own, target: cosines `(people,)` with their owners, and with the target, None where the task has none.
    """

    method: str
    task: StyleCard
    treatment: str
    recogniser: str
    thresholds: Mapping[str, float]
    own: Scores
    target: Scores | None
    cost: Cost

    @property
    def role(self) -> str:
        """Whether the task's style attacks the recogniser, "surrogate" or "held_out"."""
        return self.task.role_of(self.recogniser)

    def taken(self, far: FalseAcceptRate = DECISION_FAR) -> NDArray[np.bool_]:
        """Who is taken for the target. Raises ValueError where there is none."""
        if self.target is None:
            raise ValueError(f"{self.method} resembles nobody here")
        return self.target >= self.thresholds[far]

    def knows(self, far: FalseAcceptRate = DECISION_FAR) -> NDArray[np.bool_]:
        """Who is still taken for themselves."""
        return self.own >= self.thresholds[far]

    @property
    def known(self) -> Share:
        """How many are, at FAR 0.01."""
        return rate(self.knows())


def as_match(cell: Cell) -> Json:
    """A cell as it is written for every recogniser."""
    known, match = cell.known, _place(cell)
    if cell.target is not None:
        taken = rate(cell.taken())
        match |= {"asr_far_0.01": taken.value, "asr_far_0.01_ci95": taken.ci95}
    return match | {"own_match": known.value, "own_match_ci95": known.ci95}


def as_row(cell: Cell) -> Json:
    """A cell as it is written for a recogniser that was held out: at every false accept rate, and with its cost."""
    row, known, strict = _place(cell), cell.known, rate(cell.knows("0.001"))
    for far in FALSE_ACCEPT_RATES if cell.target is not None else ():
        share = rate(cell.taken(far))
        row |= {f"asr_far_{far}": share.value, f"asr_far_{far}_ci95": share.ci95}
    low, high = known.ci95
    row |= {"own_match": known.value, "own_match_ci95": known.ci95}
    row |= {"own_match_far_0.001": strict.value, "own_match_far_0.001_ci95": strict.ci95}
    row |= {"dodging_rate": 1 - known.value, "dodging_rate_ci95": (round(1 - high, 4), round(1 - low, 4))}
    return row | asdict(cell.cost)


def _place(cell: Cell) -> Json:
    return {
        "method": cell.method, "reference": cell.task.reference, "target": cell.task.target,
        "held_out": cell.recogniser, "role": cell.role, "treatment": cell.treatment, "n": len(cell.own),
    }  # fmt: skip
