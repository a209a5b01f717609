"""In a child process: calls of its parent that take seconds, which it asks after again and again.

Calls of several threads of the parent take turns, and lookups are among them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

import trio

from gossipmm.agent.agent import Agent
from gossipmm.answers import QueryResult

__all__ = ("LongCalls",)

#: Calls that are remembered, at most: an answer that nobody takes must not stay for ever.
_KEPT = 64


class LongCalls:
    """The calls that were begun, and what came of them."""

    def __init__(self, agent: Agent, nursery: trio.Nursery, plain: Callable[[Any], Any]) -> None:
        self._calls: dict[str, Callable[..., Awaitable[Any]]] = {
            "status_all": agent.status_all,
            "drain_member": agent.drain_member,
            "query": self._query,
            "rtt": agent.rtt,
        }
        self._agent = agent
        self._nursery = nursery
        self._plain = plain
        self._numbers = count()
        self._ended: dict[int, tuple[Any, Exception | None] | None] = {}

    async def _query(self, name: str, payload: str, **options: Any) -> QueryResult:
        """Ask a query; its payload crossed the pipe as characters of one byte each."""
        return await self._agent.query(name, payload.encode("latin-1"), **options)

    def begin(self, call: str, args: list[Any], options: dict[str, Any]) -> int:
        """Begin a call; return its number."""
        begun = self._calls[call]
        number = next(self._numbers)
        while len(self._ended) >= _KEPT:
            del self._ended[next(iter(self._ended))]
        self._ended[number] = None

        async def run() -> None:
            try:
                answer, error = self._plain(await begun(*args, **options)), None
            except Exception as exc:
                answer, error = None, exc
            if number in self._ended:
                self._ended[number] = answer, error

        self._nursery.start_soon(run)
        return number

    def ended(self, number: int) -> tuple[bool, Any]:
        """Return whether a call has ended, and its answer; raise its error."""
        if self._ended[number] is None:
            return False, None
        ended = self._ended.pop(number)
        assert ended is not None
        answer, error = ended
        if error is not None:
            raise error
        return True, answer
