"""What is in the journal stays there, whatever happens to the process that writes it."""

from pathlib import Path

from cli.album.journal import NAME, Entry, open_journal
from tests.finished import protected_face

ENTRY = Entry("a.png", "11", "w", "protected", "a.png", "22", "rose", "aurora", faces=[protected_face()])


def test_a_journal_is_read_back_and_a_later_entry_replaces_an_earlier_one(tmp_path: Path) -> None:
    failed = Entry("b.png", "33", "w", "failed", code="no_face_found", message="none")
    with open_journal(tmp_path / "out") as journal:
        for entry in (Entry("a.png", "11", "w", "failed", code="x"), failed, ENTRY):
            journal.write(entry)
    with open_journal(tmp_path / "out") as journal:
        assert journal.entries == {"a.png": ENTRY, "b.png": failed}
    assert len((tmp_path / "out" / NAME).read_text().splitlines()) == 2


def test_an_entry_is_on_the_disk_once_it_is_written(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.write(ENTRY)
        assert (tmp_path / NAME).read_text().count("\n") == 1


def test_half_a_line_costs_that_photo_only_and_does_not_spoil_the_next(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.write(ENTRY)
    with (tmp_path / NAME).open("a") as file:
        file.write('{"photo": "b.png", "upload_sha')
    with open_journal(tmp_path) as journal:
        journal.write(Entry("c.png", "1", "w", "failed"))
    with open_journal(tmp_path) as journal:
        assert sorted(journal.entries) == ["a.png", "c.png"]


def test_a_line_of_another_version_costs_that_photo_only(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.write(ENTRY)
    with (tmp_path / NAME).open("a") as file:
        file.write(
            '{"photo": "b.png", "upload_sha256": "1", "wish": "w", "status": "protected", "faces": [{"x": 1}]}\n'
        )
    with open_journal(tmp_path) as journal:
        assert journal.entries == {"a.png": ENTRY}


def test_a_photo_may_have_any_name(tmp_path: Path) -> None:
    entry = Entry("Fête\u2028\U0001f984.png", "1", "w", "failed", code="no_face_found")
    with open_journal(tmp_path) as journal:
        journal.write(entry)
    with open_journal(tmp_path) as journal:
        assert journal.entries == {entry.photo: entry}
