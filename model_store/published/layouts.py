"""The published checkpoints, told by their keys and shapes, and turned into what our networks load.

A layout is derived from our own network, built without memory: a rule says for each of our weights where the checkpoint
keeps it. So what is required, what is recognised and what is loaded cannot drift apart.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import lpips
import torch
from torch import Tensor, nn

from diffam_core.networks.bisenet import BisenetParser
from diffam_core.networks.clip import Clip
from diffam_core.networks.perceptual import build_perceptual
from diffam_core.networks.recognisers import ARCHITECTURES
from diffam_core.networks.unet import EpsModel
from model_store.errors import CheckpointDamaged, CheckpointUnknown
from model_store.published import manifest, origins
from model_store.published.origins import Origin, Rule, Shape

NEAR = 0.5
"""The share of a checkpoint's keys that a layout must know for it to count as a damaged one of that layout."""


def is_optional(key: str) -> bool:
    """Whether a checkpoint may lack the key: BatchNorm's counters, which nothing reads."""
    return key.endswith("num_batches_tracked")


@dataclass(frozen=True)
class Layout:
    """One published format.

    shapes: the keys it must have.  dropped: keys it may have that our network does not use.  origins: by our own keys.
    given: weights that come with a package instead of the checkpoint, read when needed.
    """

    name: str
    shapes: Mapping[str, Shape]
    dropped: Mapping[str, Shape]
    origins: Mapping[str, Origin]
    given: Callable[[], dict[str, Tensor]] = field(default=dict)

    @property
    def published(self) -> dict[str, Shape]:
        """Every key and shape of the published file, counters aside."""
        return {**self.shapes, **self.dropped}

    def optional(self, key: str) -> bool:
        """Whether the layout allows a key without needing it."""
        return is_optional(key) or key in self.dropped

    def problems(self, shapes: Mapping[str, Shape]) -> list[str]:
        """What tells a checkpoint from this layout, a phrase for each of missing, unexpected and misshapen keys."""
        known = self.published
        missing = [key for key in self.shapes if key not in shapes]
        unexpected = [key for key in shapes if key not in known and not is_optional(key)]
        misshapen = [key for key in known if key in shapes and tuple(shapes[key]) != known[key]]
        return [
            *(_several(missing, "missing") if missing else ()),
            *(_several(unexpected, "unexpected") if unexpected else ()),
            *(f"{key} is {tuple(shapes[key])} instead of {known[key]}" for key in misshapen[:1]),
        ]

    def convert(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """The state dict that our network loads strictly; values keep their type. Raises KeyError if one is missing."""
        ours = {}
        for key, origin in self.origins.items():
            if is_optional(key) and origin.key not in state:
                ours[key] = torch.zeros((), dtype=torch.long)
            else:
                ours[key] = origin.take(state[origin.key])
        return ours | self.given()


def _several(keys: list[str], what: str) -> list[str]:
    more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
    return [f"{keys[0]}{more} {'are' if more else 'is'} {what}"]


def recognise(shapes: Mapping[str, Shape], known: Sequence[Layout] | None = None) -> Layout:
    """The layout of a checkpoint with these keys and shapes, whatever its file is called.

    known: what it may be; by default every published layout.
    Raises CheckpointDamaged when it is nearly one of the known layouts, CheckpointUnknown when it resembles none.
    """
    keys = {key for key in shapes if not is_optional(key)}
    candidates = layouts() if known is None else known

    def likeness(layout: Layout) -> float:
        own = layout.published
        shared = own.keys() & keys
        fitting = sum(tuple(shapes[key]) == own[key] for key in shared)
        return (len(shared) + fitting) / len(own.keys() | keys)

    for layout in candidates:
        if not layout.problems(shapes):
            return layout
    nearest = max(candidates, key=likeness)
    if len(nearest.published.keys() & keys) < max(1, NEAR * len(keys)):
        first = ", ".join(sorted(keys)[:3]) or "none at all"
        raise CheckpointUnknown(f"no published model has these {len(keys)} weights: {first}")
    raise CheckpointDamaged(f"this looks like {nearest.name}, but {'; '.join(nearest.problems(shapes))}")


def _derive(
    name: str, network: Callable[[], nn.Module], rule: Rule, dropped: Mapping[str, Shape] | None = None
) -> Layout:
    """The layout of a network whose weights a checkpoint keeps by `rule`."""
    with torch.device("meta"):
        weights = network().state_dict()
    places = {key: rule(key, tuple(value.shape)) for key, value in weights.items()}
    shapes = {place.key: place.shape for place in places.values() if not is_optional(place.key)}
    return Layout(name, shapes, dropped or {}, places)


def _clip(name: str) -> Layout:
    def network() -> nn.Module:
        return Clip(manifest.CLIP[name], None, tuple(manifest.CLIP_MEAN), tuple(manifest.CLIP_STD))

    scalars: dict[str, Shape] = dict.fromkeys(("input_resolution", "context_length", "vocab_size"), ())
    return _derive(name, network, origins.renamed((r"^model\.", "")), scalars)


def _recogniser(name: str, rule: Rule, dropped: Mapping[str, Shape] | None = None) -> Layout:
    row = manifest.RECOGNISERS[name]
    return _derive(name, lambda: ARCHITECTURES[row["kind"]](**row["arguments"]), rule, dropped)


def _bisenet() -> Layout:
    dropped: dict[str, Shape] = {}
    for head in ("conv_out16", "conv_out32"):  # they only helped its training
        dropped |= {f"{head}.conv.conv.weight": (64, 128, 3, 3), f"{head}.conv_out.weight": (19, 64, 1, 1)}
        dropped |= {f"{head}.conv.bn.{part}": (64,) for part in ("weight", "bias", "running_mean", "running_var")}
    return _derive("bisenet", BisenetParser, origins.renamed((r"^network\.", "")), dropped)


def _alexnet() -> Layout:
    """The trunk of LPIPS; its linear layers and its scaling come with the lpips package."""
    rule = origins.renamed((r"^net\.slice\d", "features"))
    whole = _derive("alexnet", lambda: build_perceptual("alex", calibrated=True), rule)
    trunk = {key: place for key, place in whole.origins.items() if key.startswith("net.")}
    sizes = {1: (4096, 9216), 4: (4096, 4096), 6: (1000, 4096)}
    dropped: dict[str, Shape] = {f"classifier.{index}.weight": size for index, size in sizes.items()}
    dropped |= {f"classifier.{index}.bias": size[:1] for index, size in sizes.items()}
    return Layout("alexnet", {place.key: place.shape for place in trunk.values()}, dropped, trunk, _calibration)


def _calibration() -> dict[str, Tensor]:
    """What LPIPS adds to its trunk, from the package's own weights."""
    file = Path(lpips.__file__).parent / "weights/v0.1/alex.pth"
    linear: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    state = build_perceptual("alex", calibrated=True).state_dict()
    scaling = {key: value for key, value in state.items() if key.startswith("scaling_layer.")}
    aliases = {f"lins.{key[3]}{key[4:]}": value.clone() for key, value in linear.items()}
    return scaling | linear | aliases


@cache
def layouts() -> tuple[Layout, ...]:
    """Every published layout that can be imported."""
    same = origins.renamed()
    logits: dict[str, Shape] = {"logits.weight": (8631, 512), "logits.bias": (8631,)}
    return (
        _derive("celeba_hq_ddpm", lambda: EpsModel(1, manifest.UNET), origins.ddpm),
        _derive("celeba_hq_diffusers", lambda: EpsModel(1, manifest.UNET), origins.diffusers),
        _derive("celeba_hq_diffusers_old", lambda: EpsModel(1, manifest.UNET), origins.diffusers_old),
        _derive("makeup_improved_ddpm", lambda: EpsModel(1, manifest.REMOVAL_UNET), origins.improved_ddpm),
        _clip("clip_vit_b16"),
        _clip("clip_vit_b32"),
        _recogniser("ir152", origins.arcface),
        _recogniser("irse50", origins.arcface),
        _recogniser("facenet", same, logits),
        _recogniser("mobile_face", same),
        _bisenet(),
        _alexnet(),
    )
