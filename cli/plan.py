"""What `diffam references fine-tune` is to do: options go before the recipe, the recipe before the settings."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cli.errors import CliError
from jobs.settings import Settings
from model_store.additions import Objective, StyleOrder, check_order
from model_store.catalog import Catalog, Mode

if TYPE_CHECKING:
    from diffam_core.transfer import TransferRecipe
    from model_store.training.portraits import Training
    from model_store.training.recipe import TransferTable


@dataclass(frozen=True)
class Asked:
    """What the command line says; None or empty where nobody said anything."""

    recipe: str | None = None
    reference: str | None = None
    target: str | None = None
    held_out: str | None = None
    surrogates: tuple[str, ...] = ()
    mode: Mode | None = None
    objective: Objective | None = None
    makeup_steps: int | None = None
    steps: int | None = None
    photos: int | None = None
    dataset: str | None = None
    dataset_dir: Path | None = None
    seed: int = 0


@dataclass(frozen=True)
class Plan:
    """A training with every question answered."""

    order: StyleOrder
    recipe: "TransferRecipe"
    training: "Training"


def settle(settings: Settings, catalog: Catalog, asked: Asked) -> Plan:
    """The plan of what the command line asks for.

    Raises CliError when nobody says what to train, RecipeInvalid, and what `check_order` raises.
    """
    table = None if asked.recipe is None else _table(asked.recipe)
    order = check_order(catalog, _order(asked, table))
    from diffam_core.transfer import TransferRecipe
    from model_store.training.portraits import Training

    photos = asked.photos or (table.portraits if table else settings.finetune_photos)
    dataset = asked.dataset or (table and table.dataset) or settings.dataset
    if table is not None:
        recipe = table.recipe(photos)
    else:
        recipe = TransferRecipe().with_steps(settings.finetune_makeup_steps, settings.finetune_steps)
    recipe = recipe.with_steps(asked.makeup_steps or recipe.makeup.steps, asked.steps or recipe.attack.steps)
    return Plan(order, recipe, Training(photos, dataset, asked.dataset_dir or settings.dataset_dir, asked.seed))


def _table(recipe: str) -> "TransferTable":
    from model_store.training.recipe import read_recipe

    table = read_recipe(recipe).transfer
    if table is None:
        raise CliError(f"the recipe {recipe!r} has no [transfer]")
    return table


def _order(asked: Asked, table: "TransferTable | None") -> StyleOrder:
    reference = asked.reference or (table and table.reference)
    target = asked.target or (table and table.target)
    held_out = asked.held_out or (table and table.held_out)
    if not (reference and target and held_out):
        said = {"a look": reference, "--target": target, "--held-out": held_out}
        missing = ", ".join(option for option, value in said.items() if not value)
        raise CliError(f"not said: {missing}; give it, or a recipe that does")
    surrogates = asked.surrogates
    if table is not None and not (surrogates or asked.held_out):  # the recipe's go with the recipe's hold-out
        surrogates = tuple(table.surrogates)
    mode = asked.mode or (table.mode if table else "lora")
    return StyleOrder(
        reference, target, held_out, surrogates, mode, asked.objective or (table.objective if table else "both")
    )
