"""Messages go to public addresses alone: every way to name another is refused before anything connects."""

import ipaddress
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from ssl import PROTOCOL_TLS_CLIENT, PROTOCOL_TLS_SERVER, SSLContext

import httpx
import pytest

from app.webhooks.addresses import Resolve, is_public, may_be_told, resolve
from app.webhooks.pinned import NoPublicAddress, PinnedTransport
from tests.receiver import Received, Reply, receiving

FORBIDDEN = {
    "loopback": ["127.0.0.1", "127.255.255.254", "::1"],
    "this host": ["0.0.0.0", "0.1.2.3", "::"],
    "private": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fdff::1"],
    "link-local": ["169.254.1.1", "fe80::1", "fe80::1%lo"],
    "site-local": ["fec0::1"],
    "shared": ["100.64.0.1", "100.127.255.255"],
    "metadata": [
        "169.254.169.254",
        "169.254.170.2",
        "fd00:ec2::254",
        "100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
    ],
    "protocols": ["192.0.0.8", "192.88.99.1", "198.18.0.1", "198.19.255.255"],
    "documentation": ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"],
    "multicast": ["224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"],
    "reserved": ["240.0.0.1", "255.255.255.255", "100::1", "5f00::1", "4000::1"],
    "IPv4-mapped": ["::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:7f00:1"],
    "IPv4-compatible": ["::127.0.0.1", "::8.8.8.8"],
    "translated": ["64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1"],
    "6to4": ["2002:7f00:1::1", "2002:a9fe:a9fe::1"],
    "Teredo": ["2001::1", "2001:0:4136:e378:8000:63bf:80ff:fffe"],
    "no address": ["", "localhost", "8.8.8.8.8"],
}
PUBLIC = ["8.8.8.8", "1.1.1.1", "172.32.0.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"]
SPELLED = [
    "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]", "[::]", "0.0.0.0", "0", "localhost", "LOCALHOST", "localhost.",
    "\u2460\u2461\u2466.\u24ea.\u24ea.\u2460", "\uff4cocalhost", "127\u30020\u30020\u30021",
]  # fmt: skip
"""All reach this machine, or would."""


@pytest.mark.parametrize("kind", FORBIDDEN)
def test_an_address_of_special_use_is_never_told(kind: str) -> None:
    assert [address for address in FORBIDDEN[kind] if may_be_told(address, loopback=False)] == []


def test_a_public_address_is_told() -> None:
    assert [address for address in PUBLIC if not may_be_told(address, loopback=False)] == []


def test_only_loopback_itself_is_opened_by_its_setting() -> None:
    every = [address for addresses in FORBIDDEN.values() for address in addresses]
    opened = [address for address in every if may_be_told(address, loopback=True)]
    assert opened == FORBIDDEN["loopback"]


def test_no_network_that_is_not_for_everybody_is_public() -> None:
    """Both ends of every block that the registries of special-purpose addresses list."""
    blocks = [
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4", "::/96", "64:ff9b:1::/48", "100::/64", "2001:db8::/32", "2001:2::/48",
        "2001:10::/28", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
    ]  # fmt: skip
    for block in blocks:
        network = ipaddress.ip_network(block)
        for address in (network[0], network[1], network[-1]):
            assert not is_public(address), address


@contextmanager
def listening() -> Iterator[tuple[int, "list[bool]"]]:
    """A port of this machine on every address of it, and whether anybody connected, once the block is over."""
    connected: list[bool] = []
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        yield server.getsockname()[1], connected
        server.settimeout(0.2)
        try:
            server.accept()[0].close()
            connected.append(True)
        except TimeoutError:
            connected.append(False)


async def post(url: str, transport: PinnedTransport) -> httpx.Response:
    async with httpx.AsyncClient(transport=transport, follow_redirects=True, timeout=5) as client:
        return await client.post(url, content=b'{"type": "x"}')


def naming(*answers: Sequence[str]) -> tuple[Resolve, list[str]]:
    """A name server that says something else every time, and what it was asked."""
    asked: list[str] = []

    async def answer(host: str, port: int) -> Sequence[str]:
        asked.append(f"{host} {port}")
        return answers[min(len(asked), len(answers)) - 1]

    return answer, asked


@pytest.mark.anyio
@pytest.mark.parametrize("host", SPELLED)
async def test_no_spelling_of_this_machine_is_connected_to(host: str) -> None:
    with listening() as (port, connected):
        for scheme in ("http", "https"):
            with pytest.raises((NoPublicAddress, httpx.InvalidURL)):
                await post(f"{scheme}://{host}:{port}/hook", PinnedTransport())
    assert connected == [False]


@pytest.mark.anyio
@pytest.mark.parametrize("kind", FORBIDDEN)
async def test_a_name_that_points_to_what_is_forbidden_is_connected_to_nowhere(kind: str) -> None:
    for address in FORBIDDEN[kind]:
        for addresses in ([address], ["8.8.8.8", address], [address, "8.8.8.8"]):
            answer, asked = naming(addresses)
            with pytest.raises(NoPublicAddress):
                await post("https://photos.example.org/hook", PinnedTransport(resolve=answer))
            assert asked == ["photos.example.org 0"]


