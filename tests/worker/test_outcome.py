"""Progress is a courtesy: it tells whether anybody still waits, and no lost connection stops the work."""

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from diffam_client.contract.report import Progress
from jobs.claims import Claim
from jobs.ledger import Ledger
from jobs.settings import Settings
from tests.worker.test_photo_jobs import accepted
from worker.outcome import note_progress

INVERT = Progress(stage="invert", step=1, steps=6)


def claimed(ledger: Ledger) -> Claim:
    claim = ledger.claim(accepted(ledger))
    assert claim is not None
    return claim


def test_what_is_noted_is_what_everybody_reads_who_waits(ledger: Ledger) -> None:
    claims = [claimed(ledger) for _ in range(2)]
    assert note_progress(ledger, claims, INVERT)
    assert [ledger.get(claim.job_id).progress for claim in claims] == [INVERT, INVERT]


def test_a_batch_goes_on_while_anybody_waits_for_it(ledger: Ledger) -> None:
    first, second = claimed(ledger), claimed(ledger)
    ledger.erase(first.job_id)
    assert note_progress(ledger, [first, second], INVERT)
    ledger.cancel(second.job_id)
    assert not note_progress(ledger, [first, second], INVERT)


def test_an_unreachable_store_stops_no_work(ledger: Ledger, settings: Settings) -> None:
    claim = claimed(ledger)
    with Redis(port=9, retry=Retry(NoBackoff(), 0)) as nowhere:
        assert note_progress(Ledger(nowhere, settings), [claim], INVERT)
