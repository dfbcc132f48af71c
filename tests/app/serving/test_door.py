"""A web page cannot use the service on its visitor's machine, and a service without keys is not put on a network."""

import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager

import httpx
import pytest

from app.serving.door import DoorOpen, check_address
from jobs.access.keys import create_key, revoke_key
from jobs.settings import Settings
from tests.app.conftest import read_to_end
from tests.app.test_problems import problem, raw_connection

Serve = Callable[[Settings], AbstractContextManager[httpx.Client]]


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "photos.localhost:8000", "localhost.", "127.0.0.1:99", "127.8.9.1", "[::1]:80"]
)
def test_every_name_of_this_machine_is_served(client: httpx.Client, host: str) -> None:
    assert client.get("/v1/references", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "2130706433"),
        *("127.1", "0x7f.1", "0.0.0.0", "192.168.0.4", "[::2]", "localhost:x", "127.0.0.1:80:80", ""),
    ],
)
def test_any_other_name_is_refused_before_anything_is_read(client: httpx.Client, host: str) -> None:
    with raw_connection(client) as raw:
        raw.sendall(
            f"POST /v1/jobs HTTP/1.1\r\nHost: {host}\r\nContent-Length: 9000000\r\n"
            "Content-Type: multipart/form-data; boundary=x\r\n\r\n".encode()
        )
        answer = read_to_end(raw)
    assert answer.startswith(b"HTTP/1.1 421 ")
    assert b"host_not_allowed" in answer
    assert b"DIFFAM_ALLOWED_HOSTS" in answer
    assert b"connection: close" in answer.lower()


def test_probes_are_answered_by_whatever_address_they_use(client: httpx.Client) -> None:
    for path, status in (("/livez", 200), ("/readyz", 503)):
        assert client.get(path, headers={"Host": "10.42.0.7:8000"}).status_code == status
    with raw_connection(client) as raw:
        raw.sendall(b"GET /livez HTTP/1.0\r\n\r\n")
        assert b" 200 " in read_to_end(raw)


def test_more_hosts_can_be_allowed(serve: Serve, settings: Settings) -> None:
    with serve(settings.model_copy(update={"allowed_hosts": ("Photos.example.org", "*.example.com")})) as client:
        for host in ("photos.example.org", "photos.example.org:8443", "a.example.com", "a.b.example.com", "localhost"):
            assert client.get("/v1/references", headers={"Host": host}).status_code == 200
        for host in ("example.org", "example.com", "aexample.com", "evil.photos.example.org"):
            assert problem(client.get("/v1/references", headers={"Host": host})).code == "host_not_allowed"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Origin": "https://localhost.evil.example"},
        {"Origin": "http://[nonsense"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "HERE"},
    ],
)
def test_a_foreign_page_changes_nothing(client: httpx.Client, headers: dict[str, str]) -> None:
    here = f"http://{client.base_url.netloc.decode()}"
    headers = {name: value.replace("HERE", here) for name, value in headers.items()}
    for method, path in (("POST", "/v1/jobs"), ("DELETE", "/v1/jobs/x"), ("POST", "/v1/jobs/x/cancel"), ("PUT", "/x")):
        assert problem(client.request(method, path, headers=headers)).code == "origin_not_allowed"
    assert client.get("/v1/references", headers=headers).status_code == 200


def test_a_page_of_ours_and_a_program_may(client: httpx.Client) -> None:
    here = client.base_url.netloc.decode()
    for headers in ({"Origin": f"http://{here}"}, {"Origin": f"HTTP://{here}", "Sec-Fetch-Site": "same-origin"}, {}):
        assert problem(client.post("/v1/jobs", headers=headers)).code == "media_type_unsupported"
    default = {"Host": "localhost", "Origin": "http://localhost:80"}
    assert problem(client.post("/v1/jobs", headers=default)).code == "media_type_unsupported"


def test_a_page_from_elsewhere_can_be_allowed_and_then_reads_the_answers(serve: Serve, settings: Settings) -> None:
    page = {"Origin": "http://localhost:5173", "Sec-Fetch-Site": "cross-site"}
    with serve(settings.model_copy(update={"allowed_origins": ("http://localhost:5173",)})) as client:
        answer = client.post("/v1/jobs", headers=page)
        assert problem(answer).code == "media_type_unsupported"
        assert answer.headers["access-control-allow-origin"] == "http://localhost:5173"
        asked = page | {"Access-Control-Request-Method": "DELETE"}
        assert client.options("/v1/jobs/x", headers=asked).status_code == 200
        assert (
            problem(client.post("/v1/jobs", headers={"Origin": "http://localhost:5174"})).code == "origin_not_allowed"
        )


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "localhost", "::1"])
def test_this_machine_s_own_addresses_need_no_guard(settings: Settings, host: str) -> None:
    check_address(settings.model_copy(update={"host": host}))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.0.4", "photos.example.org"])
def test_any_other_address_needs_one(settings: Settings, host: str) -> None:
    with pytest.raises(DoorOpen, match="DIFFAM_BEHIND_PROXY=true"):
        check_address(settings.model_copy(update={"host": host}))
    check_address(settings.model_copy(update={"host": host, "behind_proxy": True}))
    key, _ = create_key(settings.keys, "friends", ["submit"])
    check_address(settings.model_copy(update={"host": host}))
    revoke_key(settings.keys, key.id)
    with pytest.raises(DoorOpen, match="diffam keys create"):
        check_address(settings.model_copy(update={"host": host}))


def test_the_server_refuses_in_one_sentence() -> None:
    command = [sys.executable, "-m", "app"]
    refused = subprocess.run(command, env={"DIFFAM_HOST": "0.0.0.0"}, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith("DIFFAM_HOST=0.0.0.0 would open the service")
    assert len(refused.stderr.splitlines()) == 1
