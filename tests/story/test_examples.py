"""`examples/`, run as they stand there, against a real service and what stands in for the rest of the world."""

import os
import socket
import subprocess
import sys
import threading
from argparse import Namespace
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
from PIL import Image
from standardwebhooks import Webhook as Signer

from examples.bluesky.post import fitted, post
from jobs.webhooks.secrets import secret_of
from tests.bluesky_server import APP_PASSWORD, HANDLE, MAX_IMAGE_BYTES, bluesky_running
from tests.bluesky_server import Server as Bluesky
from tests.mastodon_instance import TOKEN, Instance, instance_running
from tests.receiver import eventually
from tests.story.conftest import Service

pytestmark = pytest.mark.xdist_group("service")

EXAMPLES = Path(__file__).parents[2] / "examples"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def env(service: Service) -> dict[str, str]:
    """What the examples read of the environment: where the service is."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DIFFAM_")}
    return kept | {"DIFFAM_SERVER": service.stack.url}


@pytest.fixture
def run(env: dict[str, str], tmp_path: Path) -> Run:
    """Runs an example to its end, in a folder of its own."""

    def run(example: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        program = [sys.executable] if example.endswith(".py") else []
        command = [*program, str(EXAMPLES / example), *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=env | more, capture_output=True, text=True, timeout=120, check=False
        )

    return run


@pytest.fixture
def me(scene: bytes, tmp_path: Path) -> Path:
    """A photo of one person, as a camera would leave it."""
    path = tmp_path / "me at the lake; 1,5.jpg"  # a name that a form could misread
    Image.open(BytesIO(scene)).save(path, quality=88)
    return path


@pytest.fixture
def wall(tmp_path: Path) -> Path:
    """A photo of nobody."""
    path = tmp_path / "wall.png"
    Image.new("RGB", (200, 150), "teal").save(path)
    return path


def is_made_up(photo: bytes, original: Path) -> bool:
    """Whether it is the same picture in the same size, but for a face: compression alone moves no pixel so far."""
    before = np.asarray(Image.open(original).convert("RGB"), int)
    after = np.asarray(Image.open(BytesIO(photo)).convert("RGB"), int)
    return before.shape == after.shape and 0.002 < (np.abs(before - after) > 25).mean() < 0.2


def test_curl_alone_protects_a_photo_and_leaves_nothing_behind(service: Service, run: Run, me: Path) -> None:
    before = {job.id for job in service.api.jobs()}
    answer = run("curl/protect.sh", me.name, "rose", "out.jpg", TMPDIR=str(me.parent))
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "out.jpg\n", "")
    assert is_made_up(me.with_name("out.jpg").read_bytes(), me)
    assert {job.id for job in service.api.jobs()} == before
    assert {path.name for path in me.parent.iterdir()} == {me.name, "out.jpg"}
    again = run("curl/protect.sh", me.name, "rose", "out.jpg")
    assert (again.returncode, again.stderr) == (1, "protect.sh: out.jpg is there already, and stays as it is\n")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("wall.png", "tulip", "out.png"), "refused (422): no reference 'tulip'; this bundle has: rose, ember, lagoon"),
        (("wall.png", "rose", "out.png"), "the job failed: no_face_found"),
        (("none.png", "rose", "out.png"), "no such photo: none.png"),
        (("wall.png", "rose", "out.gif"), "OUT must end in .png, .jpg or .webp, not as out.gif"),
        (("wall.png",), "usage: protect.sh PHOTO LOOK OUT"),
    ],
)
def test_curl_says_in_a_line_what_went_wrong(
    service: Service, run: Run, wall: Path, arguments: tuple[str, ...], told: str
) -> None:
    before = {job.id for job in service.api.jobs()}
    answer = run("curl/protect.sh", *arguments)
    assert (answer.returncode, answer.stdout, answer.stderr) == (1, "", f"protect.sh: {told}\n")
    assert {job.id for job in service.api.jobs()} == before
    assert [path.name for path in wall.parent.iterdir()] == [wall.name]


def test_curl_says_how_to_start_a_service_where_none_answers(run: Run, wall: Path) -> None:
    answer = run("curl/protect.sh", wall.name, "rose", "out.png", DIFFAM_SERVER="http://127.0.0.1:1")
    assert answer.returncode == 1
    assert "no answer from http://127.0.0.1:1 (`diffam up` starts a service on this machine)" in answer.stderr


def test_curl_sends_the_key_and_tells_it_nobody_else(run: Run, wall: Path) -> None:
    asked, seen = list[str | None](), list[str]()

    class Door(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            asked.append(self.headers["Authorization"])
            seen.extend(" ".join(each.info["cmdline"] or ()) for each in psutil.process_iter(["cmdline"]))
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = b'{"code":"key_refused","detail":"that is \\"no\\" key","errors":[{"detail":"of ours"}]}'
            self.send_response(401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_DELETE(self) -> None:
            self.do_PUT()

        def log_message(self, *_: object) -> None:
            """Nothing is said."""

    with HTTPServer(("127.0.0.1", 0), Door) as door:
        thread = threading.Thread(target=door.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        url = f"http://127.0.0.1:{door.server_port}"
        answer = run("curl/protect.sh", wall.name, "rose", "out.png", DIFFAM_SERVER=url, DIFFAM_API_KEY="diffam_abc")
        door.shutdown()
        thread.join()
    assert asked == ["Bearer diffam_abc"] * 2
    assert answer.stderr.startswith('protect.sh: refused (401): that is \\"no\\" key\nprotect.sh: could not erase ')
    curls = [line for line in seen if line.startswith("curl ") and url in line]
    assert (len(curls), [line for line in seen if "diffam_abc" in line]) == (2, [])


def test_python_protects_a_photo_and_tells_of_it(run: Run, me: Path) -> None:
    answer = run("python/protect_photo.py", me.name, "rose")
    assert answer.returncode == 0, answer.stderr
    assert "75% make_up\n" in answer.stderr
    assert "recognise the owner in this photo." in answer.stdout
    assert is_made_up(me.with_stem(f"{me.stem}-protected").read_bytes(), me)


def test_python_protects_a_folder_and_a_photo_fails_alone(run: Run, me: Path, wall: Path) -> None:
    album, out = me.parent / "album", me.parent / "out"
    album.mkdir()
    for photo in (me, wall):
        photo.rename(album / photo.name)
    (album / "notes.txt").write_text("no photo")
    answer = run("python/protect_folder.py", "album", "rose", "out")
    assert answer.returncode == 1
    assert answer.stdout.startswith(f"{me.name}: ")
    assert answer.stderr.startswith("wall.png: no_face_found: ")
    assert [path.name for path in out.iterdir()] == [me.name]
    assert is_made_up((out / me.name).read_bytes(), album / me.name)
    (album / wall.name).unlink()
    again = run("python/protect_folder.py", "album", "rose", "out")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


def test_the_receiver_fetches_what_it_is_told_of_and_believes_only_the_service(
    service: Service, scene: bytes, env: dict[str, str], tmp_path: Path
) -> None:
    secret = secret_of(service.settings.webhooks, "")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    hook = f"http://127.0.0.1:{port}/hook"
    command = [sys.executable, "-m", "uvicorn", "--factory", "receiver:create_app", "--port", str(port)]
    folder = EXAMPLES / "webhook_receiver"
    with subprocess.Popen(
        [*command, "--app-dir", str(folder), "--no-access-log"], cwd=tmp_path, env=env | {"WEBHOOK_SECRET": secret},
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as receiver:  # fmt: skip
        try:
            assert eventually(lambda: is_listening(port))
            job = service.submit(scene, webhook_url=hook)
            saved = tmp_path / "protected" / f"{job.id}.png"
            assert eventually(lambda: [each.state for each in service.api.deliveries(job).messages] == ["delivered"])
            assert saved.read_bytes() == service.api.result(job)
            body = b'{"type":"job.failed","data":{"id":"x","kind":"protect","status":"failed"}}'
            assert [sent(hook, body, secret), sent(hook, body, secret)] == [200, 200]  # the same message, twice
            assert sent(hook, body, "whsec_" + "A" * 43) == 401
            assert httpx.post(hook, content=b"\xff", headers={"webhook-signature": "v1"}).status_code == 401
            assert httpx.post(hook, content=bytes(70_000)).status_code == 413
        finally:
            receiver.terminate()
        told, _ = receiver.communicate(timeout=20)
    assert told == f"{job.id}: succeeded\nx: failed\n"


def is_listening(port: int) -> bool:
    """Whether somebody takes connections there."""
    with socket.socket() as knocking:
        return knocking.connect_ex(("127.0.0.1", port)) == 0


def sent(hook: str, body: bytes, secret: str) -> int:
    """The answer to a message that is signed so."""
    now = datetime.now(UTC)
    headers = {"webhook-id": "msg_x_1", "webhook-timestamp": str(int(now.timestamp()))}
    signed = headers | {"webhook-signature": Signer(secret).sign("msg_x_1", now, body.decode())}
    return httpx.post(hook, content=body, headers=signed).status_code


@pytest.fixture
def instance() -> Iterator[Instance]:
    """A Mastodon instance."""
    with instance_running() as running:
        yield running


def test_on_mastodon_the_protected_photo_is_posted_with_description_and_focus(
    run: Run, me: Path, instance: Instance
) -> None:
    instance.looks = 1  # it takes its time
    account = {"MASTODON_URL": instance.url, "MASTODON_TOKEN": TOKEN}
    said = ("--look", "rose", "--description", "I laugh", "--focus", "0.1", "-0.4", "--visibility", "unlisted")
    answer = run("mastodon/post.py", me.name, "At the lake", *said, **account)
    assert answer.returncode == 0, answer.stderr
    (media,), (status,) = instance.media.values(), instance.statuses
    assert (media.description, media.focus, media.media_type) == ("I laugh", "0.1,-0.4", "image/jpeg")
    assert (status["content"], [each["id"] for each in status["media_attachments"]]) == ("At the lake", [media.id])
    assert is_made_up(media.content, me)
    assert not instance.holds(me.read_bytes())


def test_on_mastodon_nothing_is_posted_that_could_not_be_protected(run: Run, wall: Path, instance: Instance) -> None:
    account = {"MASTODON_URL": instance.url, "MASTODON_TOKEN": TOKEN}
    answer = run("mastodon/post.py", wall.name, "A wall", "--look", "rose", **account)
    assert answer.returncode == 1
    assert answer.stderr.startswith("Not posted: no_face_found: ")
    assert run("mastodon/post.py", wall.name, "A wall").stderr == "Not posted: 'MASTODON_TOKEN' is not set\n"
    assert (instance.media, instance.statuses) == ({}, [])
    assert not instance.holds(wall.read_bytes())


@pytest.fixture
def bluesky() -> Iterator[Bluesky]:
    """A Bluesky server."""
    with bluesky_running() as running:
        yield running


def test_on_bluesky_the_protected_photo_is_posted_with_its_alt_text(run: Run, me: Path, bluesky: Bluesky) -> None:
    account = {"BLUESKY_URL": bluesky.url, "BLUESKY_HANDLE": HANDLE, "BLUESKY_APP_PASSWORD": APP_PASSWORD}
    answer = run("bluesky/post.py", me.name, "At the lake", "--look", "rose", "--alt", "I laugh", **account)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.endswith("at://did:plc:ada/app.bsky.feed.post/1\n")
    (post,) = bluesky.posts
    (image,) = post.embed.images
    assert (post.text, image.alt, image.image.media_type) == ("At the lake", "I laugh", "image/jpeg")
    assert image.ratio is not None
    assert (image.ratio.width, image.ratio.height) == (512, 512)
    assert list(bluesky.blobs) == [image.image.ref.cid]
    assert is_made_up(bluesky.blobs[image.image.ref.cid], me)


def test_on_bluesky_nothing_is_posted_that_could_not_be_protected(run: Run, wall: Path, bluesky: Bluesky) -> None:
    account = {"BLUESKY_URL": bluesky.url, "BLUESKY_HANDLE": HANDLE, "BLUESKY_APP_PASSWORD": "wrong"}
    answer = run("bluesky/post.py", wall.name, "A wall", "--look", "rose", **account)
    assert answer.returncode == 1
    assert answer.stderr.startswith("Not posted: no_face_found: ")
    assert (bluesky.blobs, bluesky.posts) == ({}, [])


@pytest.mark.parametrize(
    ("password", "told"), [("wrong", "Invalid identifier or password"), (APP_PASSWORD, "This file is too large.")]
)
def test_what_bluesky_refuses_is_told_in_its_words(bluesky: Bluesky, password: str, told: str) -> None:
    photo, said = BytesIO(), Namespace(text="Noise", alt="")
    noisy().save(photo, "PNG")
    login = {"identifier": HANDLE, "password": password}
    with httpx.Client(base_url=bluesky.url) as server, pytest.raises(httpx.HTTPStatusError, match=told):
        post(server, login, photo.getvalue(), said)
    assert bluesky.posts == []


def noisy() -> Image.Image:
    """A picture that nothing compresses."""
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (1000, 1200, 3), np.uint8))


def test_a_photo_too_large_for_bluesky_is_written_anew_as_little_as_fits() -> None:
    file = BytesIO()
    noisy().save(file, "PNG")
    large = file.getvalue()
    assert len(large) > MAX_IMAGE_BYTES
    assert fitted(large, len(large)) == large
    sizes = []
    for limit in (MAX_IMAGE_BYTES, 200_000):
        smaller = fitted(large, limit)
        assert limit / 2 < len(smaller) <= limit
        with Image.open(BytesIO(smaller)) as opened:
            assert opened.format == "JPEG"
            sizes.append(opened.size)
    assert sizes[0] == (1200, 1000)
    assert sizes[1][0] < 1200
