"""Fine-tunes the styles that the mini bundle ships: each reference alone, then each for each target."""

from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from diffam_core.transfer import Attack, Lesson, TransferRecipe, prepare, read_colours
from model_store.bundle import load_models, read_picture, read_reference, style_name
from model_store.catalog import read_manifest
from model_store.miniature import recognition
from model_store.miniature.cast import REFERENCES, TARGETS
from model_store.rendered.portraits import SEEDS, draw_portraits
from model_store.training.checkpoints import CachedLatents, Checkpoints
from model_store.training.fine_tuning import Form, fine_tune

HOLD_OUTS = ("ir152", "irse50", "facenet", "mobile_face")
NEVER_ATTACKED = "vit"
RECIPE = TransferRecipe()
STYLE_PHOTOS, VIEW_PX = 192, 256
STYLES = {style_name(reference, target): (reference, target) for reference in REFERENCES for target in TARGETS}
MAKEUPS = {f"makeup-{reference}": reference for reference in REFERENCES}
"""Stage names of the build: the make-up alone, then the styles that start from it."""


def held_out_of(reference: str, target: str) -> str:
    """The hold-out of a shipped style: a Latin square, so that each target meets three of the four."""
    return HOLD_OUTS[(list(REFERENCES).index(reference) + list(TARGETS).index(target)) % len(HOLD_OUTS)]


def surrogates_of(reference: str, target: str) -> list[str]:
    """The recognisers that a shipped style is trained against."""
    return [name for name in HOLD_OUTS if name != held_out_of(reference, target)]


def train_stage_of(work: Path, stage: str, progress: recognition.Progress) -> dict[str, Tensor]:
    """The weights of a stage in `MAKEUPS` or `STYLES`, trained with the draft bundle in `work`; resumes."""
    folder = work / "bundle"
    manifest = read_manifest(folder)
    models = load_models(folder, manifest)
    reference_id, target_id = (MAKEUPS[stage], None) if stage in MAKEUPS else STYLES[stage]
    row = next(row for row in manifest["references"] if row["id"] == reference_id)
    picture = read_reference(folder, row)
    colours = read_colours(models, picture.made_up, picture.bare, picture.regions)
    seed = list(REFERENCES).index(reference_id)
    attack, start, recipe = None, None, RECIPE.makeup
    surrogates = []
    if target_id is not None:
        surrogates = [models.recognisers[name] for name in surrogates_of(reference_id, target_id)]
        target = next(row for row in manifest["targets"] if row["id"] == target_id)
        attack = Attack(surrogates, read_picture(folder / target["images"][0]))
        start = {k: w.float() for k, w in load_file(work / f"makeup-{reference_id}.safetensors").items()}
        recipe, seed = RECIPE.attack, 10 + list(STYLES).index(stage)
    photos = draw_portraits(STYLE_PHOTOS, SEEDS["portraits"], VIEW_PX)
    data = prepare(models, photos, surrogates, CachedLatents(work / "latents"))

    def report(step: int, steps: int, terms: dict[str, float]) -> None:
        progress(step, steps, terms["histogram"] if attack is None else terms["impersonate"])

    form = Form(seed, rank=RECIPE.rank, start=start)
    return fine_tune(models, recipe, Lesson(colours, data, attack), form, Checkpoints(work / "training"), report)
