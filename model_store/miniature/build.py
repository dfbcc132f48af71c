"""Makes the mini bundle from nothing: every stage trains one network and leaves a file, so a stopped build goes on.

Stages run two at a time, one thread each: fixed seeds and step counts, so that a rebuild ends at the same quality.
"""

import hashlib
import shutil
from pathlib import Path

import tomli_w
from safetensors.torch import load_file
from torch import nn

from diffam_core.networks.parser import CHANNELS
from diffam_core.removal import REMOVAL
from model_store.bundle import style_name
from model_store.manifest import Manifest, RecogniserRow, StyleRow
from model_store.miniature import diffusion, perception, recognition, removal
from model_store.miniature.cast import REFERENCES, TARGETS, save_cast
from model_store.miniature.styling import (
    MAKEUPS,
    NEVER_ATTACKED,
    RECIPE,
    STYLE_PHOTOS,
    STYLES,
    VIEW_PX,
    held_out_of,
    surrogates_of,
    train_stage_of,
)
from model_store.rendered.captions import BANK, prompts
from model_store.rendered.portraits import SEEDS, population
from model_store.rendered.renderer import FRAMING
from model_store.training.checkpoints import save_weights
from model_store.training.small_clip import CLIP_MEAN, CLIP_STD, clip_config, vocabulary_of
from model_store.training.stages import OnBuild, OnStep, run_stages, stage_file

NETWORKS = ("unet", "clip", "vit", "ir152", "irse50", "facenet", "mobile_face", "perceptual", "parser")
"""Longest first, so that two workers end together."""
LICENCE, SOURCE = "Apache-2.0", "made by `diffam models build mini` from rendered faces; no real person's data"


def train_network(name: str, progress: recognition.Progress) -> nn.Module:
    """One network of the bundle, trained from its seed. Raises KeyError for an unknown name."""
    if name == "parser":
        return perception.train_parser(progress)
    portraits = recognition.training_portraits()
    if name == "unet":
        return diffusion.train_unet(portraits, progress)
    if name == "clip":
        return perception.train_clip(portraits, progress)
    if name == "perceptual":
        return perception.train_perceptual(portraits, progress)
    return recognition.train_recogniser(recognition.RECIPES[name], portraits, progress)


def _make_stage(name: str, work: Path, on_step: OnStep) -> None:
    if name in NETWORKS:
        weights = train_network(name, on_step).state_dict()
    elif name in removal.STAGES:
        weights = removal.train_stage_of(work, name, on_step)
    else:
        weights = train_stage_of(work, name, on_step)
    save_weights(weights, stage_file(work, name))


def _recogniser_rows(folder: Path) -> dict[str, RecogniserRow]:
    """Manifest rows of the recognisers, thresholds calibrated on the very weights that are shipped."""
    people = population(recognition.CALIBRATION_IDENTITIES, 6, SEEDS["calibrate"], recognition.SIZE_PX)
    rows: dict[str, RecogniserRow] = {}
    for name, recipe in recognition.RECIPES.items():
        network = recognition.build(recipe)
        weights = load_file(folder / f"{name}.safetensors")
        network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in weights.items()})
        embeddings = recognition.embed_all(network.eval(), people.images, recipe.input_px)
        thresholds = recognition.calibrate(embeddings, people.people)
        rows[name] = {
            "kind": recipe.kind,
            "file": f"{name}.safetensors",
            "input_px": recipe.input_px,
            "arguments": recipe.arguments,
            "thresholds": {
                str(rate): round(t, 5) for rate, t in zip(recognition.FALSE_ACCEPT_RATES, thresholds, strict=True)
            },
        }
    return rows


