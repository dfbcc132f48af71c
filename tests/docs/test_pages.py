"""Pages lead somewhere, are listed, and a stop of the journey ends with what to open."""

import re
import string
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
STOPS = sorted((DOCS / "journey").glob("*.md"))
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md")), *sorted(ROOT.glob("examples/**/*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")


def anchors(page: Path) -> set[str]:
    """The headings of a page as GitHub spells their addresses."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    kept = string.ascii_lowercase + string.digits + " -_"
    return {"".join(c for c in heading.lower() if c in kept).replace(" ", "-") for heading in headings}


def lost(page: Path) -> list[str]:
    """The links of a page that lead nowhere in this tree."""
    found = []
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        there = page.parent / path if path else page
        if link.startswith("http"):
            continue
        if not there.exists() or (anchor and anchor not in anchors(there)):
            found.append(link)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    assert lost(page) == []


def test_a_link_to_nowhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A b\n[1](#a-b) [2](#b) [3](page.md#a-b) [4](other.md) [5](https://example.org/x)\n")
    assert lost(page) == ["#b", "other.md"]


def test_every_page_is_listed() -> None:
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    linked = {(DOCS / link.partition("#")[0]).resolve() for link in LINK.findall(index) if "://" not in link}
    unlisted = [page for page in DOCS.rglob("*.md") if not {page, page.parent} & linked and page.parent != DOCS]
    unlisted += [page for page in DOCS.glob("*.md") if page not in linked and page.name != "README.md"]
    assert unlisted == []


@pytest.mark.parametrize("stop", STOPS, ids=lambda stop: stop.stem)
def test_a_stop_is_short_says_why_and_ends_with_what_to_open(stop: Path) -> None:
    text = stop.read_text(encoding="utf-8")
    assert 40 <= text.count("\n") <= 85
    assert "why so.**" in text.lower()
    *_, (title, ending) = re.findall(r"^## ([^\n]*)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    entries = ending.strip().split("\n- ")
    assert title == "To change something"
    assert len(entries) >= 3
    assert all(re.match(r"(- )?To change .*, open .*(\]\(|`)", entry, re.DOTALL) for entry in entries)


RECORDS = sorted((DOCS / "decisions").glob("*.md"))


def test_decisions_are_numbered_on() -> None:
    assert [int(record.name[:4]) for record in RECORDS] == list(range(1, len(RECORDS) + 1))


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name[:4])
def test_a_decision_is_short_and_says_the_same_four_things(record: Path) -> None:
    text = record.read_text(encoding="utf-8")
    assert re.match(rf"# 0*{int(record.name[:4])}\.? ", text)
    parts = re.findall(r"^\*{0,2}(Context|Decision|Consequences|Alternatives)\b", text, re.MULTILINE)
    assert parts == ["Context", "Decision", "Consequences", "Alternatives"]
    assert len(text.split()) <= 450


def test_every_example_has_its_row() -> None:
    told = (ROOT / "examples/README.md").read_text(encoding="utf-8")
    folders = [path.name for path in (ROOT / "examples").iterdir() if path.is_dir() and path.name != "__pycache__"]
    assert len(folders) >= 6
    assert [name for name in folders if not re.search(rf"^\| \W{{1,2}}{name}/", told, re.MULTILINE)] == []