@pytest.mark.anyio
async def test_a_name_is_looked_up_once_and_the_connection_goes_to_that_answer() -> None:
    """What rebinding needs is a second look: the name would point elsewhere by then."""
    with receiving() as receiver, listening() as (_, connected):
        answer, asked = naming(["127.0.0.1"], ["127.0.0.2"], ["169.254.169.254"])
        url = f"http://rebind.example.org:{receiver.port}/hook"
        told = await post(url, PinnedTransport(resolve=answer, loopback=True))
        assert told.status_code == 200
        assert asked == [f"rebind.example.org {receiver.port}"]
    assert connected == [False]


@pytest.mark.anyio
async def test_each_request_looks_again_so_a_name_that_turned_is_refused() -> None:
    with receiving() as receiver:
        answer, _ = naming(["127.0.0.1"], ["169.254.169.254"])
        transport = PinnedTransport(resolve=answer, loopback=True)
        async with httpx.AsyncClient(transport=transport) as client:
            url = f"http://rebind.example.org:{receiver.port}/hook"
            await client.post(url, content=b'{"type": "x"}')
            with pytest.raises(NoPublicAddress):
                await client.post(url, content=b'{"type": "x"}')
        assert len(receiver.all) == 1


@pytest.mark.anyio
async def test_where_a_redirect_leads_is_looked_at_too() -> None:
    with receiving() as receiver, listening() as (port, connected):
        receiver.behave = lambda _: Reply(307, {"Location": f"http://inside.example.org:{port}/"})
        answer, asked = naming(["127.0.0.1"], ["10.0.0.1"])
        with pytest.raises(NoPublicAddress):
            async with httpx.AsyncClient(
                transport=PinnedTransport(resolve=answer, loopback=True), follow_redirects=True
            ) as client:
                await client.post(f"http://outside.example.org:{receiver.port}/", content=b'{"type": "x"}')
        assert [each.partition(" ")[0] for each in asked] == ["outside.example.org", "inside.example.org"]
    assert connected == [False]


@pytest.mark.anyio
async def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as receiver, listening() as (port, connected):
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
        async with httpx.AsyncClient(transport=PinnedTransport(loopback=True)) as client:
            answer = await client.post(receiver.url, content=b'{"type": "x"}')
        assert answer.status_code == 200
    assert connected == [False]


@pytest.mark.anyio
async def test_the_next_address_of_a_name_is_tried_where_the_first_does_not_answer() -> None:
    with receiving() as receiver:
        answer, _ = naming(["127.0.0.9", "127.0.0.1"])
        async with httpx.AsyncClient(transport=PinnedTransport(resolve=answer, loopback=True)) as client:
            told = await client.post(f"http://two.example.org:{receiver.port}/", content=b'{"type": "x"}')
        assert told.status_code == 200


@pytest.mark.anyio
async def test_a_name_without_addresses_and_one_that_does_not_exist_look_alike() -> None:
    answer, _ = naming([])
    for transport in (PinnedTransport(resolve=answer), PinnedTransport()):
        with pytest.raises(NoPublicAddress):
            await post("https://does-not-exist.invalid/hook", transport)
    assert "127.0.0.1" in await resolve("localhost", 443)


def certified(folder: Path, name: str) -> tuple[SSLContext, SSLContext]:
    """A server's side and a client's, of a certificate for that name."""
    openssl = which("openssl")
    if openssl is None:
        pytest.skip("a certificate needs openssl")
    key, certificate = folder / f"{name}.key", folder / f"{name}.pem"
    command = [
        openssl,
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    command += [
        "-keyout",
        str(key),
        "-out",
        str(certificate),
        "-subj",
        f"/CN={name}",
        "-addext",
        f"subjectAltName=DNS:{name}",
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    server, client = SSLContext(PROTOCOL_TLS_SERVER), SSLContext(PROTOCOL_TLS_CLIENT)
    server.load_cert_chain(certificate, key)
    client.load_verify_locations(certificate)
    return server, client


@pytest.mark.anyio
async def test_the_certificate_must_be_the_names_and_the_host_stays_the_names(tmp_path: Path) -> None:
    server, client = certified(tmp_path, "photos.example.org")
    asked_for: list[str | None] = []
    server.sni_callback = lambda _socket, name, _context: asked_for.append(name)
    with receiving(server) as receiver:
        answer, _ = naming(["127.0.0.1"])
        transport = PinnedTransport(resolve=answer, loopback=True, verify=client)
        async with httpx.AsyncClient(transport=transport) as sender:
            told = await sender.post(f"https://photos.example.org:{receiver.port}/", content=b'{"type": "x"}')
            assert told.status_code == 200
            with pytest.raises(httpx.ConnectError, match="certificate"):
                await sender.post(f"https://other.example.org:{receiver.port}/", content=b'{"type": "x"}')
        heard: list[Received] = receiver.all
        assert [each.headers["host"] for each in heard] == [f"photos.example.org:{receiver.port}"]
    assert asked_for == ["photos.example.org", "other.example.org"]
