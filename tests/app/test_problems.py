"""Whatever is wrong with a request, the answer is a problem document with a stable code."""

import errno
import socket
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import httpx
import pytest
from structlog.testing import capture_logs

from app.codes import FACTS
from app.problem import to_problem
from diffam_client.contract.problem import ProblemDocument
from jobs.ledger import Ledger
from jobs.settings import Settings
from tests.app.conftest import read_to_end

Post = Callable[..., httpx.Response]
Serve = Callable[[Settings], AbstractContextManager[httpx.Client]]


def problem(answer: httpx.Response) -> ProblemDocument:
    """The document of `answer`, which must be consistent with its status and headers."""
    assert answer.headers["content-type"] == "application/problem+json"
    document = ProblemDocument.model_validate(answer.json())
    assert document.status == answer.status_code == FACTS[document.code].status
    assert document.request_id == answer.headers["x-request-id"]
    return document


def raw_connection(client: httpx.Client) -> socket.socket:
    """To the server of `client`, without its manners."""
    return socket.create_connection(("127.0.0.1", client.base_url.port or 0), timeout=60)


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"reference_id": "nobody"}, "unknown_reference", "reference_id"),
        ({"reference_id": ""}, "missing_field", "reference_id"),
        ({"target_id": "nobody"}, "unknown_target", "target_id"),
        ({"target_id": "bea"}, "style_not_trained", "target_id"),
        ({"reference_id": "plum"}, "style_not_trained", "target_id"),
        ({"output_format": "gif"}, "invalid_field", "output_format"),
        ({"glitter": "0.5"}, "invalid_field", "glitter"),
        ({"reference_id": "r" * 65}, "invalid_field", "reference_id"),
    ],
)
def test_a_wrong_field_is_named(post: Post, fields: dict[str, str], code: str, param: str) -> None:
    document = problem(post(**fields))
    assert (document.code, document.param, document.status) == (code, param, 422)


def test_a_form_without_a_photo_says_so(client: httpx.Client) -> None:
    no_photo = client.post("/v1/jobs", files={"other": b"x"}, data={"reference_id": "rose"})
    assert (problem(no_photo).code, problem(no_photo).param) == ("missing_field", "photo")
    text = client.post("/v1/jobs", files={"reference_id": (None, "rose"), "photo": (None, "text")})
    assert (problem(text).code, problem(text).param) == ("invalid_field", "photo")


def test_a_body_that_is_no_form_says_so(client: httpx.Client) -> None:
    assert problem(client.post("/v1/jobs", json={"reference_id": "rose"})).code == "media_type_unsupported"
    for broken in ("multipart/form-data", "multipart/form-data; boundary=x"):
        answer = client.post("/v1/jobs", content=b"nonsense", headers={"Content-Type": broken})
        assert problem(answer).code == "malformed_request"


def test_too_many_parts_are_refused(client: httpx.Client, jpeg: bytes) -> None:
    files = [("photo", ("me.jpg", jpeg)) for _ in range(40)]
    assert problem(client.post("/v1/jobs", files=files)).code == "malformed_request"
    fields = {f"field{number}": (None, "x") for number in range(400)}
    assert problem(client.post("/v1/jobs", files=fields)).code == "malformed_request"


def test_an_unknown_path_and_a_wrong_method_are_problems_too(client: httpx.Client) -> None:
    assert problem(client.get("/v2/nothing")).code == "not_found"
    answer = client.put("/v1/jobs")
    assert problem(answer).code == "method_not_allowed"
    assert answer.headers["allow"] == "GET, HEAD, POST"


def test_a_client_may_name_its_request_but_not_inject_into_the_log(client: httpx.Client) -> None:
    named = client.get("/livez", headers={"X-Request-ID": "my-request-1"})
    assert named.headers["x-request-id"] == "my-request-1"
    forged = client.get("/livez", headers={"X-Request-ID": 'a b "forged": 1'})
    assert forged.headers["x-request-id"] != 'a b "forged": 1'


def test_an_oversized_upload_is_refused_before_it_is_read(serve: Serve, settings: Settings) -> None:
    with serve(settings.model_copy(update={"max_upload_bytes": 100_000})) as client:
        port = client.base_url.port
        with socket.create_connection(("127.0.0.1", port or 0), timeout=60) as raw:
            raw.sendall(b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999\r\n\r\n")
            answer = read_to_end(raw)
        assert b" 413 " in answer
        assert b"upload_too_large" in answer


def test_an_upload_of_unsaid_size_is_counted_as_it_comes(serve: Serve, settings: Settings) -> None:
    with serve(settings.model_copy(update={"max_upload_bytes": 100_000})) as client:
        head = b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a"\r\n\r\n'
        chunks = (part for part in [head, *[b"0" * 65536] * 64])
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        assert problem(client.post("/v1/jobs", content=chunks, headers=headers)).code == "upload_too_large"
        fits = client.post("/v1/jobs", files={"photo": b"0" * 100_001}, data={"reference_id": "rose"})
        assert problem(fits).code == "upload_too_large"
        assert client.get("/livez").status_code == 200


def test_a_trickling_upload_is_cut_off(serve: Serve, settings: Settings) -> None:
    with serve(settings.model_copy(update={"upload_timeout_s": 0.5})) as client:
        port = client.base_url.port
        with socket.create_connection(("127.0.0.1", port or 0), timeout=60) as raw:
            raw.sendall(
                b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n"
                b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x"
            )
            started = time.monotonic()
            answer = read_to_end(raw)
        assert b" 408 " in answer
        assert time.monotonic() - started < 20


def test_a_client_that_hangs_up_disturbs_nobody(client: httpx.Client, post: Post) -> None:
    with socket.create_connection(("127.0.0.1", client.base_url.port or 0), timeout=60) as raw:
        raw.sendall(
            b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x"
        )
    assert post().status_code == 202


def test_a_full_queue_asks_to_come_back(serve: Serve, settings: Settings, jpeg: bytes) -> None:
    with serve(settings.model_copy(update={"max_queued": 1})) as client:

        def send() -> httpx.Response:
            return client.post("/v1/jobs", files={"photo": jpeg}, data={"reference_id": "rose"})

        answers = [send(), send()]
    document = problem(answers[1])
    assert (document.code, document.retryable) == ("queue_full", True)
    assert answers[1].headers["retry-after"] == "5"


def test_without_redis_the_service_says_so_and_stays_alive(serve: Serve, settings: Settings, jpeg: bytes) -> None:
    with serve(settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})) as client:
        posted = client.post("/v1/jobs", files={"photo": jpeg}, data={"reference_id": "rose"})
        for answer in (posted, client.get("/v1/jobs/x"), client.get("/readyz")):
            assert problem(answer).code == "ledger_unavailable"
            assert answer.status_code == 503
        assert client.get("/livez").status_code == 200


def test_an_error_of_ours_shows_no_traceback_and_keeps_the_connection(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(_self: Ledger, _job_id: str) -> None:
        raise RuntimeError("a secret inner state")

    with monkeypatch.context() as broken, capture_logs() as log:
        broken.setattr(Ledger, "get", explode)
        answer = client.get("/v1/jobs/x")
    assert answer.status_code == 500
    assert problem(answer).code == "internal"
    assert "secret" not in answer.text
    assert "a secret inner state" in str([line["exc_info"] for line in log if line["event"] == "request_failed"])
    assert client.get("/livez").status_code == 200


def test_a_disk_without_room_for_an_upload_is_a_full_store() -> None:
    assert to_problem(OSError(errno.ENOSPC, "No space left on device")).code == "store_full"
    assert to_problem(OSError(errno.EIO, "a secret path")).code == "internal"
