"""Fine-tunes a bundle's make-up removal by a recipe, and puts it in its place."""

from dataclasses import replace
from pathlib import Path

import tomli_w
from torch import Tensor

from diffam_core.images import shrink
from diffam_core.networks.unet import EpsModel
from diffam_core.removal import REMOVAL, REMOVAL_BASE, RemovalLesson, RemovalRecipe, make_critic
from diffam_core.styles import has_style, remove_style
from diffam_core.tuning import OnLoss, ignore_loss
from model_store.additions import finished
from model_store.bundle import Bundle, attach_removal_base
from model_store.catalog import read_manifest
from model_store.errors import RecipeInvalid
from model_store.manifest import FileRow, RemovalRow
from model_store.training.checkpoints import Checkpoints, save_weights
from model_store.training.fine_tuning import Form, fine_tune_removal
from model_store.training.portraits import RENDERED, Kind, Training, training_portraits
from model_store.training.recipe import RemovalTable


def renew_removal(bundle: Bundle, table: RemovalTable, training: Training, on_loss: OnLoss = ignore_loss) -> Path:
    """Fine-tune a bundle's make-up removal and store it in the bundle's folder, whole or not at all; returns its file.

    Stopped at any moment and asked for again, it goes on, to the same weights. Whoever has the bundle open keeps the
    removal that was there; only `bundle` itself loses it.
    Raises RecipeInvalid, DatasetError, OSError; what `on_loss` raises stops the training.
    """
    recipe = table.recipe(training.photos)
    walk, in_use = table.walks(bundle.models.process)
    lesson = _lesson(bundle, table, recipe, training)
    models = replace(bundle.models, eps=_base(bundle, table), process=walk)
    form = Form(training.seed, table.mode, table.rank)
    checkpoints = Checkpoints(bundle.additions / "training", training.keep_every)
    weights = fine_tune_removal(models, recipe, lesson, form, checkpoints, on_loss)
    row = RemovalRow(
        file="", return_timestep=in_use.return_timestep, invert_points=in_use.invert_points,
        denoise_points=in_use.denoise_points,
    )  # fmt: skip
    if table.mode == "lora":
        row["rank"] = table.rank
    return _store(bundle.catalog.folder, weights, row, training.dataset or RENDERED)


def _lesson(bundle: Bundle, table: RemovalTable, recipe: RemovalRecipe, training: Training) -> RemovalLesson:
    """Whom to undress, whom to leave alone, and who judges. Raises RecipeInvalid, DatasetError."""
    models = bundle.models
    if table.identity not in models.recognisers:
        known = ", ".join(models.recognisers)
        raise RecipeInvalid(f"this bundle has no recogniser {table.identity!r} to keep the identity; it has: {known}")

    def faces(kind: Kind) -> Tensor:
        return shrink(training_portraits(bundle, training, kind), models.portrait_px).to(models.device)

    made_up = faces("made_up")
    bare = faces("bare") if recipe.bare_batch or recipe.objective == "critics" else made_up[:0]
    critics = []
    if recipe.objective == "critics":
        said = (list(recipe.made_up_prompts), list(recipe.bare_prompts))
        critics = [make_critic(models.clip, lambda portraits: portraits, [said], bare)]
    return RemovalLesson(made_up, bare, models.recognisers[table.identity], critics)


def _base(bundle: Bundle, table: RemovalTable) -> EpsModel:
    """What is fine-tuned, rid of the removal so far: LoRA changes the noise predictor, else removal's own network."""
    eps = bundle.models.eps
    for style in (REMOVAL, REMOVAL_BASE):
        if has_style(eps, style):
            remove_style(eps, style)
    if table.mode == "lora":
        return eps
    folder = bundle.catalog.folder
    return attach_removal_base(eps, folder, read_manifest(folder)).to(bundle.models.device)


def _store(folder: Path, weights: dict[str, Tensor], row: RemovalRow, faces: str) -> Path:
    """The weights under a name of their own; the manifest that names them, renamed into place, is what counts."""
    fresh = folder / ".removal.safetensors"
    sha256 = save_weights(weights, fresh)
    path = fresh.replace(folder / f"removal-{sha256[:12]}.safetensors")
    manifest = read_manifest(folder)
    files, former = manifest.setdefault("files", {}), manifest.get("removal")
    base = manifest["unet"] if "rank" in row else manifest.get("removal_unet", manifest["unet"])
    licence = files[base["file"]]["licence"] if base["file"] in files else f"that of {base['file']}"
    if former is not None:
        files.pop(former["file"], None)
    files[path.name] = FileRow(
        sha256=sha256, licence=licence,
        source=f"fine-tuned from {base['file']} by `diffam models fine-tune-removal` on faces of {faces}",
    )  # fmt: skip
    row["file"] = path.name
    manifest["removal"] = row
    with finished(folder / "bundle.toml") as partial:
        partial.write_text(tomli_w.dumps(manifest), encoding="utf-8")
    if former is not None and former["file"] != path.name:
        (folder / former["file"]).unlink(missing_ok=True)
    return path
