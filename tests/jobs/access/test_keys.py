"""Keys lie in a file as digests, and whoever looks at it sees every change at once."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jobs.access.keys import SCOPES, Keyring, create_key, read_keys, revoke_key
from jobs.errors import KeysDamaged, UnknownKey


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where keys will lie."""
    return tmp_path / "data" / "keys.json"


def test_a_key_is_known_by_its_secret_which_the_file_does_not_hold(file: Path) -> None:
    key, secret = create_key(file, "the choir", ["submit"])
    other, _ = create_key(file, "the band", SCOPES)
    assert len(secret) == len("diffam_") + 43  # 32 bytes in base64
    assert secret not in file.read_text()
    ring = Keyring(file)
    assert ring.find(secret) == key
    assert ring.find(secret[:-1]) is ring.find(key.digest) is ring.find("") is ring.find("\udcff") is None
    assert [each.name for each in read_keys(file)] == ["the choir", "the band"]
    assert other.digest != key.digest


def test_the_file_is_for_its_owner_alone(file: Path) -> None:
    create_key(file, "a", ["submit"])
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (file.parent, *sorted(file.parent.iterdir()))]
    assert modes == [0o700, 0o600, 0o600]


def test_a_key_stops_when_it_is_revoked_and_the_others_do_not(file: Path) -> None:
    ring = Keyring(file)
    was_asked_for = ring.is_asked_for
    assert not was_asked_for
    (mine, my_secret), (_, your_secret) = create_key(file, "mine", ["submit"]), create_key(file, "yours", ["submit"])
    assert ring.is_asked_for
    assert ring.holds(mine)
    assert revoke_key(file, mine.id) == mine
    assert ring.find(my_secret) is None
    assert not ring.holds(mine)
    assert ring.find(your_secret) is not None
    with pytest.raises(UnknownKey, match=mine.id):
        revoke_key(file, mine.id)


def test_without_its_last_key_and_without_its_file_a_service_stays_closed(file: Path) -> None:
    ring, (key, secret) = Keyring(file), create_key(file, "only", ["submit"])
    assert ring.is_asked_for
    revoke_key(file, key.id)
    assert ring.is_asked_for
    assert Keyring(file).is_asked_for
    file.unlink()
    assert ring.is_asked_for
    assert ring.find(secret) is None


@pytest.mark.parametrize("text", ["", "[", "{}", '[{"id": "1"}]', "\0"])
def test_a_damaged_file_lets_nobody_in(file: Path, text: str) -> None:
    _, secret = create_key(file, "a", ["submit"])
    ring = Keyring(file)
    file.write_text(text)
    for _ in range(2):
        with pytest.raises(KeysDamaged, match="does not hold keys"):
            ring.find(secret)
    with pytest.raises(KeysDamaged):
        Keyring(file)


def test_keys_that_are_made_at_the_same_moment_are_all_there(file: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda number: create_key(file, str(number), ["submit"])[0], range(40)))
    assert sorted(read_keys(file), key=lambda key: key.id) == sorted(made, key=lambda key: key.id)


def test_admin_may_do_everything_and_every_key_what_needs_no_scope(file: Path) -> None:
    keys = {scope: create_key(file, scope, [scope])[0] for scope in SCOPES}
    may = {scope: [wanted for wanted in SCOPES if key.may(wanted)] for scope, key in keys.items()}
    assert may == {
        "submit": ["submit"], "public": ["submit", "public"], "references": ["references"], "admin": list(SCOPES),
    }  # fmt: skip
    assert all(key.may(None) for key in keys.values())
