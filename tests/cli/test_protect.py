"""`diffam protect PHOTO`: the wishes of the command line reach the pipeline, and what came of them is told."""

import json
from io import BytesIO
from pathlib import Path

import pytest
from PIL import ExifTags, Image
from typer.testing import CliRunner

from cli.main import app
from cli.make import Picture
from cli.protect import as_facts, numbered, told_of
from diffam_client.contract.report import FaceReport
from diffam_client.contract.wish import Kept, Wish
from tests.finished import protected_face, seen_face
from tests.people import shot
from tests.told import SECRETS, telling


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "me.png"
    path.write_bytes(shot(1, 0))
    return path


def test_candidates_are_files_beside_each_other_and_each_tells_its_verdict_and_what_was_kept(photo: Path) -> None:
    photo, out = photo.with_suffix(".jpg"), photo.with_name("out.webp")
    photo.write_bytes(telling(Image.open(BytesIO(shot(1, 0)))))
    wish = ["--candidates", "2", "--vary", "look", "--faces", "0", "--regions", "lips,eyes", "--survival", "half"]
    wish += ["--keep", "credit,date"]
    answer = CliRunner().invoke(app, ["protect", str(photo), "--reference", "rose", "--out", str(out), *wish])
    assert answer.exit_code == 0, answer.output
    for path in (out, photo.with_name("out-2.webp")):
        with Image.open(path) as picture:
            assert (picture.format, picture.size) == ("WEBP", (320, 320))
            exif, packet = picture.getexif(), picture.info["xmp"]
        assert exif.pop(ExifTags.Base.Artist) == "Ada <ada & sons>"
        assert exif.get_ifd(ExifTags.IFD.Exif) == {ExifTags.Base.DateTimeOriginal: "2024:05:31 17:02:09"}
        assert set(exif) == {ExifTags.IFD.Exif}
        assert b"compositeWithTrainedAlgorithmicMedia" in packet
        file = path.read_bytes()
        assert file.count(b"<x:xmpmeta") == 1
        assert [secret for secret in (*SECRETS, "nobody") if secret.encode() in file] == []
    said = " ".join(answer.output.split())
    assert "rose towards aurora, strength 1" in said
    assert "ember towards aurora, strength 1" in said
    assert said.count(" half ") == 2
    assert said.count("the owner in this photo") == 2
    assert "Kept credit (Ada <ada & sons>), date (2024-05-31T17:02:09)." in said


def test_a_face_that_is_not_there_is_refused_with_its_code(photo: Path) -> None:
    out = photo.with_name("out.png")
    answer = CliRunner().invoke(app, ["protect", str(photo), "--reference", "rose", "--out", str(out), "--faces", "3"])
    assert answer.exit_code == 1
    assert "face_unknown" in answer.output
    assert not out.exists()


def test_json_tells_the_first_pictures_faces_on_top_and_all_that_one_can_choose_from() -> None:
    faces: list[FaceReport] = [protected_face(), seen_face(index=1, status="left_alone", code="face_not_chosen")]
    made = [Picture(b"", "rose", "ada", strength, faces, {"name": "mini"}, {"invert": 0.5}) for strength in (1.0, 0.5)]
    facts = as_facts(made, [Path("a.png"), Path("a-2.png")])
    assert json.loads(json.dumps(facts)) == facts
    assert (facts["out"], facts["seconds"], facts["bundle"]) == ("a.png", {"invert": 0.5}, {"name": "mini"})
    assert facts["faces"] == [face.model_dump(mode="json") for face in faces]
    assert "threshold_far_0.01" in json.dumps(facts["faces"])
    assert isinstance(facts["candidates"], list)
    assert [row["out"] for row in facts["candidates"]] == ["a.png", "a-2.png"]
    assert "candidates" not in as_facts(made[:1], [Path("a.png")])


def test_what_the_photo_does_not_tell_is_said() -> None:
    asked = Wish(reference_id="rose", keep=("credit", "copyright", "date"))
    assert told_of(asked, Kept(credit="Ada")) == "Kept credit (Ada). The photo tells no copyright, no date."
    assert told_of(asked, Kept()) == "The photo tells no credit, no copyright, no date."
    assert told_of(asked, Kept(credit="Ada", copyright="all", date="2024-05-31")).endswith("date (2024-05-31).")


def test_a_single_picture_has_the_name_that_was_asked_for() -> None:
    assert numbered(Path("a/out.tar.png"), 1) == [Path("a/out.tar.png")]
    assert numbered(Path("a/out.tar.png"), 3)[1:] == [Path("a/out.tar-2.png"), Path("a/out.tar-3.png")]
