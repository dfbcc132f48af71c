"""`diffam mcp`: an assistant has photos of a folder protected, by a real service, and reaches nothing else."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.client.client import CallToolResult
from fastmcp.client.transports import StdioTransport
from fastmcp.exceptions import ToolError
from mcp import MCPError
from mcp_types import ImageContent, TextContent
from PIL import Image, ImageOps
from typer.testing import CliRunner

from cli.main import app
from cli.mcp.folder import PathRefused, photo_in, place_in, write_new
from cli.mcp.server import Desk, assistant_server
from tests.cli.conftest import Watched, eventually
from tests.people import shot

Call = Callable[..., CallToolResult]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Photos, and around them what is nobody's business."""
    path = tmp_path / "photos"
    path.mkdir()
    (path / "me.png").write_bytes(shot(0, 0, 96))
    (path / "notes.txt").write_text("no photo")
    (path / "album.png").mkdir()
    (tmp_path / "secret.png").write_bytes(b"secret")
    (path / "link.png").symlink_to(tmp_path / "secret.png")
    (path / "round.png").symlink_to(path / "round.png")
    (path / "dangling.png").symlink_to(tmp_path / "new.png")
    (path / "out").symlink_to(tmp_path)
    return path.resolve()


@pytest.fixture
def call(watched: Watched, folder: Path) -> Call:
    """Calls a tool of a server in this process."""

    async def called(name: str, arguments: dict[str, Any], options: dict[str, Any]) -> CallToolResult:
        desk = Desk(folder, options.pop("url", watched.stack.url), options.pop("is_shown", False))
        async with Client(assistant_server(desk), mode="legacy") as assistant:  # as older ones speak
            result: CallToolResult = await assistant.call_tool(name, arguments, **options)
            return result

    return lambda name, arguments, **options: asyncio.run(called(name, arguments, options))


def texts(result: CallToolResult) -> list[str]:
    return [block.text for block in result.content if isinstance(block, TextContent)]


def test_an_assistant_asks_for_the_looks_and_protects_a_photo_over_stdio(watched: Watched, folder: Path) -> None:
    before = {job.id for job in watched.api.jobs()}
    command = ["-m", "cli.main", "mcp", "--folder", str(folder), "--server", watched.stack.url]
    transport = StdioTransport(sys.executable, command, env=dict(os.environ), keep_alive=False)
    progress: list[tuple[float, str | None]] = []

    async def tell(fraction: float, _: float | None, stage: str | None) -> None:
        progress.append((fraction, stage))

    async def assist() -> tuple[list[str], CallToolResult, CallToolResult]:
        async with Client(transport) as assistant:
            tools = [tool.name for tool in await assistant.list_tools()]
            looks = await assistant.call_tool("list_looks")
            wish = {"photo": "me.png", "look": looks.data[0].id}
            return tools, looks, await assistant.call_tool("protect_photo", wish, progress_handler=tell)

    tools, looks, made = asyncio.run(assist())
    assert tools == ["list_looks", "protect_photo"]
    assert looks.structured_content == {"result": [{"id": "rose", "title": "Rose", "description": "Rose lips"}]}
    (report,) = texts(made)
    path = folder / "me-protected.png"
    assert made.structured_content == {"path": str(path), "report": report}
    assert report.startswith(f"The protected photo is {path}. The original is as it was.\nFace 0: ")
    assert "the owner: likeness" in report
    assert report.endswith("It does not protect real people against real systems.")
    assert [block.type for block in made.content] == ["text"]
    assert ("make_up" in {stage for _, stage in progress}, progress[-1]) == (True, (1.0, "score"))
    negative = ImageOps.invert(Image.open(BytesIO(shot(0, 0, 96))).convert("RGB"))  # what the worker makes of any photo
    assert Image.open(path).tobytes() == negative.tobytes()
    assert (folder / "me.png").read_bytes() == shot(0, 0, 96)
    assert {job.id for job in watched.api.jobs()} == before


def test_the_pictures_are_shown_only_where_that_was_said_and_the_name_says_the_format(call: Call, folder: Path) -> None:
    made = call("protect_photo", {"photo": "me.png", "look": "rose", "out": "me.jpg"}, is_shown=True)
    assert [type(block) for block in made.content] == [TextContent, ImageContent]
    with Image.open(folder / "me.jpg") as picture:
        assert picture.format == "JPEG"


