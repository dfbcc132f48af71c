"""What `diffam references train` is to do: options go before the recipe, the recipe before the settings."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.errors import CliError
from jobs.settings import Settings
from model_store.additions import StyleOrder, check_order
from model_store.catalog import Catalog

if TYPE_CHECKING:
    from diffam_core.transfer import TransferRecipe


@dataclass(frozen=True)
class Plan:
    """A training with every question answered. `dataset` None: the bundle's own portraits."""

    order: StyleOrder
    recipe: "TransferRecipe"
    portraits: int
    dataset: str | None
    folder: Path | None


def settle(settings: Settings, catalog: Catalog, recipe_name: str | None, given: dict[str, Any]) -> Plan:
    """The plan of a recipe and of the options `given`, which are None or empty where nobody said anything.

    Raises CliError when nobody says what to train, RecipeInvalid, and what `check_order` raises.
    """
    said: dict[str, Any] = {
        "mode": "lora", "objective": "both", "surrogates": (), "portraits": settings.finetune_photos,
        "dataset": settings.dataset, "dataset_dir": settings.dataset_dir,
    }  # fmt: skip
    table = None
    if recipe_name is not None:
        from model_store.training.recipe import read_recipe

        table = read_recipe(recipe_name).transfer
        if table is None:
            raise CliError(f"the recipe {recipe_name!r} has no [transfer]")
        said |= {key: value for key, value in table.model_dump().items() if value is not None}
        if given["held_out"]:
            said["surrogates"] = ()  # the recipe's go with the recipe's hold-out
    said |= {key: value for key, value in given.items() if value}
    options = {"reference": "a look", "target": "--target", "held_out": "--held-out"}
    if missing := [option for key, option in options.items() if key not in said]:
        raise CliError(f"not said: {', '.join(missing)}; give it, or a recipe that does")
    order = check_order(
        catalog, said["reference"], said["target"], said["held_out"], tuple(said["surrogates"]), said["mode"],
        said["objective"],
    )  # fmt: skip
    from diffam_core.transfer import TransferRecipe

    if table is not None:
        recipe = table.recipe(said["portraits"])
    else:
        recipe = TransferRecipe().with_steps(settings.finetune_makeup_steps, settings.finetune_steps)
    steps = given["makeup_steps"] or recipe.makeup.steps, given["steps"] or recipe.attack.steps
    return Plan(order, recipe.with_steps(*steps), said["portraits"], said["dataset"], said["dataset_dir"])
