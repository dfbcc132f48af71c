"""The command line answers at once and complains in one line."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app

runner = CliRunner()


def test_help_loads_no_models() -> None:
    code = "import sys, typer, cli.main; typer.main.get_command(cli.main.app); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


@pytest.mark.parametrize("command", ["up", "demo", "faces", "protect", "models"])
def test_every_command_is_in_the_help(command: str) -> None:
    assert command in runner.invoke(app, ["--help"]).output


def test_a_missing_photo_is_one_line_and_status_1(tmp_path: Path) -> None:
    answer = runner.invoke(app, ["demo", "--photo", str(tmp_path / "none.jpg")])
    assert answer.exit_code == 1
    assert "none.jpg" in answer.output.replace("\n", "")
    assert "Traceback" not in answer.output
