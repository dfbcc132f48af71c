"""The embedded stack: a real Valkey, a real Celery worker, a real web process; only the models are a stand-in."""

import os
import signal
import socket
import subprocess
import sys
from io import BytesIO

import psutil
import pytest
from PIL import Image

from cli.errors import AlreadyRunning, HostRefused
from cli.stack.stack import handed_down, listen, running_stack, url_of, who_may_enter
from diffam_client import Client
from jobs.access.keys import create_key
from jobs.settings import Settings
from tests.cli.conftest import STAND_IN, Watched, descendants, eventually

SIBLINGS = 4
"""Valkey, two workers, web; some start processes of their own."""
IDLE = (sys.executable, "-c", "import time; time.sleep(600)")


def photo(colour: str = "teal") -> bytes:
    png = BytesIO()
    Image.new("RGB", (80, 80), colour).save(png, "PNG")
    return png.getvalue()


@pytest.mark.parametrize(("part", "attempts"), [("worker", 2), ("valkey", 1), ("web", 1)])
def test_the_death_of_a_part_is_repaired_and_costs_no_job(watched: Watched, part: str, attempts: int) -> None:
    client, api = watched.client, watched.api
    watched.reports.clear()
    job = api.submit(photo(), reference="rose")
    assert eventually(lambda: client.get(f"/v1/jobs/{job.id}").json()["progress"]["stage"] == "invert")
    os.kill(watched.stack.supervisor.pid(part), signal.SIGKILL)
    assert eventually(lambda: watched.reports == [f"{part} ended (SIGKILL); starting it again"])
    assert eventually(lambda: client.get("/readyz").is_success)
    over = api.wait(job)
    assert (over.status, over.attempt) == ("succeeded", attempts)


def test_jobs_outlive_a_restart_of_the_whole_stack(own: Settings) -> None:
    with running_stack(own, print, STAND_IN, worker_stop_s=0) as stack:
        stack.wait_until_ready()
        with Client(stack.url) as client:
            job = client.submit(photo(), reference="rose")
    with running_stack(own, print, STAND_IN) as stack, Client(stack.url) as client:
        stack.wait_until_ready()
        assert client.wait(job).status == "succeeded"


def test_two_stacks_never_share_a_data_folder(own: Settings) -> None:
    with running_stack(own, print, IDLE), pytest.raises(AlreadyRunning), running_stack(own, print, IDLE):
        pass


def test_a_stack_is_not_opened_to_a_network_unless_something_guards_it(own: Settings) -> None:
    everywhere = own.model_copy(update={"host": "0.0.0.0"})
    with pytest.raises(HostRefused, match="DIFFAM_BEHIND_PROXY=true"), running_stack(everywhere, print, IDLE):
        pass
    guarded = everywhere.model_copy(update={"behind_proxy": True})
    with running_stack(guarded, print, IDLE) as stack:
        assert stack.url.startswith("http://127.0.0.1:")
    assert "everybody who reaches 0.0.0.0" in who_may_enter(guarded)
    assert who_may_enter(own) == "Open to everybody on this machine: no keys are configured."
    keyed = everywhere.model_copy(update={"keys_file": own.data_dir / "friends.json"})
    create_key(keyed.keys, "friends", ["submit"])
    assert who_may_enter(keyed).startswith("Open to whoever has a key and reaches 0.0.0.0")


@pytest.mark.parametrize(
    ("host", "url"), [("127.0.0.1", "http://127.0.0.1"), ("::1", "http://[::1]"), ("::", "http://[::1]")]
)
def test_the_address_of_a_stack_is_one_that_this_machine_reaches(host: str, url: str) -> None:
    with listen(host, 0) as listener:
        assert url_of(listener) == f"{url}:{listener.getsockname()[1]}"


def test_a_taken_port_is_replaced_by_a_free_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with listen("127.0.0.1", port) as listener:
            assert listener.getsockname()[1] not in (0, port)


def test_the_children_read_the_settings_of_their_parent(own: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in handed_down(own).items():
        monkeypatch.setenv(name, value)
    assert Settings(_env_file=None) == own


def is_gone(process: psutil.Process) -> bool:
    """Whether it has ended; whose parent ended first is a zombie until it is reaped."""
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


SERVE = """
import sys
from cli import main
from cli.stack import stack
serve = stack.running_stack
stack.running_stack = lambda settings, report: serve(settings, report, {worker!r})
main.app(["up", "--port", "0"])
"""


@pytest.mark.parametrize(
    ("number", "is_serving"),
    [(signal.SIGINT, True), (signal.SIGTERM, True), (signal.SIGINT, False), (signal.SIGHUP, False)],
)
def test_a_signal_stops_everything(own: Settings, number: signal.Signals, is_serving: bool) -> None:
    command = [sys.executable, "-c", SERVE.format(worker=STAND_IN if is_serving else IDLE)]
    env = os.environ | handed_down(own)
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as stack:
        assert stack.stdout is not None
        assert eventually(lambda: len(descendants(stack.pid)) >= SIBLINGS)
        if is_serving:
            assert "Serving on" in stack.stdout.readline()
        below = descendants(stack.pid)
        stack.send_signal(number)
        assert stack.wait(timeout=60) == 0
    assert [process for process in below if not is_gone(process)] == []
