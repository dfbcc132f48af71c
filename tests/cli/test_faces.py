"""`diffam faces` shows who can be chosen, and changes nothing."""

import json
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner

from cli.faces import draw_boxes, print_faces
from cli.main import app
from tests.finished import seen_face
from tests.people import shot

FOUND = seen_face(notes=["face_cut_off"])
SMALL = seen_face(index=1, box=(200, 60, 24, 24), code="face_too_small")


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("faces") / "me.png"
    path.write_bytes(shot(1, 0))
    return path


def test_faces_are_told_as_json_and_drawn_on_a_copy(photo: Path, tmp_path: Path) -> None:
    copy = tmp_path / "numbered.jpg"
    answer = CliRunner().invoke(app, ["faces", str(photo), "--json", "--picture", str(copy)])
    assert answer.exit_code == 0, answer.output
    told = json.loads(answer.stdout)
    assert (told["width"], told["height"]) == (320, 320)
    assert [(face["index"], face["code"]) for face in told["faces"]] == [(0, None)]
    with Image.open(copy) as drawn:
        assert (drawn.format, drawn.size) == ("JPEG", (320, 320))
    assert photo.read_bytes() == shot(1, 0)


def test_the_table_has_a_row_per_face_with_what_would_become_of_it() -> None:
    text = StringIO()
    print_faces(Console(file=text, width=100), [FOUND, SMALL])
    lines = [" ".join(line.split()) for line in text.getvalue().splitlines()]
    assert "0 40, 30 100x110 70,80 112,82 protected face_cut_off" in lines
    assert any(line.startswith("1 200, 60 24x24") and "left alone: face_too_small" in line for line in lines)


def test_a_photo_without_a_face_is_said_to_have_none() -> None:
    text = StringIO()
    print_faces(Console(file=text), [])
    assert text.getvalue() == "No face was found in this photo.\n"


def test_boxes_stand_around_the_faces_and_nowhere_else() -> None:
    grey = np.full((160, 320, 3), 90, dtype=np.uint8)
    drawn = draw_boxes(grey, [FOUND, SMALL])
    changed = (drawn != grey).any(axis=2)
    assert changed[30, 40:140].all()
    assert changed[30:140, 40].all()
    assert changed[60, 200:224].all()
    assert not changed[:, :38].any()
    assert not changed[:, 230:].any()


def test_a_photo_that_is_none_is_refused_with_its_code(tmp_path: Path) -> None:
    (tmp_path / "me.png").write_bytes(b"a letter")
    answer = CliRunner().invoke(app, ["faces", str(tmp_path / "me.png")])
    assert answer.exit_code == 1
    assert "photo_format_unsupported" in answer.output
