"""How much of full fine-tuning's success LoRA keeps: trains all weights where the bundle ships LoRA, and judges both.

    python -m benchmarks.lora_versus_full [--reference ember --target bruno] [--faces 100] [--seed 0] [--json FILE]

Same recipe, photos, surrogates and steps; the learning rate of all weights is a tenth.
"""

import argparse
import json
import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from cli.commit import commit
from diffam_core.score import rate
from diffam_core.transfer import TransferRecipe
from evaluation.datasets import DATASETS
from evaluation.evaluate import evaluate
from evaluation.methods import METHODS
from evaluation.subjects import gather_subjects
from model_store.additions import StyleOrder
from model_store.bundle import Bundle, open_bundle
from model_store.catalog import BUNDLES
from model_store.training.new_style import fine_tune_style
from model_store.training.portraits import Training


def judge(bundle: Bundle, reference: str, target: str, faces: int, seed: int) -> dict[str, Any]:
    """ASR at FAR 0.01 on the held-out recogniser and on those never attacked, and what it costs."""
    subjects = gather_subjects(bundle.models, DATASETS["rendered"], faces, seed, lambda *_: None)
    style = bundle.find_style(reference, target)
    one = replace(bundle, catalog=replace(bundle.catalog, styles=(style,)))
    found = evaluate(one, subjects, {"diffam": METHODS["diffam"]}, lambda *_: None)
    cells = [cell for cell in found.held_out if cell.treatment == "clean"]
    return {
        "asr": {cell.recogniser: rate(cell.taken()).value for cell in cells},
        "own_match": {cell.recogniser: cell.known.value for cell in cells},
        "psnr_db": cells[0].cost.psnr_db, "ssim": cells[0].cost.ssim, "megabytes": style.file.stat().st_size / 1e6,
    }  # fmt: skip


def main() -> None:
    """Train, judge, print, and write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", default="ember")
    parser.add_argument("--target", default="bruno")
    parser.add_argument("--faces", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=Path(".diffam/lora_versus_full"), help="Checkpoints, to resume.")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    lora = open_bundle(BUNDLES / "mini")
    style = lora.catalog.style_for(arguments.reference, arguments.target)
    bare = open_bundle(BUNDLES / "mini", added=arguments.work)
    full = replace(bare, catalog=replace(bare.catalog, styles=()))
    order = StyleOrder(style.reference, style.identity, style.held_out, style.surrogates, mode="full")
    full.models.eps.unet.peft_config.clear()  # the shipped styles must not answer to the new one's name
    if not (arguments.work / f"styles/{style.reference}-{style.target}.toml").is_file():
        fine_tune_style(full, order, TransferRecipe(), Training())
    asked = (arguments.reference, arguments.target, arguments.faces, arguments.seed)
    figures = {"lora": judge(lora, *asked), "full": judge(full, *asked)}
    keeps = {name: figures["lora"]["asr"][name] / max(share, 1e-9) for name, share in figures["full"]["asr"].items()}
    facts = figures | {
        "lora_keeps": keeps, "reference": arguments.reference, "target": arguments.target, "faces": arguments.faces,
        "seed": arguments.seed, "commit": commit(), "machine": platform.platform(),
    }  # fmt: skip
    print(json.dumps(facts, indent=2))  # noqa: T201
    if arguments.json:
        arguments.json.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
