"""`diffam keys`: who may use a service, and for what."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from cli.errors import CliError
from diffam_client.contract.limits import Quota
from jobs.access.keys import SCOPES, Scope, create_key, read_keys, revoke_key
from jobs.settings import Settings
from jobs.webhooks.secrets import remove_secrets

keys_app = typer.Typer(help="Keys of the API: create, list, revoke.", no_args_is_help=True)
console = Console(highlight=False)
USUAL = Quota()


@keys_app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What to call it: who will have it.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help="submit photos; public: the same from a web page that everybody reads; add references; or admin: "
            "everything; may be given again. Default: submit."
        ),
    ] = None,
    per_minute: Annotated[
        int, typer.Option(min=1, help="Requests that it may make in a minute.")
    ] = USUAL.requests_per_minute,
    at_once: Annotated[int, typer.Option(min=1, help="Jobs of it that may wait or run.")] = USUAL.jobs_at_once,
    bytes_per_day: Annotated[int, typer.Option(min=1, help="Bytes that it may upload in a day.")] = USUAL.bytes_per_day,
) -> None:
    """Make a key and show it, this once. From the first one on nobody may ask a service without."""
    quota = Quota(requests_per_minute=per_minute, jobs_at_once=at_once, bytes_per_day=bytes_per_day)
    key, secret = create_key(Settings().keys, name, _scopes(scope or ["submit"]), quota)
    typer.echo(secret)
    told = f"Key {key.id} of {name!r} ({', '.join(key.scopes)}). It is shown only now: `Authorization: Bearer {{key}}`."
    Console(stderr=True, highlight=False).print(told, soft_wrap=True, markup=False)


@keys_app.command("list")
def list_keys() -> None:
    """Show the keys, without their secrets."""
    table = Table(Column("id", no_wrap=True), "name", "scopes", "may ask for", Column("since", no_wrap=True))
    for key in read_keys(Settings().keys):
        quota = key.quota
        most = (f"{quota.requests_per_minute} a minute", f"{quota.jobs_at_once} at once")
        may = (*most, f"{quota.bytes_per_day // 10**6} MB a day")
        table.add_row(
            key.id, key.name, *("\n".join(lines) for lines in (key.scopes, may)), f"{key.created_at:%Y-%m-%d}"
        )
    console.print(table)


@keys_app.command("revoke")
def revoke(key_id: Annotated[str, typer.Argument(metavar="ID", help="As `diffam keys list` shows it.")]) -> None:
    """Refuse a key from now on. Its jobs end and expire as they would have; nobody reads them, no webhook is told."""
    settings = Settings()
    key = revoke_key(settings.keys, key_id)
    remove_secrets(settings.webhooks, key.id)
    console.print(f"Revoked {key.id} of {key.name!r}.", markup=False)


def _scopes(names: list[str]) -> list[Scope]:
    """Raises CliError."""
    chosen = [scope for scope in SCOPES if scope in names]
    if unknown := sorted(set(names).difference(SCOPES)):
        raise CliError(f"no scope is called {', '.join(unknown)}; there are {', '.join(SCOPES)}")
    if "public" in chosen and len(chosen) > 1:
        raise CliError("a public key is everybody's, so it has no other scope")
    return chosen
