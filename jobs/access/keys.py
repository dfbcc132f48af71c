"""Keys of the API: who may ask, and for what. They lie in a file of the operator's, as digests alone.

A file, so that a Redis that lost everything leaves no door open, and a first key needs no running service.
"""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from diffam_client.contract.limits import Quota
from jobs.access.private_file import alone, write_whole
from jobs.errors import KeysDamaged, UnknownKey

PREFIX = "diffam_"  # by which scanners of secrets know one
SECRET_BYTES = 32

Scope = Literal["submit", "public", "references", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)


class Key(BaseModel):
    """One of those who may ask. Whoever holds `admin` may do what the other scopes allow, too."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[0-9a-f]{16}$", description="Tells whose a job is; no secret")
    name: str = Field(max_length=80, description="What its operator calls it")
    digest: str = Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the key")
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1, description="What it may do")]
    created_at: datetime = Field(description="When it was made")
    quota: Quota = Quota()

    def may(self, scope: Scope | None) -> bool:
        """Whether it may do what needs that scope; None: whatever any key may. `public` sends photos, too."""
        granted = {*self.scopes, "submit"} if self.is_public else set(self.scopes)
        return scope is None or scope in granted or "admin" in granted

    @property
    def is_public(self) -> bool:
        """Whether it stands in a page that everybody reads, so that whoever has it need not be who made a job."""
        return "public" in self.scopes


@dataclass(frozen=True)
class Guest:
    """Somebody for whom another service vouches, so that no key of ours is asked of them. id: tells whose a job is."""

    id: str
    quota: Quota


KEYS = TypeAdapter(tuple[Key, ...])


def create_key(file: Path, name: str, scopes: Iterable[Scope], quota: Quota | None = None) -> tuple[Key, str]:
    """Add a key to the file: 32 random bytes, which nobody can read again. Returns it with its secret.

    Raises KeysDamaged, OSError.
    """
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    key = Key(
        id=secrets.token_hex(8),
        name=name,
        digest=_digest(secret),
        scopes=tuple(scopes),
        created_at=datetime.now(UTC),
        quota=quota or Quota(),
    )
    with alone(file):
        write_whole(file, KEYS.dump_json((*read_keys(file), key), indent=2))
    return key, secret


def revoke_key(file: Path, key_id: str) -> Key:
    """Take a key out of the file; from its next request on it is refused. Raises UnknownKey, KeysDamaged, OSError."""
    with alone(file):
        keys = read_keys(file)
        found = [key for key in keys if key.id == key_id]
        if not found:
            raise UnknownKey(f"no key has the id {key_id!r}; `diffam keys list` shows them")
        write_whole(file, KEYS.dump_json(tuple(key for key in keys if key.id != key_id), indent=2))
    return found[0]


def read_keys(file: Path) -> tuple[Key, ...]:
    """All keys; none where there is no file. Raises KeysDamaged, OSError."""
    try:
        return KEYS.validate_json(file.read_bytes())
    except FileNotFoundError:
        return ()
    except ValidationError as error:
        raise KeysDamaged(f"{file} does not hold keys: {error.errors()[0]['msg']}") from error


class Keyring:
    """The keys as a web process knows them. It looks at the file's date with every request, and reads what is new."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen: tuple[int, ...] | None = None
        self._by_digest: dict[str, Key] = {}
        self._look()

    @property
    def is_asked_for(self) -> bool:
        """Whether nobody may ask without a key: a file of keys is there, or was since this process began."""
        self._look()
        return self._seen is not None

    @property
    def keys(self) -> tuple[Key, ...]:
        """All that are good now. Raises KeysDamaged."""
        self._look()
        return tuple(self._by_digest.values())

    def find(self, secret: str) -> Key | None:
        """The key of that secret, unless it was revoked. Raises KeysDamaged."""
        self._look()
        return self._by_digest.get(_digest(secret))

    def holds(self, key: Key) -> bool:
        """Whether the key is still good. Raises KeysDamaged."""
        self._look()
        return key.digest in self._by_digest

    def _look(self) -> None:
        try:
            found = self._file.stat()
        except FileNotFoundError:  # taken away from under a running service: it stays closed
            self._by_digest = {}
            return
        seen = (found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size)
        if seen != self._seen:
            self._by_digest = {}
            self._by_digest = {key.digest: key for key in read_keys(self._file)}
            self._seen = seen


def _digest(secret: str) -> str:
    """A plain hash is enough: of 256 random bits nobody can try them all."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
