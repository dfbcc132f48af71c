"""The first calls that README shows, made as they stand there: a photo is sent, watched, fetched and erased."""

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from diffam_client import NotThere
from tests.story.conftest import Service

pytestmark = pytest.mark.xdist_group("service")

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_the_first_calls_work_as_they_stand_there(service: Service, scene: bytes, tmp_path: Path) -> None:
    (block,) = (each for each in re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL) if "curl" in each)
    (tmp_path / "me.jpg").write_bytes(scene)
    here = {"http://127.0.0.1:8000": service.stack.url, "everyday": service.catalog.references[0].id}
    job_id = ""
    for line in block.splitlines():
        for told, ours in here.items():
            line = line.replace(told, ours)
        words = shlex.split(line.replace("{id}", job_id), comments=True)
        done = subprocess.run(
            [*words, "--fail", "--silent"], cwd=tmp_path, check=True, capture_output=True, text=True, timeout=60
        )
        if not job_id:
            job_id = json.loads(done.stdout)["id"]
            service.api.wait(job_id)
    with Image.open(tmp_path / "protected.png") as protected, Image.open(tmp_path / "me.jpg") as photo:
        assert protected.size == photo.size
    with pytest.raises(NotThere):
        service.api.get(job_id)
