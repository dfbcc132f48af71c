"""What pages tell people to type exists: commands and options, modules, settings, calls."""

import re
import shlex
from importlib.util import find_spec
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from app.codes import FACTS
from app.main import create_app
from cli.bundles.models import models_app
from cli.main import app
from cli.references import references_app
from cli.stack.jobs import jobs_app
from cli.stack.keys import keys_app
from cli.stack.webhooks import webhooks_app
from diffam_client.client import KEY, SERVER
from jobs.settings import Settings
from model_store.catalog import BUNDLES, read_catalog

SHIPPED, PULLED = ("mini", "portrait"), ("sface", "dlib", "mobilefacenet", "faceplugin", "faceres")
OWN = "dusk"
"""The look that a page adds."""
ROOT = Path(__file__).parents[2]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "examples/README.md")]
PAGES += sorted((ROOT / "docs").glob("*.md"))
PAGES += sorted((ROOT / "docs/journey").glob("*.md"))
TEXTS = {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8") for page in PAGES}
EVERYTHING = "\n".join(TEXTS.values())
GROUPS = {"models": models_app, "references": references_app, "keys": keys_app}
GROUPS |= {"jobs": jobs_app, "webhooks": webhooks_app}
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`]+)`")


def lines_of(text: str) -> list[str]:
    """Whatever stands in code, a command per entry, comments left out."""
    blocks = [block for language, block in BLOCK.findall(text) if language in ("", "sh")]
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    inline = [" ".join(each.split()) for each in INLINE.findall(BLOCK.sub("", text))]
    return [line.partition("  #")[0].strip() for line in lines] + inline


def words_of(line: str) -> list[str]:
    """A command's words without settings in front of it; none where the line is no command."""
    try:
        words = shlex.split(line)
    except ValueError:
        return []
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    return words


def told(program: str) -> list[tuple[str, list[str]]]:
    """Every command of a program with the page that tells of it."""
    commands = [(page, words_of(line)) for page, text in TEXTS.items() for line in lines_of(text)]
    return [(page, words) for page, words in commands if words[:1] == [program] and len(words) > 1]


def unknown(words: list[str]) -> list[str]:
    """What of `diffam ...` its help does not know."""
    _, name, *rest = words
    commands: Any = get_command(app)
    if name in GROUPS:
        commands = get_command(GROUPS[name])
        if not rest:
            return []
        name, *rest = rest
    if name not in commands.commands or commands.commands[name].hidden:
        return [name]
    known = {spelling for param in commands.commands[name].params for spelling in (*param.opts, *param.secondary_opts)}
    return [word for word in rest if word.startswith("--") and word.partition("=")[0] not in known | {"--help"}]


def test_every_command_and_option_that_is_told_exists() -> None:
    commands = told("diffam")
    assert len(commands) > 25
    wrong = [(page, " ".join(words), unknown(words)) for page, words in commands if unknown(words)]
    assert wrong == []


def test_looks_that_are_told_are_those_of_the_default_bundle_or_of_one_that_is_named() -> None:
    looks = {name: {card.id for card in read_catalog(BUNDLES / name, PULLED).references} for name in SHIPPED}
    worn = 0
    for page, text in TEXTS.items():
        for line in lines_of(text):
            words = words_of(line)
            if words[:2] not in (["diffam", "protect"], ["diffam", "evaluate"]) or "--reference" not in words:
                continue
            named = words[words.index("--bundle") + 1] if "--bundle" in words else "portrait"
            bundle = re.search(r"DIFFAM_BUNDLE=(\S+)", line)
            named = bundle.group(1) if bundle else named
            if named in looks and (look := words[words.index("--reference") + 1]) != OWN:
                assert look in looks[named], (page, line)
                worn += 1
    assert worn > 8


@pytest.mark.parametrize(
    ("line", "missing"),
    [
        ("diffam protect me.jpg --reference rose", []),
        ("diffam protect me.jpg --style rose", ["--style"]),
        ("diffam paint me.jpg", ["paint"]),
        ("diffam models pull --style x", ["--style"]),
        ("diffam models melt", ["melt"]),
        ("diffam references train rose", ["train"]),
    ],
)
def test_a_command_that_is_not_there_is_found(line: str, missing: list[str]) -> None:
    assert unknown(words_of(line)) == missing


def test_every_module_that_is_run_exists_and_knows_its_options() -> None:
    runs = [(page, words) for page, words in told("python") if words[1] == "-m"]
    assert len(runs) > 3
    for page, (_, _, module, *options) in runs:
        spec = find_spec(module)
        assert spec is not None, (page, module)
        source = Path(str(spec.origin)).read_text(encoding="utf-8")
        assert [word for word in options if word.startswith("--") and f'"{word}"' not in source] == [], (page, module)


def test_every_setting_that_is_told_exists() -> None:
    named = set(re.findall(r"\bDIFFAM_[A-Z_]+[A-Z]\b", EVERYTHING))
    assert len(named) > 20
    assert sorted(named - {f"DIFFAM_{name.upper()}" for name in Settings.model_fields} - {SERVER, KEY}) == []


def test_every_call_that_is_told_exists() -> None:
    paths = create_app(Settings(_env_file=None)).openapi()["paths"]
    offered = {re.sub(r"\{\w+\}", "x", path): set(methods) for path, methods in paths.items()}
    calls = [(words, page) for page, words in told("curl")]
    asked = [(_method(words), _path(words[-1]), page) for words, page in calls if "://" in words[-1]]
    asked += [
        (verb.lower(), _path(path), page)
        for page, text in TEXTS.items()
        for verb, path in re.findall(r"\b(GET|POST|DELETE|PUT) (/v1/[\w/{}]+)", text)
    ]
    assert len(asked) > 15
    assert [(verb, path, page) for verb, path, page in asked if verb not in offered.get(path, set())] == []


def _method(words: list[str]) -> str:
    if "-X" in words:
        return words[words.index("-X") + 1].lower()
    return "post" if {"-F", "-d"} & set(words) else "get"


def _path(address: str) -> str:
    """Its path, an `x` in every place that an id takes."""
    path = re.sub(r"^http://[^/]+", "", address).partition("?")[0]
    parts = path.strip("/").split("/")
    fixed = list(takewhile(lambda part: part != "", parts))
    for place, part in enumerate(fixed):
        is_id = place == 2 or part.startswith(("$", "{")) or part in FACTS
        fixed[place] = "x" if is_id else part
    return "/" + "/".join(fixed)


def test_every_code_that_a_table_explains_is_one() -> None:
    rows = re.findall(r"^\| ((?:`[a-z_]+`(?:, )?)+) \| ", TEXTS["docs/journey/upload.md"], re.MULTILINE)
    codes = {code for row in rows for code in re.findall(r"`([a-z_]+)`", row)}
    assert codes >= {"photo_empty", "photo_damaged"}
    assert sorted(codes - FACTS.keys()) == []
