"""The package as its users see it: the same calls in both clients, every field of the form, and nothing heavy."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import httpx
import pytest

import diffam_client
from app.submission import Submission
from diffam_client import AnswerUnreadable, AsyncClient, Client
from diffam_client.answers import read, read_job
from diffam_client.asking import FIELDS, HEADERS, Asked, form_of, photo_bytes
from diffam_client.contract.job import Job, JobInput, ReferenceInput, StyleInput
from diffam_client.contract.offer import References
from tests.finished import protected_face

ROOT = Path(__file__).parents[2]
HEAVY = {"celery", "cv2", "fastapi", "numpy", "PIL", "redis", "starlette", "torch", "typer"}
OURS = {"app", "cli", "diffam_core", "evaluation", "jobs", "model_store", "protection", "worker"}
JOB: dict[str, Any] = {
    "id": "1", "kind": "protect", "status": "succeeded", "revision": 9, "attempt": 1, "max_attempts": 3,
    "input": {"reference_id": "rose", "width": 1, "height": 1, "bytes": 1}, "timings": {}, "progress": None,
    "bundle": {"name": "mini", "grade": "demonstration"}, "created_at": "2026-11-25T21:57:50Z",
    "output": {"faces": [protected_face().model_dump(mode="json", by_alias=True)]},
}  # fmt: skip


def calls(client: type) -> set[str]:
    """What a client can be asked."""
    return {name for name in vars(client) if not name.startswith("_")} - {"close", "aclose"}


def answer(told: Any) -> httpx.Response:
    """What a service of another version might say."""
    return httpx.Response(200, text=json.dumps(told), request=httpx.Request("GET", "http://later/v1/jobs/1"))


def test_both_clients_have_the_same_calls() -> None:
    assert calls(Client) == calls(AsyncClient)
    assert len(calls(Client)) > 15


def test_every_call_is_explained() -> None:
    assert [name for name in calls(Client) if not (getattr(Client, name).__doc__ or "").strip()] == []


def test_every_field_of_the_form_can_be_asked_for() -> None:
    assert {FIELDS.get(name, name) for name in Asked.__annotations__} - HEADERS.keys() == set(Submission.model_fields)


def test_a_form_spells_what_the_service_reads() -> None:
    asked = {
        "reference": "rose", "faces": (0, 2), "strength": 0.5, "judges": (), "survival": (), "store": False,
        "regions": ["lips"], "target": None, "idempotency_key": "k",
    }  # fmt: skip
    form = form_of(asked)
    assert form == {
        "reference_id": "rose", "faces": "0,2", "strength": "0.5", "judges": "none", "survival": "", "store": "0",
        "regions": "lips",
    }  # fmt: skip
    read_back = Submission.model_validate(form)
    assert (read_back.faces, read_back.judges, read_back.survival, read_back.store) == ((0, 2), (), (), False)


def test_a_photo_is_sent_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "me").write_bytes(b"photo")
    assert photo_bytes(tmp_path / "me") == photo_bytes(str(tmp_path / "me")) == photo_bytes(b"photo")
    with pytest.raises(FileNotFoundError):
        photo_bytes("nowhere.jpg")


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://127.0.0.1", "http://", "http://x:abc"])
def test_what_is_no_url_is_said_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="a service has a URL such as"):
        Client(url)


def test_what_a_later_service_tells_besides_is_passed_over() -> None:
    later = JOB | {"mood": "good", "bundle": JOB["bundle"] | {"colour": "red"}}
    job = read_job(answer(later))
    assert job == read_job(answer(JOB))
    assert isinstance(job.input, JobInput)


@pytest.mark.parametrize("progress", [{"stage": "varnish", "step": 1, "steps": 2}, {"stage": "varnish"}, 7])
def test_a_stage_that_only_a_later_service_knows_is_passed_over(progress: object) -> None:
    assert read_job(answer(JOB | {"progress": progress})).progress is None


@pytest.mark.parametrize(
    "told",
    [
        JOB | {"output": {"faces": [{"status": "blurred"}]}}, JOB | {"status": "melted"}, {"id": "1"}, [], None,
        JOB | {"status": "melted", "progress": 7},
    ],
)  # fmt: skip
def test_words_that_change_the_meaning_are_not_half_understood(told: object) -> None:
    with pytest.raises(AnswerUnreadable, match=r"answer_unreadable: /v1/jobs/1 answers in words unknown here"):
        read_job(answer(told))


def test_a_page_that_is_no_service_is_no_answer() -> None:
    page = httpx.Response(200, text="<html>", request=httpx.Request("GET", "http://other/v1/references"))
    with pytest.raises(AnswerUnreadable, match="is this a DiffAM service"):
        read(References, page)


PICTURE = {
    "reference_id": "dusk",
    "title": "",
    "description": "",
    "has_bare": True,
    "width": 1,
    "height": 1,
    "bytes": 1,
}
STYLE = {
    "reference_id": "dusk", "target_id": "ada", "held_out": "vit", "surrogates": [], "mode": "lora",
    "objective": "both",
}  # fmt: skip


@pytest.mark.parametrize(("given", "kind"), [(PICTURE, ReferenceInput), (STYLE, StyleInput)])
def test_what_was_asked_for_is_told_by_its_kind_even_with_more_in_it(given: dict[str, Any], kind: type) -> None:
    assert type(Job.model_validate(JOB | {"input": given | {"later": 1}}, extra="ignore").input) is kind


def test_the_client_loads_nothing_of_the_service() -> None:
    code = "import sys, diffam_client; print(*{name.partition('.')[0] for name in sys.modules})"
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, timeout=60, check=True, capture_output=True, text=True
    )
    assert set(told.stdout.split()) & (HEAVY | OURS) == set()


def test_every_public_name_is_one_that_can_be_caught_or_called() -> None:
    public = {name for name in vars(diffam_client) if name[0].isupper()}
    assert public >= {"Client", "AsyncClient", "ClientError", "Protected", "Job", "Event"}


def test_both_distributions_want_the_same_of_what_they_share() -> None:
    whole, client = (
        tomllib.loads((ROOT / path).read_text(encoding="utf-8"))["project"]
        for path in ("pyproject.toml", "diffam_client/pyproject.toml")
    )
    assert whole["version"] == client["version"]
    assert whole["requires-python"] == client["requires-python"]
    assert set(client["dependencies"]) <= set(whole["dependencies"])
