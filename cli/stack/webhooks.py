"""`diffam webhooks`: the secrets that sign what a service tells its users' servers."""

from datetime import timedelta
from typing import Annotated

import typer
from rich.console import Console

from cli.errors import CliError
from jobs.access.keys import read_keys
from jobs.errors import UnknownKey
from jobs.settings import Settings
from jobs.webhooks.secrets import remove_secrets, rotate_secret, secret_of

webhooks_app = typer.Typer(help="Secrets that sign webhooks: show, rotate, remove.", no_args_is_help=True)
OVERLAP_HOURS = 24

KeyId = Annotated[str | None, typer.Option("--key", metavar="ID", help="Whose: as `diffam keys list` shows it.")]


@webhooks_app.command("secret")
def show(key: KeyId = None) -> None:
    """Show the secret, made now if there is none: from then on jobs of that key may name a webhook."""
    settings = Settings()
    owner = _owner(settings, key)
    typer.echo(secret_of(settings.webhooks, owner))
    _tell("It signs what is told of these jobs: give it to whoever receives that, and to nobody else.")


@webhooks_app.command("rotate")
def rotate(
    key: KeyId = None,
    overlap: Annotated[int, typer.Option(min=0, help="Hours for which the old secret signs, too.")] = OVERLAP_HOURS,
) -> None:
    """Make a new secret and show it; for a while messages are signed with the old one as well."""
    settings = Settings()
    owner = _owner(settings, key)
    typer.echo(rotate_secret(settings.webhooks, owner, timedelta(hours=overlap)))
    _tell(f"The secret before it signs for {overlap} more hours: have receivers believe this one by then.")


@webhooks_app.command("off")
def off(key: KeyId = None) -> None:
    """Remove the secret: nothing is sent any more, and no new job may name a webhook."""
    settings = Settings()
    was_there = remove_secrets(settings.webhooks, _owner(settings, key))
    _tell("Removed." if was_there else "There was none.")


def _owner(settings: Settings, key_id: str | None) -> str:
    """Whose secret it is. Raises UnknownKey, CliError, KeysDamaged."""
    known = {key.id for key in read_keys(settings.keys)}
    if key_id is None and known:
        raise CliError("there are keys, and each has a secret of its own: say whose with --key ID")
    if key_id is not None and key_id not in known:
        raise UnknownKey(f"no key has the id {key_id!r}; `diffam keys list` shows them")
    return key_id or ""


def _tell(sentence: str) -> None:
    Console(stderr=True, highlight=False).print(sentence, soft_wrap=True, markup=False)
