"""`diffam references`: those on offer, new ones from a picture, and the fine-tuning of their styles."""

from collections.abc import Callable, Collection
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.bundles.choosing import choose
from cli.errors import AlreadyRunning
from cli.losses import shown_losses
from cli.plan import Asked, settle
from cli.stack.stack import exclusive
from jobs.connect import connect
from jobs.ledger import Ledger
from jobs.settings import Settings
from model_store.additions import Objective, check_name, remove_reference, sweep_leaving, with_additions
from model_store.catalog import Catalog, Mode
from model_store.errors import StyleNotTrained

if TYPE_CHECKING:
    from model_store.bundle import Bundle

references_app = typer.Typer(help="Make-up looks: list, add, fine-tune, remove.", no_args_is_help=True)
console = Console()
SHEET_FACES, SHEET_SEED = 4, 900


def _catalog(settings: Settings) -> Catalog:
    choice = choose(settings)
    return with_additions(choice.catalog, settings.added_to(choice.folder.name)).offer()


def _open(settings: Settings) -> "Bundle":
    from model_store.opening import open_chosen

    choice = choose(settings)
    with console.status("loading the models"):
        return open_chosen(choice, settings.device, settings.added_to(choice.folder.name), judges=())


@references_app.command("list")
def list_references() -> None:
    """Show the looks and the targets each has a style for."""
    catalog = _catalog(Settings())
    table = Table("reference", "title", "styles for", "targets without")
    for card in catalog.references:
        trained = [style.target for style in catalog.styles if style.reference == card.id and style.target]
        missing = [target.id for target in catalog.targets if target.id not in trained]
        table.add_row(card.id, card.title, ", ".join(trained) or "-", ", ".join(missing) or "-")
    console.print(table)


@references_app.command()
def add(
    picture: Annotated[Path, typer.Argument(help="A picture of one face wearing the look.")],
    name: Annotated[str, typer.Option(help="Its id: lower-case letters, digits, underscores.")],
    bare: Annotated[
        Path | None, typer.Option(help="The same picture without make-up; removed by the model if not given.")
    ] = None,
    title: Annotated[str, typer.Option(help="What people read.")] = "",
    description: Annotated[str, typer.Option(help="One sentence.")] = "",
) -> None:
    """Make a look of a picture with make-up."""
    settings = Settings()
    check_name(_catalog(settings), name)
    data, twin = picture.read_bytes(), bare.read_bytes() if bare else None
    from model_store.training.new_reference import add_reference

    card = add_reference(_open(settings), name, data, twin, title, description)
    console.print(f"Added {card.id!r}: {card.image.parent} (look.png, and its bare twin bare.png: have a look at it).")
    console.print(f"Fine-tune a style: diffam references fine-tune {card.id} --target ... --held-out ...")


@references_app.command()
def remove(name: Annotated[str, typer.Argument(help="A look that was added.")]) -> None:
    """Remove a look that was added, its styles with it; jobs of a running service that wear it finish first."""
    settings = Settings()
    choice = choose(settings)
    added = settings.added_to(choice.folder.name)
    remove_reference(choice.catalog, added, name)
    try:
        with ExitStack() as held:
            if settings.redis_url is None:
                held.enter_context(exclusive(settings.data_dir))  # while a stack runs there, its worker sweeps
                in_use: Callable[[], Collection[str]] = frozenset
            else:
                in_use = Ledger(held.enter_context(connect(settings)), settings).references_in_use
            _, worn = sweep_leaving(added, in_use)
    except AlreadyRunning:
        worn = [name]
    console.print(f"{name!r} goes once the jobs that wear it have ended." if name in worn else f"Removed {name!r}.")


@references_app.command("fine-tune")
@references_app.command("train", hidden=True)
def fine_tune(
    name: Annotated[str | None, typer.Argument(help="The look; the recipe's if not given.")] = None,
    target: Annotated[str | None, typer.Option(help="The identity to resemble.")] = None,
    held_out: Annotated[str | None, typer.Option(help="The recogniser that is never attacked, and judges.")] = None,
    surrogate: Annotated[list[str] | None, typer.Option(help="Attack only this one; may be given again.")] = None,
    mode: Annotated[Mode | None, typer.Option(help="LoRA (the default) or all weights.")] = None,
    objective: Annotated[
        Objective | None, typer.Option(help="Towards the target, away from the owner, or both (the default).")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Steps of the second stage; else DIFFAM_FINETUNE_STEPS.")
    ] = None,
    makeup_steps: Annotated[
        int | None, typer.Option(min=1, help="Steps of the first stage; else DIFFAM_FINETUNE_MAKEUP_STEPS.")
    ] = None,
    photos: Annotated[
        int | None, typer.Option(min=4, help="Portraits to train on; else DIFFAM_FINETUNE_PHOTOS.")
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(help="A recipe: a TOML file, or `paper`. Other options go before what it says.")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="rendered, celebahq, mt, ladn: whose faces to train on; else DIFFAM_DATASET.")
    ] = None,
    dataset_dir: Annotated[Path | None, typer.Option(help="Where it lies; else DIFFAM_DATASET_DIR.")] = None,
    seed: int = 0,
    out: Annotated[Path, typer.Option(help="Where the contact sheet goes.")] = Path("out/styles"),
) -> None:
    """Fine-tune a look's style for a target. Stopped, even by force? Run it again: it goes on where it was."""
    settings = Settings()
    asked = Asked(
        recipe, name, target, held_out, tuple(surrogate or ()), mode, objective, makeup_steps, steps, photos, dataset,
        dataset_dir, seed,
    )  # fmt: skip
    plan = settle(settings, _catalog(settings), asked)
    from model_store.training.new_style import fine_tune_style

    bundle = _open(settings)
    with shown_losses(console) as show:
        style = fine_tune_style(bundle, plan.order, plan.recipe, plan.training, show)
    sheet = _sheet(bundle, style.reference, style.identity, out)
    console.print(f"Fine-tuned {style.reference!r} for {style.target!r}: {style.file}; contact sheet: {sheet}")


def _sheet(bundle: "Bundle", reference: str, target: str, out: Path) -> Path:
    """Unseen people: the photo, the make-up alone if it was fine-tuned, the style."""
    from evaluation.datasets import DATASETS
    from evaluation.method import protect_with
    from evaluation.report import draw_sheet
    from evaluation.subjects import gather_subjects
    from model_store.bundle import style_name

    subjects = gather_subjects(bundle.models, DATASETS["rendered"], SHEET_FACES, SHEET_SEED, lambda *_: None)
    columns = {"original": subjects.photos}
    with suppress(StyleNotTrained):  # all weights are trained without a make-up stage of their own
        columns["make-up alone"] = protect_with(bundle, subjects, bundle.find_makeup(reference))
    columns[target] = protect_with(bundle, subjects, style_name(reference, target))
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{style_name(reference, target)}.jpg"
    draw_sheet(subjects, columns).save(path, quality=90)
    return path
