"""Options are checked like form fields, in words, and before anything heavy loads."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from cli.errors import CliError
from cli.main import app
from cli.wishes import FORMATS, OPTIONS, asked, format_of, read_wish, suffix_of
from diffam_client.asking import form_of
from diffam_client.contract.wish import Wish
from tests.people import shot

WRONG = {
    "--faces": "first",
    "--skip": "first",
    "--eyes": "left",
    "--strength": "2",
    "--regions": "lips,nose",
    "--keep": "place",
    "--survival": "fax",
    "--candidates": "4",
    "--vary": "mood",
}


def wish(**fields: str) -> Wish:
    return read_wish({"reference_id": "rose"} | fields)


@pytest.mark.parametrize(("option", "value"), WRONG.items())
def test_a_wrong_value_is_refused_with_what_the_option_takes(option: str, value: str) -> None:
    with pytest.raises(CliError, match=f"{option} must be .*; not '{value}'"):
        wish(**{option.removeprefix("--"): value})


def test_an_option_without_words_of_its_own_is_refused_in_those_of_its_field() -> None:
    with pytest.raises(CliError, match="--target: String should have at most 64 characters; not 'xxx"):
        wish(target_id="x" * 65)


@pytest.mark.parametrize("field", Wish.model_fields)
def test_whatever_may_be_asked_of_a_photo_has_an_option(field: str) -> None:
    command = get_command(app)
    assert isinstance(command, TyperGroup)
    spelled = {spelling for option in command.commands["protect"].params for spelling in option.opts}
    assert f"--{OPTIONS.get(field, field)}" in spelled


def test_options_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(CliError, match="candidates cannot vary in strength"):
        wish(candidates="3", strength="auto")


def test_what_the_options_say_is_what_a_service_reads() -> None:
    wished = wish(faces="0,2", strength="0.5", regions="lips, eyes", survival="half", judges="none", target_id="")
    assert read_wish(form_of(asked(wished, None))) == wished
    assert form_of(asked(wish(strength="auto", faces="largest"), None)) == {
        "reference_id": "rose", "strength": "auto", "faces": "largest",
    }  # fmt: skip


def test_every_format_has_a_suffix_and_every_suffix_a_format() -> None:
    assert {format_of(suffix_of(name)) for name in FORMATS.values()} == set(FORMATS.values())
    assert format_of(".JPG") == "jpeg"
    with pytest.raises(CliError, match=r"must end in \.png, \.jpg"):
        format_of(".gif")


LOADS_TORCH = """
import sys
from typer.testing import CliRunner
from cli.main import app
answers = [CliRunner().invoke(app, ["protect", *words.split()]) for words in sys.argv[1:]]
assert all(answer.exit_code == 1 for answer in answers), [answer.output for answer in answers]
sys.exit(3 if "torch" in sys.modules else 0)
"""


def test_wrong_words_are_answered_before_torch_loads(tmp_path: Path) -> None:
    (tmp_path / "me.png").write_bytes(shot(0, 0))
    photo, album = f"{tmp_path}/me.png --out {tmp_path}/out.png", f"{tmp_path} --out {tmp_path}/out"
    wrong = [f"{photo} --reference rose {option} {value}" for option, value in WRONG.items()]
    wrong += [f"{photo} --reference tulip", f"{photo} --reference rose --vary look --candidates 3 --target nobody"]
    wrong += [f"{album} --reference rose --candidates 2", f"{album} --reference rose --faces 0"]
    wrong += [f"{album} --reference rose --skip 0", f"{photo} --reference rose --eyes 1,2,3"]
    wrong += [f"{album} --reference rose --server {url}" for url in ("here", "http://127.0.0.1:1")]
    wrong += [f"{tmp_path} --out {tmp_path} --reference rose", f"{photo} --reference rose --server here"]
    # In a process of its own: plain_errors imports the core's errors, and this process has torch already.
    answer = subprocess.run([sys.executable, "-c", LOADS_TORCH, *wrong], timeout=120, check=False, capture_output=True)
    assert answer.returncode == 0, answer.stderr
