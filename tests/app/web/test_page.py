"""What the page is made of: its languages, its weight, what it may load, and that it can be turned off."""

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.codes import FACTS
from app.web.languages import chosen, languages, texts_of
from cli.scores import GRADES
from jobs.settings import Settings

ROOT = Path(__file__).parents[3]
WEB = ROOT / "app/web"
HEAVIEST_BYTES = 150_000
SOURCES = [*WEB.glob("static/*.js"), *WEB.glob("widget/*.js"), *WEB.glob("templates/*")]
SAID = {about for file in SOURCES for about in re.findall(r'\b(?:say|count)\("([\w.]+)"', file.read_text("utf-8"))}
OF_THE_PAGE = {"unreachable", "other", "none_chosen"}
NEVER_MET = {
    "malformed_request", "key_missing", "key_refused", "origin_not_allowed", "listing_closed", "not_found",
    "method_not_allowed", "media_type_unsupported", "host_not_allowed", "missing_field", "invalid_field",
    "judge_missing", "unknown_target", "unknown_recogniser", "style_not_trained", "style_exists",
    "held_out_attacked", "reference_exists", "reference_shipped", "name_invalid", "unknown_job", "job_exists",
    "idempotency_key_reused", "request_in_progress", "result_not_ready", "job_failed", "job_not_retryable",
    "not_redeliverable", "webhook_forbidden", "webhook_disabled", "webhooks_off", "job_over",
    "webhook_secrets_damaged", "not_in_time", "face_unknown", "face_not_chosen", "face_beyond_limit",
    "deadline_passed", "store_unwritable", "core_error", "store_error", "bundle_damaged", "unknown_bundle",
    "recognisers_missing", "recipe_invalid", "dataset_error", "dataset_missing", "dataset_damaged",
    "dataset_too_small", "reference_refused", "reference_grey", "reference_without_makeup",
    "reference_region_too_small", "not_passed_on", "media_refused", "film_refused", "media_not_ready", "media_failed",
    "instance_unreachable",
}  # fmt: skip
"""Codes of calls that the page does not make, of mistakes that it cannot make, and of what only an operator can mend:
it passes on the service's own words."""


@pytest.mark.parametrize("tag", languages())
def test_a_language_says_everything_and_with_the_same_values(tag: str) -> None:
    texts, default = texts_of(tag), texts_of("en")
    assert set(texts) == set(default)
    values = {about: set(re.findall(r"\{\w+\}", text)) for about, text in texts.items()}
    assert values == {about: set(re.findall(r"\{\w+\}", text)) for about, text in default.items()}
    assert all(texts.values())


def test_whatever_the_page_says_is_there() -> None:
    texts = texts_of("en")
    counted = {about for about in SAID if f"{about}.one" in texts}
    assert len(SAID) > 80
    assert {about for about in SAID - counted if about not in texts} == set()


def test_what_page_and_command_line_say_of_another_photo_was_measured() -> None:
    sets = [json.loads((ROOT / f"docs/measurements/portrait_{name}.json").read_text()) for name in ("london", "lfw")]
    lines = [line for measured in sets for line in measured["summary"] if line["method"] == "diffam"]
    keenest = max(share for line in lines for share, _ in line["own_match_by"].values())
    told = {
        str(sum(line["n"] for line in lines)),
        *(f"{100 * line['mean'][0]:.0f}" for line in lines),
        f"{100 * keenest:.0f}",
    }
    assert len(told) == 4
    for tag in languages():
        assert told < set(re.findall(r"\d+", texts_of(tag)["verdict.another"]))
    assert told - {"150"} < set(re.findall(r"\d+", GRADES["measured"]))


def test_every_code_that_the_page_can_meet_has_a_sentence() -> None:
    told = {about.removeprefix("problem.") for about in texts_of("en") if about.startswith("problem.")}
    assert told == set(FACTS) - NEVER_MET | OF_THE_PAGE


