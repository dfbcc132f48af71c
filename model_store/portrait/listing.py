"""Puts the portrait bundle together: its files out of the work folder, and `bundle.toml`, which says what they are."""

import shutil
from pathlib import Path

import tomli_w
from safetensors.torch import load_file

from diffam_core.networks.parser import CHANNELS
from model_store.digest import sha256_of
from model_store.manifest import FileRow, Manifest
from model_store.portrait import diffusion, perception, styling
from model_store.portrait.cast.references import REFERENCES, save_references
from model_store.portrait.cast.targets import CONSENT, TARGETS, save_targets
from model_store.portrait.painted import removing, trunk, words
from model_store.portrait.portraits import CLOSE_PX, FRAMING, SIZE_PX, read_portraits
from model_store.training.stages import stage_file

NETWORKS = ("unet", "parser", "clip", "perceptual", "removal")
HELD_OUT, LEAST = ("dlib", "faceres", "mobilefacenet", "faceplugin", "sface"), 3
"""Whom refinement never asks, the first that is there; with how many recognisers it can work. The first two resemble
the others least, so they are the best witnesses; sface is hidden from only where it is attacked."""
SOURCE = (
    "trained by `diffam models build portrait` on people that no camera saw: Stable Diffusion 3's of github.com/"
    "faker-js/assets-person-portrait (CC0-1.0) and github.com/SelfishGene/SFHQ-T2I-dataset (MIT); real people: none"
)
PICTURE_SOURCE = (
    "a person made by Stable Diffusion 3, of github.com/faker-js/assets-person-portrait; cut, and painted where a look"
    " is worn, by `diffam models build portrait`"
)


def write_bundle(work: Path, folder: Path) -> None:
    """Write the finished bundle to `folder`, replacing it at the very end.

    work: with all stages' files.  Raises OSError, also when one is missing.
    """
    draft = work / "draft"
    shutil.rmtree(draft, ignore_errors=True)
    (draft / "styles").mkdir(parents=True)
    for name in NETWORKS:
        shutil.copyfile(stage_file(work, name), draft / f"{name}.safetensors")
    for stage, look in styling.MAKEUPS.items():
        shutil.copyfile(stage_file(work, stage), draft / f"styles/{look}.safetensors")
    portraits = read_portraits(stage_file(work, "portraits"))
    save_references(portraits, load_file(stage_file(work, "mesh"))["points"], draft)
    save_targets(portraits, draft)
    manifest = _manifest()
    manifest["files"] = _files(draft)
    (draft / "bundle.toml").write_text(tomli_w.dumps(manifest), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.move(draft, folder)


def _manifest() -> Manifest:
    return {
        "name": "portrait",
        "grade": "measured",
        "format": 1,
        "never_attacked": [],
        "portrait": {
            "size_px": SIZE_PX, "view_px": CLOSE_PX,
            "eye_middle": list(FRAMING.eye_middle), "eye_distance": FRAMING.eye_distance,
        },
        "schedule": {
            "steps": 1000, "beta_start": 1e-4, "beta_end": 0.02, "return_timestep": diffusion.RETURN_TIMESTEP,
            "invert_points": diffusion.POINTS, "denoise_points": diffusion.DENOISE_POINTS,
        },
        "lora": {"rank": styling.RANK},
        "unet": {"file": "unet.safetensors", "unshuffle": diffusion.UNSHUFFLE, "config": diffusion.CONFIG},
        "clip": words.clip_row(),
        "perceptual": trunk.perceptual_row(),
        "removal": removing.removal_row(),
        "parser": {"file": "parser.safetensors", "widths": perception.WIDTHS, "details": True},
        "detector": {"kind": "yunet"},
        "recognisers": {},
        "references": [
            {
                "id": look, "title": worn.title, "description": worn.description,
                "image": f"references/{look}/look.png", "bare": f"references/{look}/bare.png",
                "makeup": f"styles/{look}.safetensors",
                "masks": {region: f"references/{look}/{region}.png" for region in CHANNELS},
            }
            for look, worn in REFERENCES.items()
        ],
        "targets": [
            {
                "id": name, "title": target.title, "consent": CONSENT,
                "images": [f"targets/{name}_{place}.png" for place in (0, 1)],
            }
            for name, target in TARGETS.items()
        ],
        "styles": [],
        "refinement": {"held_out": list(HELD_OUT), "least": LEAST},
    }  # fmt: skip


def _files(folder: Path) -> dict[str, FileRow]:
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".safetensors", ".png"))
    return {path.relative_to(folder).as_posix(): _file(path) for path in files}


def _file(path: Path) -> FileRow:
    licence, source = ("CC0-1.0", PICTURE_SOURCE) if path.suffix == ".png" else ("Apache-2.0", SOURCE)
    return {"sha256": sha256_of(path), "licence": licence, "source": source}
