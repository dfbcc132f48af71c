"""The whole way as people go it: a client, the facade, a worker process, and the instance at the end."""

from io import BytesIO
from pathlib import Path

from mastodon import Mastodon
from PIL import Image, ImageOps

from cli.stack.stack import running_stack
from tests.cli.conftest import MANIFEST, STAND_IN, own_settings
from tests.mastodon_instance import TOKEN, Instance
from tests.people import shot


def test_two_calls_of_the_library_post_a_protected_picture(instance: Instance, tmp_path: Path) -> None:
    (tmp_path / "mini").mkdir()
    (tmp_path / "mini" / "bundle.toml").write_text(MANIFEST)
    settings = own_settings(tmp_path, tmp_path / "data").model_copy(update={"mastodon_url": instance.url})
    photo = shot(0, 0, 96)
    with running_stack(settings, print, STAND_IN) as stack:
        stack.wait_until_ready()
        ada = Mastodon(access_token=TOKEN, api_base_url=stack.url)
        status = ada.status_post("Hello", media_ids=ada.media_post(photo, "image/png", description="Ada"))
        logs = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())
    (posted,) = instance.media.values()
    assert [each.id for each in status.media_attachments] == [posted.id]
    negative = ImageOps.invert(Image.open(BytesIO(photo)).convert("RGB"))  # what the worker makes of any photo
    assert Image.open(BytesIO(posted.content)).tobytes() == negative.tobytes()
    assert posted.description == "Ada"
    assert not instance.holds(photo)
    assert TOKEN.encode() not in logs
