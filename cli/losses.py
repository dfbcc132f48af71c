"""What a terminal shows of a training: a bar of steps, and every loss term."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

if TYPE_CHECKING:
    from diffam_core.tuning import OnLoss


@contextmanager
def shown_losses(console: Console) -> Iterator["OnLoss"]:
    """Shows the steps of a training while the block lasts."""
    progress = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    )
    bar = progress.add_task("inverting portraits", total=None)
    with Live(progress, console=console, refresh_per_second=4) as live:

        def show(step: int, total: int, terms: dict[str, float]) -> None:
            progress.update(bar, description="fine-tuning", completed=step, total=total)
            table = Table("loss term", "value")
            for term, value in terms.items():
                table.add_row(term.replace("_", " "), f"{value:.4f}")
            live.update(Group(table, progress))

        yield show
