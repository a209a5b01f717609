"""Just enough of HTTP/1.1 for a client of one server: turns bytes into an answer, without I/O.

The server is ``gossipmm.sidecar``: its answers have a length, or are chunked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gossipmm.errors import ControlError

__all__ = ("AnswerReader", "request")

#: Longest head, and longest chunk line, of an answer.
_MAX_HEAD = 65536
_STATUS_LINE = re.compile(r"HTTP/1\.[0-9] ([1-5][0-9][0-9])(?: .*)?", re.DOTALL)
#: Sizes: the largest answers have some MiB.
_LENGTH = re.compile("[0-9]{1,15}")
_CHUNK = re.compile("[0-9A-Fa-f]{1,12}")


def request(method: str, target: str, body: bytes | None, headers: tuple[str, ...] = ()) -> bytes:
    """Write a request; header lines as ``name: value``."""
    lines = [f"{method} {target} HTTP/1.1", "host: localhost", *headers]
    if body is not None:
        lines += ["content-type: application/json", f"content-length: {len(body)}"]
    elif method != "GET":
        lines.append("content-length: 0")
    return "\r\n".join([*lines, "", ""]).encode("ascii") + (body or b"")


class AnswerReader:
    """Takes what the server sends; ``body()`` yields the part of the body that has arrived.

    Raises ControlError for anything that is not an answer.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        #: Status of the answer; 0: its head is not complete.
        self.status = 0
        self.headers: dict[str, str] = {}
        #: The whole answer was given out.
        self.complete = False
        self._left = 0
        self._chunked = False
        self._first = True

    @property
    def keeps(self) -> bool:
        """Return whether the connection can carry another request."""
        return self.complete and self.headers.get("connection", "").lower() != "close"

    def feed(self, data: bytes) -> None:
        """Take bytes."""
        self._buffer += data
        while not self.status:
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return self._check_size()
            self._buffer = rest
            self._take_head(head.decode("latin-1"))
        return None

    def _take_head(self, head: str) -> None:
        first, *lines = head.split("\r\n")
        match = _STATUS_LINE.fullmatch(first)
        if match is None:
            raise ControlError(f"what answers there is not an agent: {first[:80]!r}")
        if match[1].startswith("1"):  # an interim answer
            return
        for line in lines:
            name, _, value = line.partition(":")
            self.headers[name.strip().lower()] = value.strip()
        self.status = int(match[1])
        self._chunked = self.headers.get("transfer-encoding", "") == "chunked"
        if not self._chunked:
            self._left = _size(self.headers.get("content-length", "0"), _LENGTH, 10)

    def body(self) -> Iterator[bytes]:
        """Yield the parts of the body that are complete."""
        while self.status and not self.complete:
            if self._left:
                part = bytes(self._buffer[: self._left])
                if not part:
                    return
                del self._buffer[: len(part)]
                self._left -= len(part)
                yield part
            elif not self._chunked:
                self.complete = True
            elif not self._next_chunk():
                return

    def _next_chunk(self) -> bool:
        start = 0 if self._first else 2  # after the line break that ends the previous chunk
        end = self._buffer.find(b"\r\n", start)
        if end < 0:
            self._check_size()
            return False
        line = self._buffer[start:end].decode("latin-1")
        size = _size(line.partition(";")[0].rstrip(), _CHUNK, 16)
        if size:
            self._left, self._first = size, False
            del self._buffer[: end + 2]
            return True
        if len(self._buffer) < end + 4:
            return False
        self.complete = True
        return True

    def _check_size(self) -> None:
        if len(self._buffer) > _MAX_HEAD:
            raise ControlError("what answers there is not an agent: its answer has no end")


def _size(text: str, pattern: re.Pattern[str], base: int) -> int:
    if pattern.fullmatch(text) is None:
        raise ControlError(
            f"what answers there is not an agent: its answer has {text[:80]!r} bytes"
        )
    return int(text, base)
