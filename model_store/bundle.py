"""Opens a bundle: verifies every file it needs, builds the networks, loads the weights, attaches the styles."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from diffam_core.diffusion import alpha_bars
from diffam_core.faces.cascades import CascadeDetector
from diffam_core.faces.detection import Detector
from diffam_core.faces.framing import Framing
from diffam_core.faces.plausibility import parser_check, parser_eyes
from diffam_core.faces.yunet import Yunet, YunetDetector
from diffam_core.images import to_portrait
from diffam_core.models import Models, Process, Recogniser
from diffam_core.networks.bisenet import BisenetParser
from diffam_core.networks.clip import Clip
from diffam_core.networks.parser import CHANNELS, FaceParser
from diffam_core.networks.perceptual import build_perceptual
from diffam_core.networks.recognisers import ARCHITECTURES
from diffam_core.networks.unet import EpsModel
from diffam_core.removal import REMOVAL, REMOVAL_BASE
from diffam_core.styles import add_full_style, add_style, has_style, remove_style
from model_store.additions import with_additions
from model_store.catalog import Catalog, Mode, StyleCard, damaged_files, read_catalog, read_manifest
from model_store.errors import BundleDamaged, StyleNotTrained, UnknownReference
from model_store.manifest import ClipRow, Manifest, ParserRow, PicturesRow
from model_store.recognisers import Judges


@dataclass(frozen=True)
class Reference:
    """Make-up to wear: portraits `(1, 3, s, s)` with and without it, masks `(1, 4, s, s)` in the parser's order."""

    made_up: Tensor
    bare: Tensor
    regions: Tensor


@dataclass(frozen=True)
class Target:
    """An identity to resemble: one picture to aim at, another to test with, `(1, 3, s, s)` in [-1, 1]."""

    aim: Tensor
    test: Tensor


@dataclass(frozen=True)
class Prompts:
    """How CLIP is asked whether a face wears make-up; a bundle that says nothing asks in the paper's words."""

    made_up: tuple[str, ...] = ("face with makeup",)
    bare: tuple[str, ...] = ("face without makeup",)


@dataclass(frozen=True)
class Bundle:
    """An opened bundle: what it offers, its networks with its LoRA styles attached, its references and targets.

    judges: recognisers of libraries that measure its photos, too.
    """

    catalog: Catalog
    models: Models
    references: dict[str, Reference]
    targets: dict[str, Target]
    rank: int
    prompts: Prompts
    removal: Process | None = None
    added: Path | None = None
    judges: Judges | None = None

    @property
    def additions(self) -> Path:
        """The folder of additions. Raises ValueError when the bundle was opened without one."""
        if self.added is None:
            raise ValueError("the bundle was opened without a folder for additions")
        return self.added

    def find_style(self, reference: str, target: str | None) -> StyleCard:
        """A reference's style, its weights attached; one that was added since is loaded now, on the caller's thread.

        Raises UnknownReference, UnknownTarget, StyleNotTrained, BundleDamaged.
        """
        try:
            style = self.catalog.style_for(reference, target)
        except (UnknownReference, StyleNotTrained):  # only then is the folder of additions read
            style = with_additions(self.catalog, self.added).style_for(reference, target)
        self._attach(style.adapter, style.file, style.mode, style.sha256)
        return style

    def find_makeup(self, reference: str) -> str:
        """The adapter's name of a reference's make-up alone, attached. Raises UnknownReference, StyleNotTrained."""
        card = with_additions(self.catalog, self.added).reference(reference)
        if card.makeup is None:
            raise StyleNotTrained(f"reference {reference!r} has no style without a target")
        self._attach(reference, card.makeup)
        return reference

    def _attach(self, name: str, file: Path, mode: Mode = "lora", sha256: str | None = None) -> None:
        """Attach a style once; another digest under its name replaces it: its reference was removed meanwhile."""
        eps = self.models.eps
        if has_style(eps, name):
            if eps.digests.get(name) == sha256:
                return
            remove_style(eps, name)
        try:
            if mode == "full":
                add_full_style(eps, name, read_weights(file, sha256))
            else:
                add_style(eps, name, self.rank, read_weights(file, sha256))
        except ValueError as error:
            raise BundleDamaged(str(error)) from error
        if sha256 is not None:
            eps.digests[name] = sha256


