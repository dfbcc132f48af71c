"""`diffam models fine-tune-removal`: a bundle learns to take make-up off."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.bundles.choosing import choose
from cli.errors import CliError
from cli.losses import shown_losses
from jobs.settings import Settings
from model_store.catalog import BUNDLES

console = Console()


def fine_tune_removal(
    name: Annotated[str, typer.Argument(help="The bundle; one that was pulled, imported or copied.")],
    recipe: Annotated[str, typer.Option(help="A recipe with [removal]: a TOML file, or `paper`.")] = "paper",
    dataset: Annotated[
        str | None, typer.Option(help="mt, ladn, celebahq, rendered: whose make-up to take off; else the recipe's.")
    ] = None,
    dataset_dir: Annotated[Path | None, typer.Option(help="Where it lies; else DIFFAM_DATASET_DIR.")] = None,
    photos: Annotated[int | None, typer.Option(min=1, help="Portraits to train on; else the recipe's.")] = None,
    seed: int = 0,
) -> None:
    """Fine-tune a bundle's make-up removal. Stopped, even by force? Run it again: it goes on where it was."""
    settings = Settings(bundle=name)
    choice = choose(settings)
    folder = choice.folder
    if folder.parent == BUNDLES:
        copy = settings.shelf / name
        raise CliError(f"{name!r} ships with the project and stays as it is; copy {folder} to {copy} and go on there")
    from model_store.training.recipe import read_recipe  # here, so that nobody waits for torch to be refused

    table = read_recipe(recipe).removal
    if table is None:
        raise CliError(f"the recipe {recipe!r} has no [removal]")
    from model_store.opening import open_chosen
    from model_store.training.new_removal import renew_removal
    from model_store.training.portraits import Training

    training = Training(
        photos or table.portraits,
        dataset or table.dataset or settings.dataset,
        dataset_dir or settings.dataset_dir,
        seed,
    )
    with console.status("loading the models"):
        bundle = open_chosen(choice, settings.device, settings.added_to(name), judges=())
    with shown_losses(console) as show:
        file = renew_removal(bundle, table, training, show)
    console.print(f"Bundle {name!r} removes make-up with {file}.", soft_wrap=True, markup=False)
    console.print("A service that runs has to be started again.")
