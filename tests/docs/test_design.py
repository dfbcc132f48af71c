"""`docs/design.md` is true of the tree: packages, modules, directions of import, dependencies."""

import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/design.md").read_text(encoding="utf-8")
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LINTER = PROJECT["tool"]["importlinter"]
PACKAGES = [folder for folder in PROJECT["tool"]["mypy"]["packages"] if folder != "tests"]


def section(title: str) -> str:
    """The text under a heading."""
    (text,) = re.findall(rf"^## {re.escape(title)}[^\n]*\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return str(text)


def rows(title: str) -> list[list[str]]:
    """The cells of a section's table, its head left out."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def in_the_tree() -> dict[str, list[str]]:
    """The modules of every package, by its folder."""
    homes = [init.parent for top in PACKAGES for init in (ROOT / top).rglob("__init__.py")]
    return {
        f"{home.relative_to(ROOT)}/": sorted(path.stem for path in home.glob("*.py") if path.stem != "__init__")
        for home in homes
    }


def test_every_package_is_named_with_its_modules() -> None:
    assert {home.strip("`"): modules.split() for home, _, modules in rows("Packages")} == in_the_tree()


def test_every_path_that_is_named_exists() -> None:
    named = re.findall(r"`([\w.-]+(?:/[\w.-]+)*(?:/|\.(?:py|md|toml)))`", PAGE)
    inside_bundles = {"bundle.toml", "targets/", "references/", "styles/"}
    assert len(named) > 30
    assert [path for path in named if path not in inside_bundles and not (ROOT / path).exists()] == []


def layers_of(contract: dict[str, Any]) -> str:
    """A contract's layers as the page writes them."""
    return " → ".join(contract["layers"])


def test_imports_run_as_the_layers_say_and_every_contract_is_told() -> None:
    layered = [contract for contract in LINTER["contracts"] if contract["type"] == "layers"]
    assert re.findall(r"^    (.*)$", section("Directions"), re.MULTILINE) == [layers_of(each) for each in layered]
    told = re.findall(r"^- (.*)$", section("Directions"), re.MULTILINE)
    assert told == [contract["name"] for contract in LINTER["contracts"]]


def test_every_package_has_its_place_among_the_layers() -> None:
    (layers,) = [each["layers"] for each in LINTER["contracts"] if "layers" in each and "containers" not in each]
    placed = {name.strip() for layer in layers for name in layer.split("|")}
    assert placed == set(LINTER["root_packages"]) == set(PACKAGES) - {"benchmarks", "examples"}


def test_the_stops_of_the_story_are_those_of_the_readme_and_have_a_page_each() -> None:
    stops = [re.fullmatch(r"\[(.*)\]\((.*)\)", cell) for cell, *_ in rows("The story")]
    told = [(stop[1], stop[2]) for stop in stops if stop]
    assert " → ".join(", ".join(title for title, _ in told).split(", ")) in section("The story")
    assert {page for _, page in told} == {f"journey/{page.name}" for page in (ROOT / "docs/journey").glob("*.md")}


def test_every_dependency_is_told_with_what_it_is_for() -> None:
    needed = {re.split(r"[\[<>=; ]", line)[0] for line in PROJECT["project"]["dependencies"]}
    words = set(re.findall(r"[\w-]+", section("Dependencies")))
    assert sorted(needed - words) == []
