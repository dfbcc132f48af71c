"""An owner wants the photo back: sent with `undo=1`, fetched with its undo file, erased, and restored from the two."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from cli.main import app
from model_store.rendered.scenes import group_scene
from tests.story.conftest import Service, png

pytestmark = pytest.mark.xdist_group("service")


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_what_was_uploaded_comes_back_bit_for_bit(service: Service, tmp_path: Path, mode: str) -> None:
    friends = Image.fromarray(group_scene(11, 640, 400, faces=2, tilt_deg=10, box_widths=(100, 140))[0])
    if mode == "RGBA":
        friends.putalpha(Image.linear_gradient("L").resize(friends.size).point(lambda level: max(level, 1)))
    fields = {"reference_id": "rose", "target_id": "aurora", "undo": "1", "candidates": "2"}
    accepted = service.client.post("/v1/jobs", data=fields, files={"photo": png(friends)}).json()
    service.follow(accepted["id"])
    done = service.client.get(accepted["links"]["self"]).json()
    assert [face["status"] for face in done["output"]["faces"]] == ["protected"] * 2
    for number, candidate in enumerate(done["output"]["candidates"]):
        for name, url in (("protected.png", candidate["photo"]["url"]), ("file.undo", candidate["photo"]["undo_url"])):
            (tmp_path / f"{number}-{name}").write_bytes(service.client.get(url).content)
    service.client.delete(done["links"]["erase"]).raise_for_status()
    for number in range(2):
        protected, file, out = (
            tmp_path / f"{number}-{name}" for name in ("protected.png", "file.undo", "original.png")
        )
        assert file.stat().st_size < protected.stat().st_size
        words = ["undo", protected, "--with", file, "--key", accepted["undo_key"], "--out", out]
        answer = CliRunner().invoke(app, [str(word) for word in words])
        assert answer.exit_code == 0, answer.output
        with Image.open(out) as restored, Image.open(protected) as posted:
            assert restored.mode == mode
            assert np.array_equal(np.array(restored), np.array(friends))
            assert not np.array_equal(np.array(posted), np.array(friends))


def test_the_command_line_has_the_service_make_an_undo_file(service: Service, tmp_path: Path) -> None:
    me = Image.fromarray(group_scene(11, 640, 400, faces=1, box_widths=(140, 140))[0])
    photo, out, undo, back = (tmp_path / name for name in ("me.png", "out.png", "me.undo", "back.png"))
    photo.write_bytes(png(me))
    words = ["protect", photo, "--reference", "rose", "--target", "aurora", "--server", service.stack.url, "--json"]
    said = CliRunner().invoke(app, [str(word) for word in (*words, "--out", out, "--undo", undo)])
    assert said.exit_code == 0, said.output
    key = json.loads(said.stdout)["undo"]["key"]
    answer = CliRunner().invoke(app, [str(word) for word in ("undo", out, "--with", undo, "--key", key, "--out", back)])
    assert answer.exit_code == 0, answer.output
    with Image.open(back) as restored, Image.open(out) as posted:
        assert np.array_equal(np.array(restored), np.array(me))
        assert not np.array_equal(np.array(posted), np.array(me))
