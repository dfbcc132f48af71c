"""`diffam watch DIR`: photos are protected as they arrive. What it takes to do so loads when it runs."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.errors import CliError, plain_errors


def watch(
    folder: Annotated[Path, typer.Argument(help="Where photos arrive.")],
    reference: Annotated[str, typer.Option(help="Make-up look.")],
    out: Annotated[Path, typer.Option(help="A folder for the protected ones.")],
    ask: Annotated[
        list[str] | None,
        typer.Option(
            help="What else is asked of each photo, as effort=quick or output_format=jpeg; may be given again."
        ),
    ] = None,
    server: Annotated[str | None, typer.Option(help="Have the service at this URL make the photos.")] = None,
    settle_s: Annotated[
        float,
        typer.Option("--settle", min=0.1, help="Seconds for which a file must not grow before it counts as whole."),
    ] = 5,
) -> None:
    """Protect every photo that arrives in a folder, until Ctrl-C; run again, it goes on where it was."""
    with plain_errors(interrupted=0):
        from cli.album.protect import AlbumOrder
        from cli.album.watch import watch_folder
        from cli.wishes import read_wish
        from jobs.settings import Settings

        wish = read_wish({"reference_id": reference} | dict(_asked(each) for each in ask or ()))
        watch_folder(Console(highlight=False), Settings(), AlbumOrder(folder, wish, out, server), settle_s)


def _asked(text: str) -> tuple[str, str]:
    """Raises CliError."""
    name, is_there, value = text.partition("=")
    if not is_there:
        raise CliError(f"--ask takes field=value, not {text!r}")
    return name.strip().replace("-", "_"), value.strip()
