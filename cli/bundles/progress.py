"""Progress bars of what makes or measures a bundle: one for each stage."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

console = Console()


def progress_bars() -> Progress:
    """Bars with a note behind each."""
    return Progress(
        TextColumn("{task.description:<12}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TimeRemainingColumn(), TextColumn("{task.fields[note]}"), console=console,
    )  # fmt: skip


@contextmanager
def stages_shown() -> Iterator[Callable[[str, int, int, float], None]]:
    """What a maker calls with `(stage, step, steps, loss)`: a bar grows for each stage, the loss behind it."""
    with progress_bars() as progress:
        bars: dict[str, TaskID] = {}

        def show(stage: str, step: int, steps: int, loss: float) -> None:
            if stage not in bars:
                bars[stage] = progress.add_task(stage, total=steps, note="")
            progress.update(bars[stage], completed=step, note=f"{loss:.3f}")

        yield show
