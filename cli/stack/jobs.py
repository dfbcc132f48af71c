"""`diffam jobs`: what an operator sees of a service's jobs, and how one is stopped, whosever it is."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from redis.exceptions import RedisError
from rich.console import Console
from rich.table import Column, Table

from cli.errors import CliError
from cli.stack.stack import store_of
from diffam_client.contract.job import Job, Status
from jobs.connect import connect
from jobs.ledger import Ledger
from jobs.reading.listing import Wanted
from jobs.settings import Settings

jobs_app = typer.Typer(help="Jobs of a service: those that wait or run, and cancel one.", no_args_is_help=True)
console = Console(highlight=False)
LIVE: tuple[Status, ...] = ("running", "queued")
PAGE = 100


@jobs_app.command("list")
def list_jobs() -> None:
    """Show the jobs that run or wait, and whose they are; not what was asked for."""
    table = Table(*(Column(name, no_wrap=True) for name in ("id", "kind", "status", "of key", "since")), box=None)
    with _ledger() as ledger:
        for job in _live(ledger):
            since = f"{job.created_at.astimezone():%H:%M}"
            table.add_row(job.id, job.kind, job.status, ledger.owner(job.id) or "-", since)
    console.print(table)


@jobs_app.command("cancel")
def cancel(
    job_id: Annotated[str, typer.Argument(metavar="ID", help="As `diffam jobs list` shows it.")],
) -> None:
    """Stop a job: at once if it waits, at its next step if it runs. Its owner is told that the operator did it."""
    with _ledger() as ledger:
        if not ledger.cancel(job_id, by="operator"):
            raise CliError(f"job {job_id} is over already: {ledger.get(job_id).status}")
    console.print(f"Canceled {job_id}.", markup=False)


def _live(ledger: Ledger) -> Iterator[Job]:
    for status in LIVE:
        before, is_more = None, True
        while is_more:
            jobs, before = ledger.page(Wanted(status=status), before, PAGE)
            yield from jobs
            is_more = before is not None


@contextmanager
def _ledger() -> Iterator[Ledger]:
    """Raises CliError where there is none."""
    settings = store_of(Settings())
    try:
        with connect(settings) as redis:
            yield Ledger(redis, settings)
    except RedisError as error:
        raise CliError(f"the store of jobs cannot be reached: {error}") from error
