"""Where webhooks may go: public addresses alone, however they are written, and whoever answers for a name."""

import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from anyio import CapacityLimiter, to_thread

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

NOT_PUBLIC = tuple(
    ip_network(network)
    for network in (
        "192.0.0.0/24",  # of protocols; one cloud's metadata is there
        "192.88.99.0/24",  # relays of 6to4
        "168.63.129.16/32",  # a cloud's own service on every machine of it
    )
)
"""What `ipaddress` takes for global, or takes for it in some releases of Python."""
GLOBAL_IPV6 = IPv6Network("2000::/3")
TRANSLATED = IPv6Network("64:ff9b::/96")  # NAT64: the last four bytes are whom it reaches
DOCUMENTATION = IPv6Network("3fff::/20")


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, or of an address in any spelling. Raises OSError."""
    ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    # A thread for each, and nobody waits for one that hangs: names that are never answered keep no others waiting.
    found = await to_thread.run_sync(ask, abandon_on_cancel=True, limiter=CapacityLimiter(1))
    return list(dict.fromkeys(str(place[0]) for *_, place in found))


def may_be_told(address: str, *, loopback: bool) -> bool:
    """Whether messages may go to an address. loopback: this machine's own are allowed, too."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return is_public(parsed) or (loopback and parsed.is_loopback)


def is_public(address: Address) -> bool:
    """Whether it is somebody's on the public internet: no special use, and no other kind of address inside it."""
    if isinstance(address, IPv6Address):
        inside = list(_inside(address))
        if inside:
            return all(is_public(each) for each in inside)
        if address not in GLOBAL_IPV6 or address in DOCUMENTATION:
            return False
    is_special = address.is_multicast or address.is_reserved or any(address in network for network in NOT_PUBLIC)
    return address.is_global and not is_special


def _inside(address: IPv6Address) -> Iterator[IPv4Address]:
    """The IPv4 addresses that it leads to."""
    if address.ipv4_mapped:
        yield address.ipv4_mapped
    if address.sixtofour:
        yield address.sixtofour
    yield from address.teredo or ()
    if address in TRANSLATED:
        yield IPv4Address(address.packed[-4:])
