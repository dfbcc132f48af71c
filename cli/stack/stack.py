"""The embedded stack: Valkey, worker and web process as supervised siblings on one machine."""

import fcntl
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from json import dumps
from pathlib import Path
from time import monotonic, sleep
from types import FrameType
from typing import NoReturn, TextIO

import httpx

from app.serving.door import DoorOpen, check_address, is_loopback
from cli.errors import AlreadyRunning, CliError, HostRefused, StackNotReady
from cli.stack.supervisor import Sibling, Supervisor
from cli.stack.valkey import APPEND_ONLY, answers, forget_erased, sweep_leftovers, valkey_command
from jobs.access.keys import Keyring
from jobs.settings import Settings

READY_S = 120.0
TEMPORARY_PREFIX, SOCKET = "diffam-", "valkey.sock"
OLD_SERVER_S = 20.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
WORKER = (sys.executable, "-P", "-m", "worker.main")
FINETUNE_WORKER = (sys.executable, "-P", "-m", "worker.finetune.main")
WEB = (sys.executable, "-P", "-m", "cli.stack.web")


@dataclass(frozen=True)
class Stack:
    """A running stack: where it listens, and who keeps it alive."""

    url: str
    logs: Path
    supervisor: Supervisor

    def wait_until_ready(self, timeout_s: float = READY_S) -> None:
        """Return once Redis is writable and a warm worker is there. Raises SiblingFailed, StackNotReady."""
        deadline = monotonic() + timeout_s
        while monotonic() < deadline:
            self.supervisor.check()
            with suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/readyz", timeout=2).is_success:
                    return
            sleep(0.2)
        raise StackNotReady(f"not ready after {timeout_s:g} s; the logs are in {self.logs}")


@contextmanager
def running_stack(
    settings: Settings, report: Callable[[str], None], worker: tuple[str, ...] = WORKER, worker_stop_s: float = 10.0
) -> Iterator[Stack]:
    """Start the stack, and stop all of it when the block ends, however it ends.

    A signal that asks to stop becomes a KeyboardInterrupt inside the block.
    Raises AlreadyRunning, HostRefused, NoServer.
    """
    try:
        check_address(settings)
    except DoorOpen as refusal:
        raise HostRefused(str(refusal)) from refusal
    data_dir = settings.data_dir.resolve()
    with ExitStack() as held:
        lock = held.enter_context(exclusive(data_dir))
        make_private(data_dir)
        listener = held.enter_context(closing(listen(settings.host, settings.port)))
        temporary = held.enter_context(temporary_folder(lock))
        socket_path = temporary / SOCKET
        env = {"DIFFAM_REDIS_URL": f"unix://{socket_path}", "TMPDIR": str(temporary)} | handed_down(settings)
        logs = data_dir / "logs"
        logs.mkdir(exist_ok=True, mode=0o700)
        siblings = [
            Sibling("worker", worker, logs / "worker.log", env, orphan_signal="SIGKILL", stop_s=worker_stop_s),
            Sibling(
                "finetune", FINETUNE_WORKER, logs / "finetune.log", env, orphan_signal="SIGKILL", stop_s=worker_stop_s
            ),
            Sibling("web", (*WEB, str(listener.fileno())), logs / "web.log", env, pass_fds=(listener.fileno(),)),
        ]
        if settings.redis_url is None:
            sweep_leftovers(data_dir)
            command, forget = valkey_command(data_dir, socket_path), partial(forget_erased, socket_path, report)
            valkey = Sibling("valkey", command, logs / "valkey.log", is_up=answers(socket_path), before_stop=forget)
            siblings.insert(0, valkey)
        held.enter_context(interruptible())
        supervisor = held.enter_context(Supervisor(siblings, report))
        held.callback(ignore_stop_signals)
        yield Stack(url_of(listener), logs, supervisor)


