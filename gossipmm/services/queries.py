"""``[[query]]``: programs that answer queries with what they print, bounded in time and number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Final

import trio

from gossipmm.config_handlers import QueryHandler
from gossipmm.core.values.queries import QueryAsked, Told
from gossipmm.core.values.questions import Outcome
from gossipmm.services import programs

__all__ = ("Programs",)

#: Programs that run at once; further queries wait for their turn, until they end.
_AT_ONCE: Final = 4
#: Exit status of what cannot be run, and of what is killed, as a shell has them.
_NOT_RUN: Final = 127
_KILLED: Final = 128


class Programs:
    """The programs of one agent, by the names of the queries that they answer."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._room = trio.Semaphore(_AT_ONCE)
        self._by_name: dict[str, QueryHandler] = {}
        #: Runs by how they ended.
        self.counts: Counter[str] = Counter()

    def replace(self, handlers: Iterable[QueryHandler]) -> list[str]:
        """Have these from now on; returns in words what changed."""
        before, self._by_name = self._by_name, {one.name: one for one in handlers}
        said = []
        for name in sorted({*before, *self._by_name}):
            old, new = before.get(name), self._by_name.get(name)
            if old != new:
                how = "added" if old is None else "ended" if new is None else "changed"
                said.append(f"query: {name} {how}")
        return said

    def find(self, name: str) -> Callable[[QueryAsked], Awaitable[tuple[Outcome, Told]]] | None:
        """Return what answers queries of a name; None: no program does."""
        handler = self._by_name.get(name)
        return None if handler is None else partial(self._answer, handler)

    async def _answer(self, handler: QueryHandler, asked: QueryAsked) -> tuple[Outcome, Told]:
        env = programs.environment(
            GOSSIPMM_NODE=self._node, GOSSIPMM_QUERY=asked.name, GOSSIPMM_ASKER=asked.asker
        )
        async with self._room:
            ended = await programs.run(
                handler.run, within=handler.timeout, stdin=asked.payload, env=env, head=True
            )
        if ended.late:
            self.counts["timeout"] += 1
            return Outcome.LATE, Told(ended.output)
        if not ended.reason:
            self.counts["ok"] += 1
            return Outcome.DONE, Told(ended.output)
        self.counts["failed"] += 1
        status = _NOT_RUN if ended.status is None else ended.status
        if status < 0:
            status = _KILLED - status
        if ended.endless:
            return Outcome.FAILED, Told(ended.output, cut=True, status=status)
        words = ended.output if ended.status else ended.reason.encode(errors="replace")
        return Outcome.FAILED, Told(words, status=status)
