"""What an agent in a child process asks of other members: calls that take seconds.

Calls of several threads take turns with the child, and lookups are among them. So such a call is
begun, and then asked after again and again.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from gossipmm.answers import Drained, MemberHealth, QueryResult, Rtt
from gossipmm.core.values.queries import check_query
from gossipmm.embed.plain import restored
from gossipmm.names import check_event

__all__ = ("ChildOthers",)

#: Seconds between two looks whether a call has ended.
_LOOK = 0.02


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

    def query(
        self,
        name: str,
        payload: bytes | str = b"",
        *,
        topic: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        timeout: float = 2.0,
    ) -> QueryResult:
        """Ask all members, or those of a topic or of some metadata, and return what they say.

        This node is one of them. Takes at most ``timeout`` seconds, and less where all have
        answered. Raises QueryError for what cannot be asked, QueryRateError for too many queries.
        """
        name, data, timeout = check_query(name, payload, timeout)
        options = {"topic": topic, "metadata": dict(metadata or {}), "timeout": timeout}
        found: QueryResult = self._long("query", name, data.decode("latin-1"), **options)
        return found

    def send_event(
        self,
        name: str,
        payload: bytes | str = b"",
        *,
        topic: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> int:
        """Send a user event to all live members, this one included, once; return its number.

        ``topic``: only to members with a registration of it; ``metadata``: only to those whose own
        metadata has these values. Raises UserEventError, or UserEventRateError: nobody is told.
        """
        data, chosen = check_event(name, payload, topic, metadata)
        return int(self._ask("send_event", name, data.hex(), topic, chosen))

    def rtt(self, name: str, to: str | None = None, timeout: float = 2.0) -> Rtt:
        """Return the estimated round trip between a member and another one; None: this node.

        Each of the two is asked for its coordinate; nothing is sent
        between them. ``outcome`` says why there is no estimate, and ``of`` whose coordinate is
        missing. Takes at most ``timeout`` seconds.
        """
        found: Rtt = self._long("rtt", name, to, timeout)
        return found

    def _long(self, call: str, *args: Any, **options: Any) -> Any:
        number = self._ask("begin", call, list(args), options)
        while True:
            over, answer = self._ask("ended", number)
            if over:
                return restored(answer)
            time.sleep(_LOOK)
