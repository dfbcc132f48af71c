"""Which `traceparent`s are passed on, and that jobs, their retries and their claims keep theirs."""

import pytest

from jobs.ledger import Ledger
from jobs.new_job import NewJob
from jobs.tracing import traced, traceparent_of
from tests.jobs.conftest import BUNDLE, INPUT, claimed

VALID = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    ("sent", "passed_on"),
    [
        ([VALID], VALID),
        ([f" {VALID} "], VALID),
        ([VALID.replace("00-", "cc-", 1) + "-what-comes-later"], VALID.replace("00-", "cc-", 1) + "-what-comes-later"),
        ([], ""),
        ([VALID, VALID], ""),
        ([VALID + "-more"], ""),
        ([VALID.upper()], ""),
        ([VALID.replace("00-", "ff-", 1)], ""),
        (["00-" + "0" * 32 + "-00f067aa0ba902b7-01"], ""),
        (["00-4bf92f3577b34da6a3ce929d0e0e4736-" + "0" * 16 + "-01"], ""),
        (["no trace"], ""),
    ],
)
def test_one_valid_traceparent_is_passed_on_as_it_came(sent: list[str], passed_on: str) -> None:
    assert traceparent_of(sent) == passed_on


def test_log_lines_tell_the_trace_and_nothing_where_there_is_none() -> None:
    assert traced(VALID) == {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736"}
    assert traced("") == {}


def test_whoever_works_on_a_job_is_told_the_trace_of_its_request(ledger: Ledger) -> None:
    ledger.accept(NewJob(INPUT, BUNDLE, traceparent=VALID, job_id="a"), b"photo")
    ledger.accept(NewJob(INPUT, BUNDLE, job_id="b"), b"photo")
    assert [claimed(ledger, job_id).traceparent for job_id in ("a", "b")] == [VALID, ""]


def test_a_retry_has_the_trace_of_its_own_request(ledger: Ledger) -> None:
    ledger.accept(NewJob(INPUT, BUNDLE, traceparent=VALID, job_id="a"), b"photo")
    ledger.cancel("a", "deadline")
    other = VALID.replace("4bf9", "5bf9")
    again = ledger.retry("a", traceparent=other)
    assert claimed(ledger, again.job_id).traceparent == other
