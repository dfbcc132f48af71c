"""The secrets that sign webhooks: for their owner alone on disk, and no longer than they are to."""

import base64
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from jobs.errors import WebhookSecretsDamaged
from jobs.webhooks.secrets import read_secrets, remove_secrets, rotate_secret, secret_of

DAY = timedelta(days=1)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where secrets lie."""
    return tmp_path / "private" / "webhooks.json"


def values(file: Path, owner: str) -> list[str]:
    return [secret.value for secret in read_secrets(file).get(owner, ())]


def test_a_secret_is_random_long_enough_and_for_its_owner_alone(file: Path) -> None:
    one, two = secret_of(file, "one"), secret_of(file, "two")
    assert one != two
    assert 24 <= len(base64.b64decode(one.removeprefix("whsec_"))) <= 64
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert one not in repr(read_secrets(file))


def test_those_before_a_rotation_sign_until_their_time_is_over_and_then_leave_the_file(file: Path) -> None:
    first, second = secret_of(file, "a"), rotate_secret(file, "a", DAY)
    assert values(file, "a") == [second, first]
    third = rotate_secret(file, "a", timedelta(hours=1))
    assert values(file, "a") == [third, second, first]
    (_, *before) = read_secrets(file)["a"]
    assert max(secret.until for secret in before if secret.until) - before[0].created_at < timedelta(hours=1.1)
    last = rotate_secret(file, "a", timedelta())
    assert values(file, "a") == [last]
    secret_of(file, "b")
    assert first not in file.read_text()


def test_a_rotation_without_a_secret_makes_one(file: Path) -> None:
    assert values(file, "") == []
    assert [rotate_secret(file, "", DAY)] == values(file, "")


def test_whoever_asks_at_once_gets_the_same_secret(file: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(lambda _: secret_of(file, "a"), range(16)))) == 1


def test_a_removed_secret_leaves_the_others(file: Path) -> None:
    assert not remove_secrets(file, "a")
    secret_of(file, "a")
    kept = secret_of(file, "b")
    assert remove_secrets(file, "a")
    assert (values(file, "a"), values(file, "b")) == ([], [kept])


@pytest.mark.parametrize("text", ["[", "{}x", '{"a": []}', '{"a": [{"value": "secret"}]}'])
def test_a_file_that_holds_something_else_is_refused(file: Path, text: str) -> None:
    file.parent.mkdir()
    file.write_text(text)
    for act in (lambda: read_secrets(file), lambda: secret_of(file, "a"), lambda: rotate_secret(file, "a", DAY)):
        with pytest.raises(WebhookSecretsDamaged):
            act()
    assert file.read_text() == text
