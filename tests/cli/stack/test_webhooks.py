"""`diffam webhooks`: a secret is made once and shown, replaced without a gap, and gone with its key."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.errors import CliError
from cli.stack.keys import keys_app
from cli.stack.webhooks import webhooks_app
from jobs.access.keys import create_key
from jobs.errors import UnknownKey
from jobs.webhooks.secrets import read_secrets


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the commands keep keys and secrets."""
    for name in ("keys", "webhooks"):
        monkeypatch.setenv(f"DIFFAM_{name.upper()}_FILE", str(tmp_path / f"{name}.json"))
    return tmp_path


def said(*words: str) -> str:
    """What the command says on stdout. Raises what it raises."""
    result = CliRunner().invoke(webhooks_app, words, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout.strip()


def test_a_secret_is_shown_alone_as_often_as_it_is_asked_for(folder: Path) -> None:
    secret = said("secret")
    assert secret == said("secret")
    assert secret.startswith("whsec_")
    (kept,) = read_secrets(folder / "webhooks.json")[""]
    assert (kept.value, kept.until) == (secret, None)


def test_after_a_rotation_both_sign_for_as_long_as_was_said(folder: Path) -> None:
    old, new = said("secret"), said("rotate", "--overlap", "5")
    assert said("secret") == new != old
    first, second = read_secrets(folder / "webhooks.json")[""]
    assert (first.value, first.until, second.value) == (new, None, old)
    assert second.until is not None
    assert timedelta(hours=4.9) < second.until - datetime.now(UTC) <= timedelta(hours=5)
    newest = said("rotate", "--overlap", "0")
    assert [secret.value for secret in read_secrets(folder / "webhooks.json")[""]] == [newest]


def test_each_key_has_its_own_and_loses_it_when_it_is_revoked(folder: Path) -> None:
    one, two = (create_key(folder / "keys.json", name, ["submit"])[0] for name in ("one", "two"))
    assert said("secret", "--key", one.id) != said("secret", "--key", two.id)
    with pytest.raises(CliError, match="--key ID"):
        said("secret")
    with pytest.raises(UnknownKey, match="diffam keys list"):
        said("rotate", "--key", "nobody")
    CliRunner().invoke(keys_app, ["revoke", one.id], catch_exceptions=False)
    assert set(read_secrets(folder / "webhooks.json")) == {two.id}
    said("off", "--key", two.id)
    assert read_secrets(folder / "webhooks.json") == {}


def test_without_a_secret_there_is_none_to_remove_and_no_file_is_made(folder: Path) -> None:
    assert said("off") == ""
    assert list(folder.iterdir()) == []
