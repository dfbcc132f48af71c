"""A bundle made in a second: the miniature with a small noise predictor and small recognisers that nobody trained.

For tests of the plumbing of training, which ask whether a style is written and not how well it protects. Pictures, and
the networks that say what is a face, a mouth or make-up, are the miniature's own; promises about quality are tested
on that.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

import tomli_w
import torch
from torch import Tensor

from diffam_core.networks.recognisers import ARCHITECTURES
from diffam_core.networks.unet import EpsModel
from diffam_core.removal import REMOVAL
from diffam_core.styles import add_style, style_parameters, style_weights
from model_store.catalog import BUNDLES, read_manifest
from model_store.digest import sha256_of
from model_store.training.checkpoints import save_weights

NAME = "thin"
STYLES = ("rose-aurora", "rose-celia")
"""The only trained ones; the miniature's other references and targets are on offer without."""
UNET = {
    "sample_size": 16, "in_channels": 48, "out_channels": 48, "layers_per_block": 1, "block_out_channels": [16, 32],
    "down_block_types": ["DownBlock2D", "AttnDownBlock2D"], "up_block_types": ["AttnUpBlock2D", "UpBlock2D"],
    "attention_head_dim": 16, "norm_num_groups": 8,
}  # fmt: skip
KIND, ARGUMENTS = "mobile", {"widths": [8, 16, 16], "depths": [1, 1, 1], "side": 4}
RANK, SPREAD = 2, 0.3
"""SPREAD: of a style's weights; what it makes of a face is plain to see."""


def write_thin(folder: Path) -> Path:
    """The bundle in `folder`, which is not there yet; always the same weights."""
    mini = BUNDLES / "mini"
    manifest = read_manifest(mini)
    shutil.copytree(mini, folder, ignore=shutil.ignore_patterns("styles", "bundle.toml"))
    for name, weights in _untrained(list(manifest["recognisers"])).items():
        save_weights(dict(weights), folder / f"{name}.safetensors")
    manifest["name"] = NAME
    manifest["lora"]["rank"] = manifest["removal"]["rank"] = RANK
    manifest["unet"] |= {"unshuffle": 4, "config": UNET}
    for row in manifest["recognisers"].values():
        row |= {"kind": KIND, "arguments": ARGUMENTS, "input_px": 64}
    for reference in manifest["references"]:
        reference.pop("makeup", None)
    manifest["styles"] = [
        row for row in manifest["styles"] if row["file"] in [f"styles/{name}.safetensors" for name in STYLES]
    ]
    written = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    manifest["files"] = {
        name: {"sha256": sha256_of(path), "licence": "Apache-2.0", "source": "random numbers"}
        for name, path in written.items()
    }
    (folder / "bundle.toml").write_text(tomli_w.dumps(manifest), encoding="utf-8")
    return folder


def _untrained(recognisers: list[str]) -> dict[str, Mapping[str, Tensor]]:
    """By the stem of its file: the noise predictor's, its styles' and the recognisers' weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        eps = EpsModel(4, UNET)
        weights: dict[str, Mapping[str, Tensor]] = {"unet": eps.state_dict()}
        for name in (REMOVAL, *STYLES):
            add_style(eps, name, RANK)
            with torch.no_grad():
                for parameter in style_parameters(eps, name):
                    parameter.normal_(0, SPREAD)
            weights[name if name == REMOVAL else f"styles/{name}"] = style_weights(eps, name)
        return weights | {name: ARCHITECTURES[KIND](**ARGUMENTS).state_dict() for name in recognisers}
