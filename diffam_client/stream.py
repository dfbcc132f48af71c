"""Server-sent events, read as their bytes come: whole messages out of pieces of text."""

import re
from collections.abc import Iterator
from typing import NamedTuple

LINE_END = re.compile(r"\r\n|\r|\n")


class Message(NamedTuple):
    """One event: its name, `message` unless it says so, and its data."""

    name: str
    data: str


class Messages:
    """The messages of one stream (HTML standard, 9.2.6). Comments and fields that nobody needs are passed over."""

    def __init__(self) -> None:
        self._text = ""
        self._name = ""
        self._data: list[str] = []

    def feed(self, text: str) -> Iterator[Message]:
        """The messages that are whole now that `text` came. A message that the stream breaks off is none."""
        text = self._text + text
        half = "\r" if text.endswith("\r") else ""  # the other half of this line's end may be on its way
        *lines, last = LINE_END.split(text.removesuffix("\r"))
        self._text = last + half
        for line in lines:
            message = self._read(line)
            if message:
                yield message

    def _read(self, line: str) -> Message | None:
        if line:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "event":
                self._name = value
            elif name == "data":
                self._data.append(value)
            return None
        message = Message(self._name or "message", "\n".join(self._data)) if self._data else None
        self._name, self._data = "", []
        return message
