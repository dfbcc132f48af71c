"""The bundle of `thin.py` as one that refines: no recognisers of its own, make-up for no target, details of a parser.

For tests of the plumbing of refinement; faces in its make-up look like nothing.
"""

from pathlib import Path

import tomli_w
import torch
from safetensors.torch import load_file

from diffam_core.networks.parser import CHANNELS, DETAILS
from model_store.catalog import read_manifest
from model_store.digest import sha256_of
from model_store.manifest import RefinementRow
from model_store.training.checkpoints import save_weights
from tests.thin import write_thin

REFINEMENT: RefinementRow = {"held_out": ["dlib", "faceres"], "least": 3}
WORN = {"rose": "rose-aurora", "ember": "rose-celia"}
"""Weights of the thin styles that stand for make-up alone."""
NOWHERE = -9.0
"""The logit of details that are nowhere."""


def write_thin_portrait(folder: Path) -> Path:
    """The bundle in `folder`, which is not there yet."""
    write_thin(folder)
    manifest = read_manifest(folder)
    for row in manifest["references"]:
        if row["id"] in WORN:
            row["makeup"] = f"styles/{WORN[row['id']]}.safetensors"
    parser = load_file(folder / "parser.safetensors")
    for name, fill in (("output.weight", 0.0), ("output.bias", NOWHERE)):
        told = parser[name].float()
        parser[name] = torch.cat([told, torch.full((len(DETAILS), *told.shape[1:]), fill)])
    assert len(parser["output.bias"]) == len(CHANNELS) + len(DETAILS)
    save_weights(parser, folder / "parser.safetensors")
    manifest["files"]["parser.safetensors"]["sha256"] = sha256_of(folder / "parser.safetensors")
    manifest["parser"] |= {"details": True, "checks_faces": False}
    manifest |= {
        "name": folder.name, "grade": "measured", "recognisers": {}, "never_attacked": [], "styles": [],
        "detector": {"kind": "yunet"}, "refinement": REFINEMENT,
    }  # fmt: skip
    (folder / "bundle.toml").write_text(tomli_w.dumps(manifest), encoding="utf-8")
    return folder