@pytest.mark.parametrize(
    ("asked", "accepted", "spoken"),
    [
        ("", "", "en"),
        ("", "zh-TW,zh;q=0.9,en;q=0.8", "zh-Hans"),
        ("", "fr,en;q=0.5,zh;q=0.7", "zh-Hans"),
        ("", "zh;q=0,en", "en"),
        ("en", "zh-CN", "en"),
        ("klingon", "zh-CN", "zh-Hans"),
        ("", "*;q=x,,;;;" * 50, "en"),
    ],
)
def test_the_language_is_the_one_asked_for_or_that_of_the_browser(asked: str, accepted: str, spoken: str) -> None:
    assert chosen(asked, accepted) == spoken


def test_the_page_is_light() -> None:
    files = [*(WEB / "static").rglob("*"), WEB / "languages/zh-Hans.json", WEB / "templates/page.html.j2"]
    assert sum(file.stat().st_size for file in files if file.is_file()) < HEAVIEST_BYTES


def test_what_it_loads_is_there_and_comes_from_here(client: httpx.Client) -> None:
    answer = client.get("/", headers={"Accept-Language": "zh-CN"})
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert '<html lang="zh-Hans">' in answer.text
    loaded = re.findall(r'(?:src|href)="([^"#?]*)[^"]*"', answer.text)
    scripts = {file.name for file in (WEB / "static").glob("*.js")}
    loaded += [f"/page/{name}" for name in scripts]
    assert len(loaded) > 20
    for address in filter(None, loaded):
        assert address.startswith("/"), address
        found = client.get(address)
        assert found.status_code == 200, address


def test_scripts_and_styles_are_files_and_nobody_else_may_frame_it(
    client: httpx.Client, settings: Settings, serve: Callable[[Settings], Any]
) -> None:
    answer = client.get("/")
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["frame-ancestors"] == "'self'"
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*src=)", answer.text)
    with serve(settings.model_copy(update={"allowed_origins": ("https://blog.example.org",)})) as framed:
        assert "frame-ancestors 'self' https://blog.example.org" in framed.get("/").headers["content-security-policy"]


def test_a_service_without_the_page_leads_to_the_api(settings: Settings, serve: Callable[[Settings], Any]) -> None:
    with serve(settings.model_copy(update={"page": False})) as client:
        assert client.get("/").headers["location"] == "/docs"
        assert client.get("/page/page.js").status_code == 404


def test_its_files_are_installed_with_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    installed = {
        file for glob in project["tool"]["setuptools"]["package-data"]["app"] for file in (ROOT / "app").glob(glob)
    }
    data = {file for file in WEB.rglob("*") if file.is_file() and file.suffix not in (".py", ".pyc")}
    assert data <= installed


def test_a_phone_can_install_it_and_share_with_it(client: httpx.Client) -> None:
    manifest = client.get("/manifest.webmanifest?lang=zh-Hans").json()
    assert manifest["lang"] == "zh-Hans"
    assert manifest["share_target"]["params"]["files"] == [
        {"name": "photo", "accept": ["image/jpeg", "image/png", "image/webp"]}
    ]
    for address in (manifest["start_url"], manifest["icons"][0]["src"], "/service-worker.js"):
        assert client.get(address).status_code == 200


def test_what_is_shared_before_the_worker_runs_is_not_read_and_the_page_says_so(
    client: httpx.Client, jpeg: bytes
) -> None:
    answer = client.post("/share", files={"photo": ("me.jpg", jpeg)}, headers={"Sec-Fetch-Site": "none"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/?shared")


def test_the_worker_keeps_every_file_of_the_page_and_no_other() -> None:
    worker = (WEB / "static/service-worker.js").read_text("utf-8")
    (listed,) = re.findall(r"const FILES = \[(.*?)\];", worker, re.DOTALL)
    files = {file.relative_to(WEB / "static").as_posix() for file in (WEB / "static").rglob("*") if file.is_file()}
    assert set(re.findall(r'"(.*?)"', listed)) == files - {"service-worker.js", "vendor/LICENSE"}
