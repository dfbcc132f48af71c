"""`diffam mcp`: an assistant that speaks the Model Context Protocol may protect photos of one folder."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from cli.errors import CliError, plain_errors


def mcp(
    folder: Annotated[Path, typer.Option(help="Where it may read photos and write protected ones.")] = Path(),
    server: Annotated[
        str | None, typer.Option(help="The service; else DIFFAM_SERVER, else one on this machine.")
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Show it the picture before and after, too.")] = False,
) -> None:
    """Let an assistant protect photos: a server of the Model Context Protocol on stdin and stdout."""
    with plain_errors(interrupted=0):
        if find_spec("fastmcp") is None:
            raise CliError("`diffam mcp` needs a package that is not installed: pip install 'diffam[mcp]'")
        from cli.mcp.server import Desk, assistant_server

        root = folder.resolve()
        if not root.is_dir():
            raise CliError(f"--folder: there is no folder {folder}")
        if root == root.parent:  # where some assistants start what they start
            raise CliError("--folder: name the folder that the photos lie in, not the whole disk")
        assistant_server(Desk(root, server, show)).run("stdio", show_banner=False, log_level="WARNING")
