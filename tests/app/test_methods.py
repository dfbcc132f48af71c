"""HEAD is GET without the body, and a wrong method is told which ones are right."""

from collections.abc import Callable

import httpx
import pytest

Post = Callable[..., httpx.Response]


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/v1/jobs", "GET, HEAD, POST"),
        ("/v1/jobs/x", "GET, HEAD, PUT, DELETE"),
        ("/v1/jobs/x/result", "GET, HEAD"),
        ("/v1/jobs/x/events", "GET, HEAD"),
        ("/v1/jobs/x/cancel", "POST"),
        ("/v1/jobs/x/retry", "POST"),
        ("/v1/references", "GET, HEAD, POST"),
        ("/v1/references/rose/finetune", "POST"),
        ("/v1/faces", "POST"),
        ("/livez", "GET, HEAD"),
        ("/v2/health/live", "GET, HEAD"),
        ("/problems", "GET, HEAD"),
        ("/docs", "GET, HEAD"),
        ("/docs/assets/swagger-ui.css", "GET, HEAD"),
        ("/openapi.json", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(client: httpx.Client, path: str, methods: str) -> None:
    for wrong in ("PATCH", "TRACE", "NONSENSE", "OPTIONS"):
        answer = client.request(wrong, path)
        assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
        assert set(answer.headers["allow"].split(", ")) == set(methods.split(", "))


def test_head_says_what_get_says_without_the_body(
    client: httpx.Client, post: Post, finish: Callable[[str], None]
) -> None:
    job = post().json()
    finish(job["id"])
    here = job["links"]["self"]
    own = [here, f"{here}/events", f"{here}/result", f"{here}/comparison"]
    fixed = [
        "/v1/references",
        "/v1/targets",
        "/v1/limits",
        "/v1/jobs",
        "/v2/health/live",
        "/v1/references/rose/image",
        "/livez",
        "/problems",
        "/docs",
        "/openapi.json",
    ]
    for path in [
        *own,
        *fixed,
        "/docs/assets/swagger-ui.css",
        "/readyz",
        "/v2/health/ready",
        "/v1/jobs/nobody",
        "/nowhere",
    ]:
        got, head = client.get(path), client.head(path)
        assert (head.status_code, head.content) == (got.status_code, b""), path
        passing = ("date", "x-request-id")
        assert {name: value for name, value in head.headers.items() if name not in passing} == {
            name: value for name, value in got.headers.items() if name not in passing
        }
