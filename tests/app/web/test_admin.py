"""The operator's page: what it is made of, what it may load, and that it goes with the other."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from jobs.settings import Settings

ADMIN = Path(__file__).parents[3] / "app/web/admin"
HEAVIEST_BYTES = 40_000


def test_what_it_loads_is_there_and_its_shell_tells_nothing(client: httpx.Client) -> None:
    page = client.get("/admin")
    loaded = re.findall(r'(?:src|href)="(/[^"#?]*)"', page.text)
    loaded += [f"/page/admin/{file.name}" for file in ADMIN.iterdir()]
    assert len(loaded) > 8
    for address in loaded:
        assert client.get(address).status_code == 200, address


def test_its_modules_have_what_is_imported_of_them(client: httpx.Client) -> None:
    imported = 0
    for script in ADMIN.glob("*.js"):
        for names, module in re.findall(r'import \{(.+?)\} from "(.+?)"', script.read_text("utf-8")):
            source = client.get(httpx.URL("http://x/page/admin/").join(module).path).raise_for_status().text
            for name in (each.strip() for each in names.split(",")):
                assert re.search(rf"^export (async )?(function|const|class) {name}\b", source, re.MULTILINE), (
                    script.name,
                    name,
                )
                imported += 1
    assert imported > 20


def test_scripts_and_styles_are_files_and_nobody_may_frame_it(
    settings: Settings, serve: Callable[[Settings], Any]
) -> None:
    with serve(settings.model_copy(update={"allowed_origins": ("https://blog.example.org",)})) as client:
        answer = client.get("/admin")
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*src=)", answer.text)


def test_it_goes_with_the_page_and_the_call_stays(settings: Settings, serve: Callable[[Settings], Any]) -> None:
    with serve(settings.model_copy(update={"page": False})) as client:
        assert client.get("/admin").status_code == 404
        assert client.get("/page/admin/admin.js").status_code == 404
        assert client.get("/v1/admin").status_code == 200


def test_it_is_light() -> None:
    assert sum(file.stat().st_size for file in ADMIN.iterdir()) < HEAVIEST_BYTES
