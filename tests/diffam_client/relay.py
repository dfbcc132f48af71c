"""A network that loses things: a relay between a client and a real service, which cuts connections where it is told."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

PIECE_BYTES = 1 << 16


@dataclass
class Faults:
    """What goes wrong.

    lost_answers: so many answers are dropped, their connections with them; the requests arrive.  most_bytes: of an
    answer to what `only` names, then the connection ends, so many `times`.  closed_to: a request that has this in its
    head gets no answer.  seen: the first line of every request that begins a connection.
    """

    lost_answers: int = 0
    only: bytes = b"/v1/"
    most_bytes: int | None = None
    times: int = 1000
    closed_to: bytes | None = None
    seen: list[bytes] = field(default_factory=list)


@contextmanager
def relay(url: str, faults: Faults) -> Iterator[str]:
    """The address of a relay to the service at `url`; one request a connection."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener, (host, int(port)), faults), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, there: tuple[str, int], faults: Faults) -> None:
    with suppress(OSError):
        while True:
            here, _ = listener.accept()
            threading.Thread(target=_carry, args=(here, there, faults), daemon=True).start()


def _carry(here: socket.socket, there: tuple[str, int], faults: Faults) -> None:
    """One request and its answer; a shutdown ends what a thread still reads, closing alone would not."""
    with here, socket.create_connection(there) as service, suppress(OSError):
        _exchange(here, service, faults)
        for end in (here, service):
            end.shutdown(socket.SHUT_RDWR)


def _exchange(here: socket.socket, service: socket.socket, faults: Faults) -> None:
    with suppress(OSError):
        head = b""
        while b"\r\n\r\n" not in head:
            piece = here.recv(PIECE_BYTES)
            if not piece:
                return
            head += piece
        faults.seen.append(head.partition(b"\r\n")[0])
        if faults.closed_to and faults.closed_to in head:
            return
        service.sendall(head.replace(b"\r\nConnection: keep-alive", b"\r\nConnection: close", 1))
        threading.Thread(target=_pump, args=(here, service), daemon=True).start()
        is_cut = faults.only in faults.seen[-1] and faults.times > 0
        left = faults.most_bytes if is_cut and faults.most_bytes is not None else None
        faults.times -= 1 if left is not None else 0
        while piece := service.recv(PIECE_BYTES):
            if faults.lost_answers:
                faults.lost_answers -= 1
                return
            here.sendall(piece if left is None else piece[:left])
            left = None if left is None else left - len(piece)
            if left is not None and left <= 0:
                return


def _pump(here: socket.socket, service: socket.socket) -> None:
    with suppress(OSError):
        while piece := here.recv(PIECE_BYTES):
            service.sendall(piece)
