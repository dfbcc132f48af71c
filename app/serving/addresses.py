"""Whom an address stands for when requests are counted."""

import hashlib
import secrets
from ipaddress import IPv6Address, ip_address, ip_network

from starlette.types import Scope

SALT = secrets.token_bytes(32)


def digest_of(scope: Scope) -> str:
    """The address that a request comes from, as nobody can read it once this process has ended.

    An IPv6 address counts as its /64, of which one host may use every address.
    """
    address = str((scope.get("client") or ("",))[0])
    try:
        parsed = ip_address(address.partition("%")[0])
        if isinstance(parsed, IPv6Address):
            parsed = parsed.ipv4_mapped or ip_network((parsed, 64), strict=False).network_address
        address = str(parsed)
    except ValueError:  # a socket without addresses
        pass
    return hashlib.blake2b(address.encode(), key=SALT, digest_size=16).hexdigest()
