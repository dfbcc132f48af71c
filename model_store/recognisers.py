"""Opens the recognisers that libraries ship: verifies their files, builds the networks, loads the weights."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load

from diffam_core.faces.yunet import Yunet
from diffam_core.models import Recogniser
from diffam_core.networks.recognisers import ARCHITECTURES
from model_store.errors import BundleDamaged, JudgeMissing
from model_store.judges import JudgeCard, check_judge, choose_judges, read_judges, read_judges_manifest


@dataclass(frozen=True)
class Judges:
    """Recognisers by name, what is known of each, and the detector that finds their five landmarks."""

    recognisers: dict[str, Recogniser]
    cards: dict[str, JudgeCard]
    landmarks: Yunet

    def only(self, wanted: Sequence[str] | None) -> "Judges | None":
        """Those that are wanted, all of them with None; None when nothing is left. Raises JudgeMissing."""
        if wanted is None:
            return self
        if missing := [name for name in wanted if name not in self.recognisers]:
            raise JudgeMissing(f"no recogniser {missing[0]!r} judges here: there are {', '.join(self.recognisers)}")
        return replace(self, recognisers={name: self.recognisers[name] for name in wanted}) if wanted else None


def open_judges(folder: Path, wanted: Sequence[str] | None = None, device: str = "cpu") -> Judges | None:
    """The recognisers of `folder` that are wanted, all of them with None; None when there is none.

    Raises JudgeMissing, BundleDamaged.
    """
    names = choose_judges(folder, wanted)
    if not names:
        return None
    manifest = read_judges_manifest(folder)
    recognisers = {}
    try:
        for name in names:
            row = manifest["recognisers"][name]
            network = ARCHITECTURES[row["kind"]](**row["arguments"])
            check_judge(folder, manifest, name)
            network.load_state_dict(load((folder / row["file"]).read_bytes()), strict=True)
            network.float().eval().requires_grad_(False).to(device)
            recognisers[name] = Recogniser(name, network, row["input_px"], row["thresholds"], row["crop"])
        check_judge(folder, manifest, "detector")
        return Judges(recognisers, read_judges(folder), Yunet(folder / manifest["detector"]))
    except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError, OSError) as error:
        raise BundleDamaged(f"the recognisers cannot be opened: {error}; pull them again") from error


def open_yunet(folder: Path) -> Yunet | None:
    """The detector that was pulled with the recognisers of `folder`; None without. Raises BundleDamaged."""
    manifest = read_judges_manifest(folder)
    if not manifest["detector"]:
        return None
    try:
        check_judge(folder, manifest, "detector")
        return Yunet(folder / manifest["detector"])
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise BundleDamaged(f"the face detector cannot be opened: {error}; pull the recognisers again") from error