def test_what_the_service_refuses_is_told_and_nothing_is_written(call: Call, folder: Path) -> None:
    before = set(folder.iterdir())
    with pytest.raises(ToolError, match="unknown_reference: no reference 'tulip'; this bundle has: rose"):
        call("protect_photo", {"photo": "me.png", "look": "tulip"})
    Image.new("RGB", (96, 96)).save(folder / "night.png")  # in which the worker finds no face
    with pytest.raises(ToolError, match="no_face_found: no face in the photo"):
        call("protect_photo", {"photo": "night.png", "look": "rose"})
    with pytest.raises(ToolError, match="outside"):
        call("protect_photo", {"photo": "link.png", "look": "rose"})
    with pytest.raises(ToolError, match="there already"):
        call("protect_photo", {"photo": "me.png", "look": "rose", "out": "me.png"})
    assert set(folder.iterdir()) - before == {folder / "night.png"}


def test_where_no_service_is_an_assistant_is_told_at_once_how_to_start_one(call: Call) -> None:
    with pytest.raises(ToolError, match=r"no answer from http://127.0.0.1:1: .* `diffam up` starts a service"):
        call("list_looks", {}, url="http://127.0.0.1:1")
    with pytest.raises(ToolError, match="a service has a URL such as http"):
        call("list_looks", {}, url="nowhere")


def test_an_assistant_that_gives_up_cancels_the_job(call: Call, watched: Watched, folder: Path) -> None:
    before = {job.id for job in watched.api.jobs()}
    with pytest.raises(MCPError, match="timed out"):
        call("protect_photo", {"photo": "me.png", "look": "rose"}, timeout=0.6)
    assert eventually(lambda: [job.status for job in watched.api.jobs() if job.id not in before] == ["canceled"])
    assert not (folder / "me-protected.png").exists()


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("../secret.png", "outside"),
        ("/etc/passwd", "outside"),
        ("link.png", "outside"),
        ("out/secret.png", "outside"),
        ("none.png", "there is no"),
        ("round.png", "there is no"),
        ("dangling.png", "there is no"),
        ("a\0b.png", "there is no"),
        ("x" * 300 + ".png", "there is no"),
        ("notes.txt", "not named as a photo is"),
        ("album.png", "there is no file"),
        ("", "not named as a photo is"),
    ],
)
def test_nothing_but_photos_of_the_folder_is_read(folder: Path, named: str, told: str) -> None:
    with pytest.raises(PathRefused, match=told):
        photo_in(folder, named)


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("me.png", "there already"),
        ("album.png", "there already"),
        ("link.png", "there already"),
        ("dangling.png", "there already"),
        ("../new.png", "outside"),
        ("/tmp/new.png", "outside"),
        ("out/new.png", "outside"),
        ("none/new.png", "there is no"),
        ("new.exe", "not named as a photo is"),
        ("..", "not named as a photo is"),
    ],
)
def test_nothing_is_written_outside_the_folder_or_over_what_is_there(folder: Path, named: str, told: str) -> None:
    with pytest.raises(PathRefused, match=told):
        place_in(folder, named)


def test_photos_and_places_of_the_folder_are_found_however_they_are_named(folder: Path) -> None:
    assert photo_in(folder, "me.png") == photo_in(folder, str(folder / "album.png/../me.png")) == folder / "me.png"
    assert place_in(folder, "album.png/new.webp") == folder / "album.png/new.webp"


def test_a_file_that_came_to_be_meanwhile_stays_as_it_is(folder: Path) -> None:
    with pytest.raises(PathRefused, match="meanwhile"):
        write_new(folder / "me.png", b"other")
    assert (folder / "me.png").read_bytes() == shot(0, 0, 96)


def test_without_the_package_or_a_folder_of_its_own_one_line_says_so(tmp_path: Path) -> None:
    code = "import sys; sys.modules['fastmcp'] = None; from cli.main import app; app(['mcp'])"
    answer = subprocess.run([sys.executable, "-c", code], timeout=60, check=False, capture_output=True, text=True)
    told = "`diffam mcp` needs a package that is not installed: pip install 'diffam[mcp]'\n"
    assert (answer.returncode, answer.stdout, answer.stderr) == (1, "", told)
    for folder, told in ((tmp_path / "none", "there is no folder"), (Path("/"), "not the whole disk")):
        refused = CliRunner().invoke(app, ["mcp", "--folder", str(folder)])
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert told in refused.stderr