def store_of(settings: Settings) -> Settings:
    """The settings with the address of their store: what they say, or that of the stack which runs on their data
    folder. Raises CliError."""
    if settings.redis_url:
        return settings
    lock = settings.data_dir / "lock"
    folder = lock.read_text().strip() if lock.is_file() else ""
    socket_path = Path(folder) / SOCKET
    if not folder or not answers(socket_path)():
        raise CliError(
            f"no stack runs on {settings.data_dir}; set DIFFAM_DATA_DIR or DIFFAM_REDIS_URL to the service's"
        )
    return settings.model_copy(update={"redis_url": f"unix://{socket_path}"})


def who_may_enter(settings: Settings) -> str:
    """The sentence for whoever started the stack."""
    if Keyring(settings.keys).is_asked_for:
        return f"Open to whoever has a key and reaches {settings.host}; `diffam keys` makes and revokes them."
    if not is_loopback(settings.host):
        return f"Open to everybody who reaches {settings.host}: no keys are configured, only what you set up guards it."
    through = ", and to whomever your proxy lets through" if settings.behind_proxy else ""
    return f"Open to everybody on this machine{through}: no keys are configured."


def handed_down(settings: Settings) -> dict[str, str]:
    """The environment in which the children read the same settings, whatever ours or a `.env` file says."""
    values = settings.model_dump(mode="json", exclude_none=True)
    return {
        f"DIFFAM_{name.upper()}": value if isinstance(value, str) else dumps(value) for name, value in values.items()
    }


def listen(host: str, port: int) -> socket.socket:
    """A listening socket on `port`, or on a free one when that is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError:
        return socket.create_server((host, 0), family=family, backlog=128)


def url_of(listener: socket.socket) -> str:
    """How this machine itself reaches what listens there: on all its addresses means also on its own."""
    host, port = listener.getsockname()[:2]
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # nothing is bound here
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


@contextmanager
def exclusive(data_dir: Path) -> Iterator[TextIO]:
    """Hold the data folder: two servers on one append-only file would ruin it. Raises AlreadyRunning."""
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (data_dir / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunning(f"another stack uses {data_dir}; stop it, or set DIFFAM_DATA_DIR") from error
        yield lock


def make_private(data_dir: Path) -> None:
    """Our files and folders for this user alone, also those that were there before; links are left as they are.

    All but pulled bundles: no photo is among them, and containers of another user read them. Nor what is not ours.
    """
    folders = [data_dir / name for name in (APPEND_ONLY, "logs", "looks")]
    for path in (data_dir, data_dir / "lock", *folders, *(path for folder in folders for path in folder.rglob("*"))):
        if path.exists() and not path.is_symlink():
            with suppress(PermissionError):  # somebody else's, who then decides who reads it
                path.chmod(0o700 if path.is_dir() else 0o600)


@contextmanager
def temporary_folder(lock: TextIO) -> Iterator[Path]:
    """What is temporary in the whole stack lies here and goes with it; its path is short, as a Unix socket's must be.

    Its name stands in the lock file, so that what a killed stack left is swept by the next one.
    """
    lock.seek(0)
    left = Path(lock.read().strip())
    if left.name.startswith(TEMPORARY_PREFIX) and left.parent == Path(tempfile.gettempdir()):
        last_answer, deadline = answers(left / SOCKET), monotonic() + OLD_SERVER_S
        while last_answer() and monotonic() < deadline:  # its supervisor was killed, and it is about to end
            sleep(0.1)
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=TEMPORARY_PREFIX) as folder:
        lock.truncate(0)
        lock.write(folder)
        lock.flush()
        yield Path(folder)
        lock.truncate(0)


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn the signals that ask to stop into a KeyboardInterrupt; restore the handlers in the end."""

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in STOP_SIGNALS if not is_nohup(number)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def is_nohup(number: signal.Signals) -> bool:
    """Started to outlive its terminal."""
    return number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN


def ignore_stop_signals() -> None:
    """From here on the stack stops in its own time, which is bounded: an impatient Ctrl-C must leave nothing behind.

    With a handler that does nothing and not SIG_IGN, which processes that are just starting would inherit.
    """
    for number in STOP_SIGNALS:
        signal.signal(number, lambda *_: None)