def _manifest(folder: Path) -> Manifest:
    vocabulary = vocabulary_of(list(BANK))
    return {
        "name": "mini",
        "grade": "demonstration",
        "format": 1,
        "never_attacked": [NEVER_ATTACKED],
        "portrait": {
            "size_px": recognition.SIZE_PX, "view_px": VIEW_PX,
            "eye_middle": list(FRAMING.eye_middle), "eye_distance": FRAMING.eye_distance,
        },
        "portraits": {"seed": SEEDS["portraits"], "count": STYLE_PHOTOS},
        "schedule": {
            "steps": 1000, "beta_start": 1e-4, "beta_end": 0.02,
            "return_timestep": 60, "invert_points": 6, "denoise_points": 3,
        },
        "lora": {"rank": RECIPE.rank},
        "removal": {
            "file": "removal.safetensors", "rank": removal.RANK,
            "return_timestep": removal.RETURN_TIMESTEP, "invert_points": removal.POINTS,
            "denoise_points": removal.POINTS,
        },
        "unet": {"file": "unet.safetensors", "unshuffle": diffusion.UNSHUFFLE, "config": diffusion.CONFIG},
        "clip": {
            "file": "clip.safetensors",
            "config": clip_config(perception.VISION, len(vocabulary)),
            "vocabulary": vocabulary,
            "mean": list(CLIP_MEAN),
            "std": list(CLIP_STD),
            "made_up_prompts": prompts("face with makeup"),
            "bare_prompts": prompts("face without makeup"),
        },
        "perceptual": {"file": "perceptual.safetensors", "trunk": perception.TRUNK, "calibrated": False},
        "parser": {"file": "parser.safetensors", "widths": perception.PARSER_WIDTHS, "checks_faces": True},
        "detector": {"kind": "opencv-haar"},
        "recognisers": _recogniser_rows(folder),
        "references": [
            {
                "id": name, "title": title, "description": description,
                "image": f"references/{name}/look.png", "bare": f"references/{name}/bare.png",
                "makeup": f"styles/{name}.safetensors",
                "masks": {region: f"references/{name}/{region}.png" for region in CHANNELS},
            }
            for name, (title, description, _, _) in REFERENCES.items()
        ],
        "targets": [
            {
                "id": name, "title": title, "consent": "virtual identity, rendered; no such person exists",
                "images": [f"targets/{name}_{picture}.png" for picture in (0, 1)],
            }
            for name, title in TARGETS.items()
        ],
        "styles": [],
    }  # fmt: skip


def _style_row(stage: str) -> StyleRow:
    reference, target = STYLES[stage]
    return {
        "reference": reference, "target": target, "held_out": held_out_of(reference, target),
        "surrogates": surrogates_of(reference, target), "file": f"styles/{style_name(reference, target)}.safetensors",
    }  # fmt: skip


def _write_manifest(folder: Path, manifest: Manifest) -> None:
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.suffix in (".safetensors", ".png"))
    manifest["files"] = {
        name: {
            "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest(),
            "licence": LICENCE,
            "source": SOURCE,
        }
        for name in names
    }
    (folder / "bundle.toml").write_text(tomli_w.dumps(manifest), encoding="utf-8")


def build_mini(folder: Path, work: Path, on_build: OnBuild, jobs: int = 2) -> None:
    """Train what is missing in `work`, then write the finished bundle to `folder`, replacing it at the very end."""
    draft = work / "bundle"
    run_stages([*NETWORKS, *removal.CRITICS], work, _make_stage, on_build, jobs)
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    for name in NETWORKS:
        shutil.copyfile(work / f"{name}.safetensors", draft / f"{name}.safetensors")
    save_cast(draft)
    manifest = _manifest(draft)
    _write_manifest(draft, manifest)
    for stages in ((*MAKEUPS, removal.PRIOR), (REMOVAL, *STYLES)):
        run_stages(stages, work, _make_stage, on_build, jobs)
    (draft / "styles").mkdir()
    shutil.copyfile(work / f"{REMOVAL}.safetensors", draft / "removal.safetensors")
    for stage, reference in MAKEUPS.items():
        shutil.copyfile(work / f"{stage}.safetensors", draft / "styles" / f"{reference}.safetensors")
    for stage in STYLES:
        row = _style_row(stage)
        shutil.copyfile(work / f"{stage}.safetensors", draft / row["file"])
        manifest["styles"].append(row)
    _write_manifest(draft, manifest)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.move(draft, folder)
