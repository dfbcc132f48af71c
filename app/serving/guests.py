"""Who asks at the facade of a Mastodon instance: people with that instance's tokens, which are no keys of ours.

Whether a token is good, only the instance can tell. Here it tells whose a request is, and how much may still be asked.
"""

import hashlib
import re
import secrets
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import Scope

from diffam_client.contract.limits import Quota
from jobs.access.keys import Guest
from jobs.settings import Settings

FACADE = re.compile(r"/(api|oauth|nodeinfo)/.*|/\.well-known/(nodeinfo|oauth-authorization-server)")
BEARER = re.compile(r"bearer +([\x21-\x7e]{1,512}) *", re.IGNORECASE)
PER_TOKEN = Quota(requests_per_minute=300, jobs_at_once=8, bytes_per_day=1024**3)
PER_ADDRESS = Quota(requests_per_minute=3000, jobs_at_once=8, bytes_per_day=10 * 1024**3)
"""Many people may share an address; without this, whoever makes tokens up would be asked for no end of them."""


class Guests:
    """Knows addresses by a digest that nobody can take back once this process has ended; nothing of them is stored."""

    def __init__(self, settings: Settings) -> None:
        self._is_open = settings.mastodon_url is not None
        self._salt = secrets.token_bytes(32)

    def are_asked_at(self, path: str) -> bool:
        """Whether the address belongs to the facade, and there is one."""
        return self._is_open and FACADE.fullmatch(path) is not None

    def of(self, scope: Scope, headers: Headers) -> Sequence[Guest]:
        """Whom a request counts for: its address, and after it its token, if it has one."""
        host = (scope.get("client") or ("",))[0]
        address = hashlib.blake2b(str(host).encode(), key=self._salt).hexdigest()
        token = token_of(headers)
        guests = [Guest(f"address-{address[:32]}", PER_ADDRESS)]
        return [*guests, Guest(f"guest-{_digest(token)}", PER_TOKEN)] if token else guests


def token_of(headers: Headers) -> str | None:
    """The one token that a request brings."""
    sent = headers.getlist("authorization")
    bearer = BEARER.fullmatch(sent[0]) if len(sent) == 1 else None
    return bearer[1] if bearer else None


def _digest(token: str) -> str:
    """A plain hash is enough, as with keys: tokens are random."""
    return hashlib.sha256(f"mastodon {token}".encode()).hexdigest()[:32]
