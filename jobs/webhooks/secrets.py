"""The secrets that sign webhooks, one for each key of the API, in a file of the operator's like the keys'.

Unlike a key's, a secret lies there as it is: who signs must have it. While one is replaced by another, both sign.
"""

import base64
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from jobs.access.private_file import alone, write_whole
from jobs.errors import WebhookSecretsDamaged

PREFIX = "whsec_"
SECRET_BYTES = 32


class Secret(BaseModel):
    """One of an owner's secrets. `until`: it signs no longer than that, for another has taken its place."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: str = Field(pattern=r"^whsec_[A-Za-z0-9+/]{32,}={0,2}$", repr=False)
    created_at: datetime
    until: datetime | None = None

    @property
    def signs(self) -> bool:
        """Whether it still does."""
        return self.until is None or self.until > datetime.now(UTC)


Owned = Annotated[tuple[Secret, ...], Field(min_length=1, description="The newest first")]
SECRETS = TypeAdapter(dict[str, Owned])


def read_secrets(file: Path) -> Mapping[str, tuple[Secret, ...]]:
    """Those that sign, the newest first, by the id of the key whose jobs they tell of, "" where nobody needs one.

    None where there is no file. Raises WebhookSecretsDamaged, OSError.
    """
    try:
        owned = SECRETS.validate_json(file.read_bytes())
    except FileNotFoundError:
        return {}
    except ValidationError as error:
        raise WebhookSecretsDamaged(f"{file} does not hold secrets: {error.errors()[0]['msg']}") from error
    signing = {owner: tuple(secret for secret in every if secret.signs) for owner, every in owned.items()}
    return {owner: every for owner, every in signing.items() if every}


def secret_of(file: Path, owner: str) -> str:
    """The owner's newest secret; a new one where there is none. Raises WebhookSecretsDamaged, OSError."""
    with alone(file):
        owned = read_secrets(file)
        if owner not in owned:
            owned = {**owned, owner: (_drawn(),)}
            write_whole(file, SECRETS.dump_json(dict(owned), indent=2))
    return owned[owner][0].value


def rotate_secret(file: Path, owner: str, overlap: timedelta) -> str:
    """A new secret for the owner; those before it sign, too, for `overlap`. Raises WebhookSecretsDamaged, OSError."""
    until, new = datetime.now(UTC) + overlap, _drawn()
    with alone(file):
        owned = read_secrets(file)
        before = [
            secret.model_copy(update={"until": min(secret.until or until, until)}) for secret in owned.get(owner, ())
        ]
        write_whole(file, SECRETS.dump_json({**owned, owner: (new, *before)}, indent=2))
    return new.value


def remove_secrets(file: Path, owner: str) -> bool:
    """From now on nothing is sent for the owner. Whether there was a secret. Raises WebhookSecretsDamaged, OSError."""
    if not file.exists():
        return False
    with alone(file):
        owned = read_secrets(file)
        write_whole(file, SECRETS.dump_json({each: owned[each] for each in owned if each != owner}, indent=2))
    return owner in owned


def _drawn() -> Secret:
    random = base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
    return Secret(value=PREFIX + random, created_at=datetime.now(UTC))
