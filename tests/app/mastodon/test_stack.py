"""The whole way as people go it: the page's example, the facade, a worker process, and the instance at the end."""

import re
from contextlib import chdir
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageOps

from cli.stack.stack import running_stack
from tests.cli.conftest import MANIFEST, STAND_IN, own_settings
from tests.mastodon_instance import TOKEN, Instance
from tests.people import shot

PAGE = (Path(__file__).parents[3] / "docs/mastodon.md").read_text(encoding="utf-8")


@pytest.mark.filterwarnings("ignore:Exception ignored in.*me.png")  # the library leaves the file open
def test_the_example_of_the_page_posts_a_protected_picture(instance: Instance, tmp_path: Path) -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "mini").mkdir()
    (tmp_path / "mini" / "bundle.toml").write_text(MANIFEST)
    settings = own_settings(tmp_path, tmp_path / "data").model_copy(update={"mastodon_url": instance.url})
    photo = shot(0, 0, 96)
    (tmp_path / "me.png").write_bytes(photo)  # which keeps every pixel
    with running_stack(settings, print, STAND_IN) as stack:
        stack.wait_until_ready()
        for told, here in {"http://127.0.0.1:8000": stack.url, '"..."': repr(TOKEN), "me.jpg": "me.png"}.items():
            assert example.count(told) == 1
            example = example.replace(told, here)
        names: dict[str, Any] = {}
        with chdir(tmp_path):
            exec(compile(example, "docs/mastodon.md", "exec"), names)  # noqa: S102
        logs = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())
    (posted,) = instance.media.values()
    assert [each["id"] for each in instance.statuses[0]["media_attachments"]] == [posted.id]
    negative = ImageOps.invert(Image.open(BytesIO(photo)).convert("RGB"))  # what the worker makes of any photo
    assert Image.open(BytesIO(posted.content)).tobytes() == negative.tobytes()
    assert (posted.description, posted.focus) == ("Me at the lake", "0.1,0.4")
    assert not instance.holds(photo)
    assert TOKEN.encode() not in logs
