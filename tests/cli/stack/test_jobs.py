"""`diffam jobs`: an operator sees what waits and runs, and stops a job whosever it is; its owner is told who did it."""

from pathlib import Path

import pytest
from redis import Redis
from rich.console import Console
from typer.testing import CliRunner

from cli.errors import CliError
from cli.stack.jobs import jobs_app
from jobs.errors import UnknownJob
from jobs.ledger import Ledger
from jobs.new_job import NewJob
from jobs.settings import Settings
from tests.cli.conftest import Watched, eventually
from tests.cli.stack.test_stack import photo
from tests.jobs.conftest import BUNDLE, INPUT


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of the usual width."""
    monkeypatch.setattr("cli.stack.jobs.console", Console(highlight=False, width=80))
    monkeypatch.delenv("DIFFAM_REDIS_URL", raising=False)


@pytest.fixture
def configured(settings: Settings, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> Redis:
    """The commands find the tests' own store."""
    monkeypatch.setenv("DIFFAM_REDIS_URL", str(settings.redis_url))
    return redis


def diffam_jobs(*words: str) -> str:
    """What the command says on stdout. Raises what it raises."""
    result = CliRunner().invoke(jobs_app, words, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_an_operator_stops_a_job_of_the_stack_that_runs_on_the_data_folder(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIFFAM_DATA_DIR", str(watched.settings.data_dir))
    job = watched.api.submit(photo(), reference="rose")
    assert eventually(lambda: watched.api.get(job).status == "running")
    assert job.id in diffam_jobs("list")
    assert job.id in diffam_jobs("cancel", job.id)
    over = watched.api.wait(job)
    assert (over.status, over.canceled_by, over.had_started) == ("canceled", "operator", True)
    assert over.error is not None
    assert (over.error.code, over.error.message) == ("canceled", "the operator of the service canceled this job")
    assert watched.api.wait(watched.api.retry(over)).status == "succeeded"
    assert job.id not in diffam_jobs("list")


@pytest.mark.usefixtures("configured")
def test_what_is_listed_is_whose_a_job_is_and_what_it_does_and_nothing_of_what_was_asked(ledger: Ledger) -> None:
    waiting = ledger.accept(NewJob(INPUT, BUNDLE, owner="0123456789abcdef"), b"photo").job_id
    running = ledger.accept(NewJob(INPUT, BUNDLE), b"photo").job_id
    over = ledger.accept(NewJob(INPUT, BUNDLE), b"photo").job_id
    ledger.cancel(over)
    assert ledger.claim(running) is not None
    listed = diffam_jobs("list")
    assert [line.split()[:4] for line in listed.splitlines()[1:]] == [
        [running, "protect", "running", "-"],
        [waiting, "protect", "queued", "0123456789abcdef"],
    ]
    assert INPUT.reference_id not in listed
    diffam_jobs("cancel", waiting)
    assert ledger.get(waiting).canceled_by == "operator"


@pytest.mark.usefixtures("configured")
def test_a_job_that_is_over_or_never_was_is_told(ledger: Ledger) -> None:
    over = ledger.accept(NewJob(INPUT, BUNDLE), b"photo").job_id
    ledger.cancel(over)
    with pytest.raises(CliError, match="over already: canceled"):
        diffam_jobs("cancel", over)
    assert ledger.get(over).canceled_by == "user"
    with pytest.raises(UnknownJob):
        diffam_jobs("cancel", "nobody")


def test_where_no_service_runs_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFAM_DATA_DIR", str(tmp_path))
    with pytest.raises(CliError, match="no stack runs"):
        diffam_jobs("list")
    (tmp_path / "lock").write_text(str(tmp_path / "killed"))
    with pytest.raises(CliError, match="no stack runs"):
        diffam_jobs("list")
    monkeypatch.setenv("DIFFAM_REDIS_URL", f"unix://{tmp_path}/none.sock")
    with pytest.raises(CliError, match="cannot be reached"):
        diffam_jobs("list")
