"""Who may knock: the hosts that we answer for, the pages that may change something, the addresses we listen on.

Without it any web page could have its visitor's browser talk to the service on that visitor's machine: by a name that
it lets point there (DNS rebinding), or by a form (CSRF). What such a page cannot do is choose Host and Origin.
"""

import ipaddress
import re
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from app.problem import Problem
from jobs.access.keys import read_keys
from jobs.settings import Settings

AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(\d{1,5}))?", re.IGNORECASE)
READS = ("GET", "HEAD", "OPTIONS")
PROBES = ("/livez", "/readyz", "/v2/health/live", "/v2/health/ready")
"""Orchestrators ask them by an address that nobody knows before; they tell no secret."""
PORTS = {"http": 80, "https": 443}


class DoorOpen(Exception):
    """The service would be open to a whole network, and nothing is said to guard it."""


class Door:
    """Checks a request by its head alone, before any of its body is read."""

    def __init__(self, settings: Settings) -> None:
        self._hosts = tuple(host.lower() for host in settings.allowed_hosts)
        self._origins = tuple(origin.lower().rstrip("/") for origin in settings.allowed_origins)

    def check(self, method: str, path: str, headers: Headers) -> None:
        """Raises Problem: the host is not ours, or a foreign page wants to change something."""
        host = headers.get("host")
        authority = AUTHORITY.fullmatch(host) if host is not None else None
        # No browser leaves Host out, so HTTP/1.0 may: some load balancers probe that way.
        if host is not None and path not in PROBES and not (authority and self._is_ours(authority[1])):
            raise Problem("host_not_allowed", f"{host[:100]!r} is not allowed here; DIFFAM_ALLOWED_HOSTS names who is")
        if method not in READS and not self._may_write(headers, authority):
            raise Problem(
                "origin_not_allowed", "a web page of another origin may change nothing; see DIFFAM_ALLOWED_ORIGINS"
            )

    def _is_ours(self, name: str) -> bool:
        name = name.lower().rstrip(".")
        if is_loopback(name) or "*" in self._hosts:
            return True
        return any(name == host or (host.startswith("*.") and name.endswith(host[1:])) for host in self._hosts)

    def _may_write(self, headers: Headers, host: re.Match[str] | None) -> bool:
        """Programs send neither header; a page's browser always sends one of them."""
        origin = headers.get("origin", "").lower()
        if origin in self._origins:
            return True
        if headers.get("sec-fetch-site", "").lower() == "cross-site":
            return False
        return not origin or (host is not None and _is_same(origin, host))


def is_loopback(name: str) -> bool:
    """Whether `name`, as in a URL, can only mean this machine."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def check_address(settings: Settings) -> None:
    """Raises DoorOpen where `host` is not this machine's alone and nothing guards it; KeysDamaged."""
    if settings.behind_proxy or is_loopback(settings.host.lower()) or read_keys(settings.keys):
        return
    raise DoorOpen(
        f"DIFFAM_HOST={settings.host} would open the service to everybody who reaches this machine, and it asks "
        "for no keys. Keep 127.0.0.1; or make a key: `diffam keys create NAME`; or, where a proxy or firewall guards "
        "it, say so: DIFFAM_BEHIND_PROXY=true"
    )


def _is_same(origin: str, host: re.Match[str]) -> bool:
    """Whether a page of `origin` was served under that Host; the scheme, which a proxy may change, does not count."""
    try:
        page = urlsplit(origin)
        port = page.port or PORTS[page.scheme]
    except (ValueError, KeyError):  # `null`, or none that a browser writes
        return False
    name = host[1].lower().strip("[]")
    return page.hostname == name and port == int(host[2] or PORTS[page.scheme])