def style_name(reference: str, target: str) -> str:
    """The adapter's name of a style inside the noise predictor."""
    return f"{reference}-{target}"


def read_weights(path: Path, sha256: str | None = None) -> dict[str, Tensor]:
    """Weights as float32. Raises BundleDamaged when the file cannot be read or is not the one of that digest."""
    try:
        data = path.read_bytes()
        if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
            raise BundleDamaged(f"{path.name} is not the file that was trained")
        return {key: value.float() if value.is_floating_point() else value for key, value in load(data).items()}
    except (OSError, SafetensorError) as error:
        raise BundleDamaged(f"{path.name} cannot be read: {error}") from error


def _load(network: nn.Module, path: Path) -> nn.Module:
    network.load_state_dict(read_weights(path), strict=True)
    return network.eval().requires_grad_(False)


def read_picture(path: Path) -> Tensor:
    """A picture file as `(1, 3, height, width)` in [-1, 1]."""
    with Image.open(path) as image:
        return to_portrait(np.array(image.convert("RGB")))


def _build_parser(row: ParserRow) -> nn.Module:
    """The face parser of a manifest's row: "unet-parser" with its widths, perhaps with details, or "bisenet"."""
    kind = row.get("kind", "unet-parser")
    if kind not in ("unet-parser", "bisenet"):
        raise ValueError(f"no parser is called {kind!r}")
    return BisenetParser() if kind == "bisenet" else FaceParser(row["widths"], row.get("details", False))


def _open_detector(folder: Path, manifest: Manifest, parser: nn.Module, yunet: Yunet | None) -> Detector:
    """The detector that a manifest names: "yunet", with its file or as it was pulled, or "opencv-haar", in whose place
    `yunet` is taken.

    A parser that is known to tell faces looks at what it finds.
    """
    row, portrait = manifest.get("detector", {}), manifest["portrait"]
    kind = row.get("kind", "opencv-haar")
    framing = Framing((portrait["eye_middle"][0], portrait["eye_middle"][1]), portrait["eye_distance"])
    is_checked = manifest["parser"].get("checks_faces", False)
    eyes = parser_eyes(parser, portrait["size_px"]) if is_checked else None
    if kind == "yunet":
        own = Yunet(folder / row["file"]) if "file" in row else yunet
        if own is None:
            raise ValueError("it brings no face detector; `diffam models pull recognisers` fetches one")
        return YunetDetector(framing, own, eyes)
    if kind != "opencv-haar":
        raise ValueError(f"no detector is called {kind!r}")
    check = parser_check(parser, portrait["size_px"]) if is_checked else None
    return CascadeDetector(framing, check) if yunet is None else YunetDetector(framing, yunet, eyes)


def load_models(folder: Path, manifest: Manifest, yunet: Yunet | None = None) -> Models:
    """The networks of a bundle, without styles. yunet: finds faces where the bundle brings no detector."""
    schedule, unet, clip = manifest["schedule"], manifest["unet"], manifest["clip"]
    perceptual, portrait = manifest["perceptual"], manifest["portrait"]
    parser = _load(_build_parser(manifest["parser"]), folder / manifest["parser"]["file"])
    eps = EpsModel(unet["unshuffle"], unet["config"])
    tower = Clip(clip["config"], clip.get("vocabulary"), tuple(clip["mean"]), tuple(clip["std"]))
    recognisers = {}
    for name, row in manifest["recognisers"].items():
        network = _load(ARCHITECTURES[row["kind"]](**row["arguments"]), folder / row["file"])
        recognisers[name] = Recogniser(name, network, row["input_px"], row["thresholds"])
    _load(eps, folder / unet["file"])
    _load(tower, folder / clip["file"])
    return Models(
        eps=eps,
        process=Process(
            alpha_bars(schedule["steps"], schedule["beta_start"], schedule["beta_end"]),
            schedule["return_timestep"],
            schedule["invert_points"],
            schedule["denoise_points"],
            schedule.get("precision", "float32"),
        ),
        clip=tower,
        perceptual=_load(build_perceptual(perceptual["trunk"], perceptual["calibrated"]), folder / perceptual["file"]),
        parser=parser,
        recognisers=recognisers,
        portrait_px=portrait["size_px"],
        view_px=portrait["view_px"],
        detector=_open_detector(folder, manifest, parser, yunet),
    )


