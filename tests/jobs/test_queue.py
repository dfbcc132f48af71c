"""The doorbell: what it carries, and how long a caller waits for a broker that is not there."""

import json
import time

import pytest
from redis import Redis

from diffam_client.contract.job import Kind
from jobs.connect import broker_url, connect
from jobs.errors import RedisNotConfigured
from jobs.queue import VISIBILITY_TIMEOUT_S, make_celery, ring
from jobs.settings import Settings

NOBODY = "redis://127.0.0.1:1/0"


def test_a_bell_carries_the_job_id_and_nothing_else(redis: Redis, settings: Settings) -> None:
    with make_celery(settings) as celery:
        assert ring(celery, "job-1")
    [raw] = redis.lrange("protect", 0, -1)
    message = json.loads(raw)
    assert message["headers"]["task"] == "protect"
    assert message["headers"]["argsrepr"] == "['job-1']"
    assert not list(redis.scan_iter("celery-task-meta-*"))


def test_ringing_a_dead_broker_says_so_within_seconds(settings: Settings) -> None:
    started = time.monotonic()
    with make_celery(settings.model_copy(update={"redis_url": NOBODY})) as celery:
        assert not ring(celery, "job-1")
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("kind", ["protect", "finetune"])
def test_the_shortest_visibility_timeout_wins_so_all_three_are_the_same(settings: Settings, kind: Kind) -> None:
    with make_celery(settings, kind) as celery:
        conf = celery.conf
        places = (conf, conf.broker_transport_options, conf.result_backend_transport_options)
        assert {place["visibility_timeout"] for place in places} == {VISIBILITY_TIMEOUT_S[kind]}


def test_a_worker_gets_these_delivery_settings(settings: Settings) -> None:
    with make_celery(settings) as celery:
        wanted = {"task_acks_late", "task_reject_on_worker_lost", "task_ignore_result"}
        assert all(celery.conf[name] for name in wanted)
        assert celery.conf.worker_prefetch_multiplier == 1
        options = celery.conf.broker_transport_options
        assert options["socket_timeout"] == 15
        assert (options["unacked_restore_interval"], options["unacked_restore_throttle"]) == (5, 1)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("unix:///tmp/v.sock", "redis+socket:///tmp/v.sock"),
        ("redis://h:1/2", "redis://h:1/2"),
        ("rediss://h/0", "rediss://h/0"),
    ],
)
def test_the_broker_understands_every_address_of_the_ledger(settings: Settings, url: str, expected: str) -> None:
    assert broker_url(settings.model_copy(update={"redis_url": url})) == expected


def test_without_an_address_the_error_says_what_to_set(settings: Settings) -> None:
    with pytest.raises(RedisNotConfigured, match="DIFFAM_REDIS_URL"):
        connect(settings.model_copy(update={"redis_url": None}))
