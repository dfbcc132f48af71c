"""The way out: a connection goes to an address that was looked at, never to a name that may point elsewhere by then."""

from ssl import SSLContext

import httpx

from app.webhooks.addresses import Resolve, may_be_told, resolve

MOST_TRIED = 4  # of the addresses that a name has


class NoPublicAddress(httpx.TransportError):
    """The name has no address, or one that messages must not go to."""


class PinnedTransport(httpx.AsyncBaseTransport):
    """Looks a name up once for each request and refuses it if any of its addresses is not public; nothing is sent then.

    The address takes the name's place in the URL alone: `Host`, the server name in the TLS handshake, and the name that
    the certificate must have stay what they were. No connection is kept, because that of one name could serve another
    name at the same address. Redirects are answers like others, proxies of the environment are not asked.
    """

    def __init__(self, *, loopback: bool = False, resolve: Resolve = resolve, verify: SSLContext | bool = True) -> None:
        """loopback: this machine's own addresses may be told, too.  verify: whose certificates are believed."""
        self._loopback = loopback
        self._resolve = resolve
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        self._inner = httpx.AsyncHTTPTransport(verify=verify, limits=limits)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises NoPublicAddress, and httpx.TransportError where nobody answers."""
        host = request.url.raw_host.decode("ascii")
        failure: httpx.TransportError = NoPublicAddress("the name has no address")
        for address in (await self._addresses(host, request.url.port or 0))[:MOST_TRIED]:
            pinned = httpx.Request(
                request.method,
                request.url.copy_with(host=address),
                headers=request.headers,
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": host},
            )
            try:
                return await self._inner.handle_async_request(pinned)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error
        raise failure

    async def aclose(self) -> None:
        """End whatever connections are left."""
        await self._inner.aclose()

    async def _addresses(self, host: str, port: int) -> list[str]:
        """Raises NoPublicAddress."""
        try:
            addresses = list(await self._resolve(host, port))
        except (OSError, UnicodeError) as error:
            raise NoPublicAddress("the name has no address") from error
        if not all(may_be_told(address, loopback=self._loopback) for address in addresses):
            raise NoPublicAddress("the name has an address that is not public")
        return addresses
