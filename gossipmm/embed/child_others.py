"""What an agent in a child process asks of other members: calls that take seconds.

Calls of several threads take turns with the child, and lookups are among them. So such a call is
begun, and then asked after again and again.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

import trio

from gossipmm.agent.agent import Agent
from gossipmm.answers import Drained, MemberHealth
from gossipmm.embed.plain import restored

__all__ = ("ChildOthers", "LongCalls")

#: Seconds between two looks whether a call has ended.
_LOOK = 0.02
#: Calls that are remembered, at most: an answer that nobody takes must not stay for ever.
_KEPT = 64


class ChildOthers:
    """The part of a child's agent that asks others."""

    @abstractmethod
    def _ask(self, call: str, *args: Any, **options: Any) -> Any:
        """Ask the child, and return or raise its answer."""

    def status_all(self, timeout: float = 2.0) -> tuple[MemberHealth, ...]:
        """Ask each member how it is, and return what they say, this one first, by name.

        Takes at most ``timeout`` seconds. Those that left are not asked; ``outcome`` says of the
        others why there is no verdict: they are dead here, do not answer or do not say.
        """
        found: tuple[MemberHealth, ...] = self._long("status_all", timeout)
        return found

    def drain_member(
        self,
        name: str,
        topic: str | None = None,
        host: str | None = None,
        *,
        draining: bool = True,
        timeout: float = 2.0,
    ) -> Drained:
        """Have another member drained, or registrations of it; or put back into new picks.

        It does so only if its own configuration says ``accept_drain``, for a holder of the key;
        ``outcome`` says why it did not. Takes at most ``timeout`` seconds; what did not answer may
        have done it all the same.
        """
        options = {"draining": draining, "timeout": timeout}
        found: Drained = self._long("drain_member", name, topic, host, **options)
        return found

    def _long(self, call: str, *args: Any, **options: Any) -> Any:
        number = self._ask("begin", call, list(args), options)
        while True:
            over, answer = self._ask("ended", number)
            if over:
                return restored(answer)
            time.sleep(_LOOK)


class LongCalls:
    """In the child: the calls that were begun, and what came of them."""

    def __init__(self, agent: Agent, nursery: trio.Nursery, plain: Callable[[Any], Any]) -> None:
        self._calls: dict[str, Callable[..., Awaitable[Any]]] = {
            "status_all": agent.status_all,
            "drain_member": agent.drain_member,
        }
        self._nursery = nursery
        self._plain = plain
        self._numbers = count()
        self._ended: dict[int, tuple[Any, Exception | None] | None] = {}

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
