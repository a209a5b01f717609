"""Requests and answers, between the server and what it serves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

__all__ = (
    "Answer",
    "Application",
    "Held",
    "Refuse",
    "Request",
    "Response",
    "Sender",
    "Stream",
)


@dataclass(slots=True)
class Request:
    """One request, complete. ``target`` is as it was sent; header names are lower case."""

    method: str
    target: bytes
    headers: dict[bytes, bytes]
    body: bytes = b""
    #: It came over TCP: from any user of this machine, possibly from a browser.
    tcp: bool = False


@dataclass(slots=True)
class Response:
    """An answer of known length. ``after`` is called once it was sent, or sending it failed."""

    body: bytes = b""
    status: int = 200
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    after: Callable[[], None] | None = None


class Sender(Protocol):
    """Takes the parts of a stream."""

    async def __call__(self, data: bytes) -> None:
        """Send. Raises, for the server to catch, when the client went away or is too slow."""


@dataclass(slots=True)
class Stream:
    """An answer that goes on until ``run`` returns, or is cancelled because the client went."""

    run: Callable[[Sender], Awaitable[None]]
    content_type: str
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Held:
    """An answer that may take minutes: ``run`` is cancelled if the client goes away meanwhile."""

    run: Callable[[], Awaitable[Response]]


Answer = Response | Stream | Held
#: Returns the answer to a request, or an awaitable of it.
Application = Callable[[Request], Answer | Awaitable[Answer]]
#: Makes the answer for what only the server notices: (status, what is wrong) -> answer.
Refuse = Callable[[int, str], Response]
