"""Fine-tunes the style that somebody ordered: the look alone first, once, then for the target; resumes where it was."""

import tomllib
from dataclasses import replace
from pathlib import Path

import tomli_w
from torch import Tensor

from diffam_core.losses import read_colours
from diffam_core.transfer import Attack, TransferRecipe, prepare
from diffam_core.tuning import OnLoss, ignore_loss
from model_store.additions import StyleOrder, check_order, finished, with_additions
from model_store.bundle import Bundle, Reference, read_reference, read_weights, style_name
from model_store.catalog import StyleCard
from model_store.errors import RecipeInvalid
from model_store.training.checkpoints import CachedLatents, save_weights
from model_store.training.fine_tuning import fine_tune
from model_store.training.portraits import Portraits, training_portraits


def reference_pictures(bundle: Bundle, name: str) -> Reference:
    """The pictures of a reference, shipped or added. Raises UnknownReference."""
    if name in bundle.references:
        return bundle.references[name]
    with_additions(bundle.catalog, bundle.added).reference(name)
    folder = _added(bundle) / "references" / name
    return read_reference(folder, tomllib.loads((folder / "reference.toml").read_text(encoding="utf-8")))


def _added(bundle: Bundle) -> Path:
    if bundle.added is None:
        raise ValueError("the bundle was opened without a folder for additions")
    return bundle.added


def train_style(
    bundle: Bundle,
    order: StyleOrder,
    recipe: TransferRecipe,
    photos: int = 192,
    seed: int = 0,
    on_loss: OnLoss = ignore_loss,
    portraits: Portraits | None = None,
) -> StyleCard:
    """Train and store a style; stopped at any moment and asked for again, it goes on and ends with the same weights.

    on_loss: steps count through both stages.  portraits: whom to train on; None are the bundle's own.
    Raises StoreError, OSError; what `on_loss` raises stops the training.
    """
    catalog = with_additions(bundle.catalog, bundle.added)
    check_order(catalog, order.reference, order.target, order.held_out, order.surrogates)
    folder, protecting = _added(bundle), bundle.models.process
    recipe = recipe.with_objective(order.objective).with_mode(order.mode)
    if recipe.return_timestep not in (None, protecting.return_timestep):
        raise RecipeInvalid(
            f"this recipe walks to timestep {recipe.return_timestep}, the bundle {catalog.name!r} protects from"
            f" {protecting.return_timestep}"
        )
    models = replace(bundle.models, process=recipe.walk(protecting))
    pictures = reference_pictures(bundle, order.reference)
    colours = read_colours(models, *(x.to(models.device) for x in (pictures.made_up, pictures.bare, pictures.regions)))
    surrogates = [models.recognisers[name] for name in order.surrogates]
    faces = (portraits or training_portraits(bundle))(photos).to(models.device)
    data = prepare(models, faces, surrogates, CachedLatents(folder / "training/latents"))
    checkpoints = folder / "training"
    known = None if order.mode == "full" else catalog.reference(order.reference).makeup
    before = 0 if known is not None else recipe.makeup.steps
    steps = before + recipe.attack.steps

    def makeup_loss(step: int, _steps: int, terms: dict[str, float]) -> None:
        on_loss(step, steps, terms)

    def attack_loss(step: int, _steps: int, terms: dict[str, float]) -> None:
        on_loss(before + step, steps, terms)

    if known is not None:
        start = read_weights(known)
    else:
        start = fine_tune(
            models, colours, data, recipe.makeup, seed, order.mode, bundle.rank, checkpoints=checkpoints,
            on_loss=makeup_loss,
        )  # fmt: skip
        if order.mode == "lora":
            start = _keep_makeup(bundle, order.reference, start)
    target = bundle.targets[order.target].aim.to(models.device)
    weights = fine_tune(
        models, colours, data, recipe.attack, seed, order.mode, bundle.rank, start=start,
        attack=Attack(surrogates, target), checkpoints=checkpoints, on_loss=attack_loss,
    )  # fmt: skip
    name = style_name(order.reference, order.target)
    row = {
        "reference": order.reference, "target": order.target, "held_out": order.held_out,
        "surrogates": list(order.surrogates), "mode": order.mode, "objective": order.objective, "seed": seed,
        "steps": steps,
    }  # fmt: skip
    _store(folder, name, weights, row)
    return bundle.find_style(order.reference, order.target)


def _keep_makeup(bundle: Bundle, reference: str, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Store a look's make-up alone; returns it as stored, so that a resumed run starts from the same."""
    folder = _added(bundle)
    _store(folder, reference, weights, {"reference": reference, "mode": "lora"})
    return read_weights(folder / f"styles/{reference}.safetensors")


def _store(folder: Path, name: str, weights: dict[str, Tensor], row: dict[str, object]) -> None:
    path = folder / f"styles/{name}.safetensors"
    sha256 = save_weights(weights, path)
    with finished(path.with_suffix(".toml")) as partial:
        partial.write_text(tomli_w.dumps(row | {"sha256": sha256}), encoding="utf-8")
