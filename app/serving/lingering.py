"""A connection's end that does not take the last answer with it.

Whoever closes a socket while the other side still sends makes the kernel reset the connection, and the other side may
then never read what was answered to it (RFC 9112, 9.6). So: say that nothing more comes, read on a while, then close.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

LINGER_S = 2.0  # less than the server waits for its connections when it stops


class LingeringTransport(asyncio.Transport):
    """Passes everything on to another transport; only its end is different."""

    def __init__(self, transport: asyncio.Transport, is_cut_short: Callable[[], bool]) -> None:
        super().__init__()
        self._transport = transport
        self._is_cut_short = is_cut_short
        self._is_lingering = False

    def close(self) -> None:
        if self.is_closing():
            return
        if not self._is_cut_short():
            self._transport.close()
            return
        self._is_lingering = True
        self._transport.write_eof()
        self._transport.resume_reading()
        asyncio.get_running_loop().call_later(LINGER_S, self._transport.close)

    def is_closing(self) -> bool:
        return self._is_lingering or self._transport.is_closing()

    def pause_reading(self) -> None:
        if not self._is_lingering:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def write(self, data: Any) -> None:
        self._transport.write(data)

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        self._transport.writelines(list_of_data)

    def abort(self) -> None:
        self._transport.abort()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def get_write_buffer_size(self) -> int:
        return self._transport.get_write_buffer_size()