def attach_removal_base(eps: EpsModel, folder: Path, manifest: Manifest) -> EpsModel:
    """Attach the network that make-up removal is fine-tuned from: the bundle's `removal_unet`, else the base model.

    A remover is trained on a copy of it: `add_full_style(eps, REMOVAL, base=...)`.
    """
    if row := manifest.get("removal_unet"):
        base = EpsModel(row["unshuffle"], row["config"])
        _load(base, folder / row["file"])
        eps.full_styles[REMOVAL_BASE] = base
        return base
    return eps


def _attach_removal(models: Models, folder: Path, manifest: Manifest) -> Process | None:
    """Attach the remover, a LoRA of some `rank` or a whole network; how deep it works, or None if there is none."""
    row = manifest.get("removal")
    if row is None:
        return None
    weights = read_weights(folder / row["file"])
    if "rank" in row:
        add_style(models.eps, REMOVAL, row["rank"], weights)
    else:
        add_full_style(models.eps, REMOVAL, weights, attach_removal_base(models.eps, folder, manifest))
    return Process(models.process.alpha_bar, row["return_timestep"], row["invert_points"], row["denoise_points"])


def _prompts(row: ClipRow) -> Prompts:
    """What the manifest says of them. Raises ValueError for a list of nothing."""
    usual = Prompts()
    prompts = Prompts(tuple(row.get("made_up_prompts", usual.made_up)), tuple(row.get("bare_prompts", usual.bare)))
    if not (prompts.made_up and prompts.bare):
        raise ValueError("[clip] has an empty list of prompts")
    return prompts


def read_reference(folder: Path, row: PicturesRow) -> Reference:
    """A reference's pictures and masks."""
    masks = [(read_picture(folder / row["masks"][name])[:, :1] + 1) / 2 for name in CHANNELS]
    return Reference(read_picture(folder / row["image"]), read_picture(folder / row["bare"]), torch.cat(masks, dim=1))


def open_bundle(
    folder: Path, device: str = "cpu", added: Path | None = None, judges: Judges | None = None,
    yunet: Yunet | None = None,
) -> Bundle:  # fmt: skip
    """Verify and load a bundle, its styles included. Raises UnknownBundle, BundleDamaged.

    added: the folder of references and styles added to it, read again whenever one is asked for.
    yunet: finds faces where the bundle brings no detector of its own, instead of OpenCV's cascades.
    """
    manifest = read_manifest(folder)
    catalog = read_catalog(folder, judges.recognisers if judges else ())
    problems = damaged_files(folder)
    if problems:
        raise BundleDamaged(f"bundle {catalog.name!r}: {'; '.join(problems)}")
    try:
        models = load_models(folder, manifest, yunet)
        files = {card.id: card.makeup for card in catalog.references if card.makeup is not None}
        # whole networks wait until they are asked for: each is as large as the base model
        loras = (style for style in catalog.styles if style.mode == "lora")
        files |= {style.adapter: style.file for style in loras}
        for name, file in files.items():
            add_style(models.eps, name, manifest["lora"]["rank"], read_weights(file))
        removal = _attach_removal(models, folder, manifest)
        return Bundle(
            catalog,
            models.to(device),
            references={row["id"]: read_reference(folder, row) for row in manifest["references"]},
            targets={
                row["id"]: Target(*(read_picture(folder / name) for name in row["images"]))
                for row in manifest["targets"]
            },
            rank=manifest["lora"]["rank"],
            prompts=_prompts(manifest["clip"]),
            removal=removal,
            added=added,
            judges=judges,
        )
    except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError, OSError) as error:
        raise BundleDamaged(f"bundle {catalog.name!r} cannot be loaded: {error}") from error
