"""Fine-tunes the style that somebody ordered: the make-up alone first, once, then for the target."""

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import cast

import tomli_w
from torch import Tensor

from diffam_core.models import Models, Process
from diffam_core.transfer import Attack, Lesson, TransferRecipe, prepare, read_colours
from diffam_core.tuning import OnLoss, ignore_loss
from model_store.additions import StyleOrder, check_order, finished, with_additions
from model_store.bundle import Bundle, Reference, read_reference, read_weights, style_name
from model_store.catalog import StyleCard
from model_store.errors import RecipeInvalid
from model_store.manifest import PicturesRow
from model_store.training.checkpoints import CachedLatents, Checkpoints, save_weights
from model_store.training.fine_tuning import Form, fine_tune
from model_store.training.portraits import Training, training_portraits


def fine_tune_style(
    bundle: Bundle, order: StyleOrder, recipe: TransferRecipe, training: Training, on_loss: OnLoss = ignore_loss
) -> StyleCard:
    """Fine-tune and store a style; stopped at any moment and asked for again, it goes on, to the same weights.

    on_loss: steps count through both stages.  Raises StoreError, OSError; what `on_loss` raises stops the training.
    """
    catalog = with_additions(bundle.catalog, bundle.added)
    order = check_order(catalog, order)
    recipe = recipe.with_objective(order.objective).with_mode(order.mode)
    models = replace(bundle.models, process=_walk(bundle, recipe))
    lesson = _lesson(bundle, models, order, training)
    form = Form(training.seed, order.mode, bundle.rank)
    checkpoints = Checkpoints(bundle.additions / "training", training.keep_every)
    known = None if order.mode == "full" else catalog.reference(order.reference).makeup
    before = 0 if known is not None else recipe.makeup.steps
    steps = before + recipe.attack.steps

    def counted(begun: int) -> OnLoss:
        return lambda step, _steps, terms: on_loss(begun + step, steps, terms)

    if known is not None:
        start = read_weights(known)
    else:
        makeup_alone = replace(lesson, attack=None)
        start = fine_tune(models, recipe.makeup, makeup_alone, form, checkpoints, counted(0))
        if order.mode == "lora":
            start = _keep_makeup(bundle, order.reference, start)
    weights = fine_tune(models, recipe.attack, lesson, replace(form, start=start), checkpoints, counted(before))
    row = {
        "reference": order.reference, "target": order.target, "held_out": order.held_out,
        "surrogates": list(order.surrogates), "mode": order.mode, "objective": order.objective, "seed": training.seed,
        "steps": steps,
    }  # fmt: skip
    _store(bundle.additions, style_name(order.reference, order.target), weights, row)
    return bundle.find_style(order.reference, order.target)


def _walk(bundle: Bundle, recipe: TransferRecipe) -> Process:
    """The recipe's walk, which must start where the bundle's does. Raises RecipeInvalid."""
    protecting = bundle.models.process
    if recipe.return_timestep not in (None, protecting.return_timestep):
        raise RecipeInvalid(
            f"this recipe walks to timestep {recipe.return_timestep}, the bundle {bundle.catalog.name!r} protects from"
            f" {protecting.return_timestep}"
        )
    return recipe.walk(protecting)


def _lesson(bundle: Bundle, models: Models, order: StyleOrder, training: Training) -> Lesson:
    """What the style is to learn, prepared. Raises DatasetError."""
    faces = training_portraits(bundle, training).to(models.device)
    pictures = reference_pictures(bundle, order.reference)
    colours = read_colours(models, *(x.to(models.device) for x in (pictures.made_up, pictures.bare, pictures.regions)))
    surrogates = [models.recognisers[name] for name in order.surrogates]
    data = prepare(models, faces, surrogates, CachedLatents(bundle.additions / "training/latents"))
    return Lesson(colours, data, Attack(surrogates, bundle.targets[order.target].aim.to(models.device)))


def reference_pictures(bundle: Bundle, name: str) -> Reference:
    """The pictures of a reference, shipped or added. Raises UnknownReference."""
    if name in bundle.references:
        return bundle.references[name]
    with_additions(bundle.catalog, bundle.added).reference(name)
    folder = bundle.additions / "references" / name
    row = tomllib.loads((folder / "reference.toml").read_text(encoding="utf-8"))
    return read_reference(folder, cast(PicturesRow, row))


def _keep_makeup(bundle: Bundle, reference: str, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Store a reference's make-up alone; returns it as stored, so that a resumed run starts from the same."""
    _store(bundle.additions, reference, weights, {"reference": reference, "mode": "lora"})
    return read_weights(bundle.additions / f"styles/{reference}.safetensors")


def _store(folder: Path, name: str, weights: dict[str, Tensor], row: dict[str, object]) -> None:
    path = folder / f"styles/{name}.safetensors"
    sha256 = save_weights(weights, path)
    with finished(path.with_suffix(".toml")) as partial:
        partial.write_text(tomli_w.dumps(row | {"sha256": sha256}), encoding="utf-8")
