"""Every code that anybody can read has an explanation, at the address that the problem names."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from app.codes import FACTS, IN_A_JOB
from app.photo.canonical import PhotoRejected
from diffam_client.contract.job import JobError
from diffam_core.errors import DiffAMError
from jobs import ledger
from jobs.errors import LedgerError, RedisNotConfigured, UnknownKey
from model_store.errors import ImportFailed, PullFailed, StoreError
from protection import scoring
from tests.app.test_problems import problem
from worker import outcome
from worker.finetune import jobs as training

ROOT = Path(__file__).parents[2]
AT_THE_COMMAND_LINE = (RedisNotConfigured, UnknownKey, PullFailed, ImportFailed)


def kinds(base: type[Exception]) -> set[Any]:
    """All classes below `base`."""
    return {base}.union(*(kinds(each) for each in base.__subclasses__()))


def public_codes() -> set[str]:
    """Of the errors that a job or an answer can carry."""
    below: set[Any] = set().union(*(kinds(base) for base in (DiffAMError, LedgerError, StoreError, PhotoRejected)))
    errors = {each for each in below if not issubclass(each, AT_THE_COMMAND_LINE) and each is not PhotoRejected}
    values = [each for module in (ledger, outcome, training) for each in vars(module).values()]
    fixed = {each for each in (*values, outcome.takes_too_long(300)) if isinstance(each, JobError)}
    return {str(each.code) for each in errors | fixed} | set(scoring.REASONS)


def test_every_code_has_an_explanation() -> None:
    assert public_codes() - set(FACTS) == set()


def test_every_code_of_the_table_is_used() -> None:
    sources = [
        path
        for name in ("app", "jobs", "worker", "protection", "model_store", "diffam_core")
        for path in (ROOT / name).rglob("*.py")
    ]
    written = "".join(path.read_text() for path in sources if path.name != "codes.py")
    assert [code for code in FACTS if f'"{code}"' not in written] == []


@pytest.mark.parametrize("code", FACTS)
def test_the_type_of_a_problem_is_an_address_that_explains_it(client: httpx.Client, code: str) -> None:
    told = client.get(f"/problems/{code}").json()
    assert told["type"] == f"/problems/{code}"
    assert told["explanation"] == FACTS[code].explanation
    assert (told["status"] == IN_A_JOB) == (FACTS[code].status == IN_A_JOB)
    page = client.get(f"/problems/{code}", headers={"Accept": "text/html,*/*;q=0.8"})
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert told["title"] in page.text


def test_all_codes_are_listed(client: httpx.Client) -> None:
    assert [each["code"] for each in client.get("/problems").json()["problems"]] == list(FACTS)
    assert "/problems/no_face_found" in client.get("/problems", headers={"Accept": "text/html"}).text
    document = problem(client.get("/problems/nobody"))
    assert client.get(document.type).json()["code"] == document.code == "not_found"
