"""A request's trace can be followed through the log lines of the web process and of the worker."""

from tests.cli.conftest import Watched, eventually
from tests.people import shot

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def test_the_trace_of_a_request_stands_in_the_lines_of_web_and_worker(watched: Watched) -> None:
    sent = watched.client.post(
        "/v1/jobs",
        files={"photo": ("me.png", shot(0, 0, 96))},
        data={"reference_id": "rose"},
        headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"},
    )
    sent.raise_for_status()
    for name in ("web", "worker"):
        log = watched.stack.logs / f"{name}.log"
        assert eventually(lambda log=log: f'"trace_id": "{TRACE}"' in log.read_text()), name  # type: ignore[misc]
