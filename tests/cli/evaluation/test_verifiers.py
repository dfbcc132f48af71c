"""`diffam evaluate --verifier` sends nothing without consent, and tells what came back."""

import json
import os
import pty
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console
from typer.testing import CliRunner

from cli.errors import CliError
from cli.evaluation.verifiers import VerifierOrder, agree, print_verdicts
from cli.main import app
from evaluation.commercial.errors import VerifierUnavailable
from evaluation.commercial.verification import Answer, Question, Verification
from evaluation.commercial.verifier import Confidence
from evaluation.methods import METHODS
from jobs.settings import Settings
from tests.evaluation.commercial.verifier_server import KEY, SECRET, VerifierServer, serving

WORDS = [
    "evaluate", "--faces", "4", "--seed", "3", "--method", "makeup", "--reference", "rose", "--verifier-photos", "2",
    "--treatment", "clean",
]  # fmt: skip
BOTH = ["--verifier", "facepp", "--verifier", "aliyun"]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[VerifierServer]:
    """Both services on this machine, in the settings."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    with serving() as running:
        values = {
            "FACEPP_URL": running.url, "FACEPP_API_KEY": KEY, "FACEPP_API_SECRET": SECRET, "FACEPP_PER_SECOND": "500",
            "ALIYUN_URL": running.url, "ALIYUN_ACCESS_KEY_ID": KEY, "ALIYUN_ACCESS_KEY_SECRET": SECRET,
            "ALIYUN_PER_SECOND": "500",
        }  # fmt: skip
        for name, value in values.items():
            monkeypatch.setenv(f"DIFFAM_{name}", value)
        yield running


def test_without_consent_nothing_is_sent(server: VerifierServer) -> None:
    answer = CliRunner().invoke(app, [*WORDS, *BOTH])
    assert answer.exit_code == 1
    assert "Photos will leave this machine" in answer.output
    assert "Megvii" in answer.output
    assert "--send-photos" in answer.output
    assert server.requests == []


@pytest.mark.parametrize(("said", "is_sent"), [("y\n", True), ("n\n", False), ("\n", False), ("\x04", False)])
def test_at_a_terminal_only_yes_is_yes(
    server: VerifierServer, monkeypatch: pytest.MonkeyPatch, said: str, is_sent: bool
) -> None:
    assert Settings().facepp_url == server.url
    keyboard, terminal = pty.openpty()
    os.write(keyboard, said.encode())
    console = Console(file=StringIO(), width=100)
    with os.fdopen(terminal) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        questions = [Question("diffam", "rose/aurora/ir152", "aurora")]
        order = VerifierOrder(("facepp",), photos=20)
        if is_sent:
            agree(console, Settings(), order, questions, 100)
        else:
            with pytest.raises(CliError, match="nothing was sent"):
                agree(console, Settings(), order, questions, 100)
    os.close(keyboard)
    assert isinstance(console.file, StringIO)
    assert "up to 20 comparisons" in console.file.getvalue()


def test_with_consent_both_verifiers_are_asked_and_reported(server: VerifierServer, tmp_path: Path) -> None:
    out, file = tmp_path / "report", tmp_path / "cells.json"
    answer = CliRunner().invoke(app, [*WORDS, *BOTH, "--send-photos", "--json", str(file), "--out", str(out)])
    assert answer.exit_code == 0, answer.output
    assert answer.output.count("up to 8 comparisons") == 2
    assert len(server.requests) == 2 * 8
    verifiers = json.loads(file.read_text())["verifiers"]
    assert {(row["verifier"], row["target"]) for row in verifiers["rows"]} == {
        (name, target) for name in ("facepp", "aliyun") for target in ("aurora", "bruno", "celia")
    }
    assert len(verifiers["comparisons"]) == 16
    assert verifiers["stopped"] == {}
    page = (out / "index.html").read_text()
    assert "What commercial verifiers say" in page
    assert ET.parse(out / "verifiers.svg").getroot().tag.endswith("svg")  # noqa: S314
    assert not any(SECRET in text or KEY in text for text in (answer.output, page, file.read_text()))


def test_what_ended_a_verifier_early_is_an_error_after_the_table() -> None:
    console = Console(file=StringIO(), width=160)
    threshold = {"1e-3": 62.0, "1e-4": 69.0, "1e-5": 74.0}
    answer = Answer("facepp", Question("nothing", "", "aurora"), 0, Confidence(71.5, threshold))
    stopped = {"facepp": VerifierUnavailable("Face++: HTTP 503")}
    with pytest.raises(VerifierUnavailable, match="HTTP 503"):
        print_verdicts(console, Verification([answer], {**stopped}), METHODS)
    assert isinstance(console.file, StringIO)
    (line,) = [line for line in console.file.getvalue().splitlines() if "facepp" in line]
    assert line.replace("│", " ").split() == [
        "facepp",
        "No",
        "protection",
        "-",
        "aurora",
        "71.5",
        "100",
        "(21-100)",
        "-",
        "-",
        "0",
    ]


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("FACEPP_API_SECRET", "", "DIFFAM_FACEPP_API_KEY and DIFFAM_FACEPP_API_SECRET"),
        ("FACEPP_URL", "http://verifier.example", "https only"),
        ("FACEPP_URL", "verifier.example", "https only"),
    ],
)
def test_without_a_key_or_in_the_clear_nobody_is_asked(
    server: VerifierServer, monkeypatch: pytest.MonkeyPatch, name: str, value: str, complaint: str
) -> None:
    monkeypatch.setenv(f"DIFFAM_{name}", value)
    answer = CliRunner().invoke(app, [*WORDS, "--verifier", "facepp", "--send-photos"])
    assert answer.exit_code == 1
    assert complaint in answer.output
    assert server.requests == []


def test_an_unknown_verifier_is_named_with_those_there_are() -> None:
    answer = CliRunner().invoke(app, [*WORDS, "--verifier", "mirror", "--send-photos"])
    assert answer.exit_code == 1
    assert "facepp, aliyun" in answer.output


def test_settings_never_show_the_keys(server: VerifierServer) -> None:
    settings = Settings()
    assert settings.facepp_api_secret is not None
    assert server.url == settings.facepp_url
    shown = repr(settings) + str(settings.model_dump()) + settings.model_dump_json()
    assert SECRET not in shown
    assert KEY not in shown
