"""`diffam keys`: a key is shown once, listed without its secret, and revoked by its id."""

from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from cli.errors import CliError
from cli.stack.keys import keys_app
from jobs.access.keys import Keyring, read_keys
from jobs.errors import UnknownKey


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command keeps keys."""
    file = tmp_path / "keys.json"
    monkeypatch.setenv("DIFFAM_KEYS_FILE", str(file))
    monkeypatch.setenv("DIFFAM_WEBHOOKS_FILE", str(tmp_path / "webhooks.json"))
    return file


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of the usual width."""
    monkeypatch.setattr("cli.stack.keys.console", Console(highlight=False, width=80))


def diffam_keys(*words: str) -> str:
    """What the command says on stdout. Raises what it raises."""
    result = CliRunner().invoke(keys_app, words, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_a_key_is_shown_once_and_alone_on_stdout(file: Path) -> None:
    secret = diffam_keys("create", "the choir", "--scope", "references", "--scope", "submit").strip()
    key = Keyring(file).find(secret)
    assert key is not None
    assert (key.name, key.scopes) == ("the choir", ("submit", "references"))
    listed = diffam_keys("list")
    assert key.id in listed
    assert "the choir" in listed
    assert secret not in listed
    assert key.digest not in listed
    assert key.id in diffam_keys("revoke", key.id)
    assert read_keys(file) == ()


@pytest.mark.usefixtures("file")
def test_wrong_words_are_told() -> None:
    with pytest.raises(CliError, match="no scope is called root; there are submit, public, references, admin"):
        diffam_keys("create", "me", "--scope", "root")
    with pytest.raises(UnknownKey, match="diffam keys list"):
        diffam_keys("revoke", "nobody")
