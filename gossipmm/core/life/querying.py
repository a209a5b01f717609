"""Queries of this node: the members that it asks, how many at a time, and how often."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import cbor2

from gossipmm.core.life.asking import Asking
from gossipmm.core.life.budgets import Budgets
from gossipmm.core.life.queried import Queried, answered
from gossipmm.core.sending.outbox import Outbox
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values.queries import Query, QueryAsked, check_query
from gossipmm.core.values.questions import Answered, Outcome
from gossipmm.core.values.timers import cancel
from gossipmm.core.values.types import NodeId, Status
from gossipmm.core.wire import frame as wire
from gossipmm.errors import QueryError, QueryRateError

__all__ = ("Querying",)

#: Queries at once, and a second; and those under way. Each is a datagram and an answer for every
#: member that is asked, so that a loop would cost the cluster what it costs nobody to write.
_BURST: Final = 16.0
_RATE: Final = 2.0
_OPEN: Final = 16
#: Bytes around a query in a datagram that passes it on: keys, the number of the question, heads.
_AROUND: Final = 60


class Querying:
    """The queries of this node [P172, P176]."""

    def __init__(self, local: LocalState, outbox: Outbox, asking: Asking, queried: Queried) -> None:
        self._local = local
        self._outbox = outbox
        self._asking = asking
        self._queried = queried
        self._budgets = Budgets(_BURST, _RATE)
        #: Number of a query under way -> its end.
        self._ends: dict[int, float] = {}
        #: Queries that were asked, and that were refused because there were too many.
        self.asked = self.refused = 0

    def ask(self, query: Query, done: Callable[[Answered], None], now: float) -> int:
        """Ask a query; return how many members are asked: ``done`` is called once for each.

        Raises QueryError, or QueryRateError if there are too many; then nobody is asked.
        """
        local = self._local
        self._asking.enter(now)
        name, payload, seconds = check_query(query.name, query.payload, query.seconds)
        what = (name, payload, query.topic)
        self._check_size(name, what)
        self._check_rate()
        names = self._chosen(query)
        self.asked += 1
        if names:
            self._ends[self.asked] = local.now + seconds
            done = self._counted(self.asked, len(names), done)
        myself = local.own.name
        others = [one for one in names if one != myself]
        self._asking.query(others, what, seconds, done, local.now)
        if len(others) < len(names):
            self._ask_myself(what, seconds, done)
        return len(names)

    def _counted(
        self, number: int, left: int, done: Callable[[Answered], None]
    ) -> Callable[[Answered], None]:
        """Return what hands answers on, and takes the query off the list with the last of them."""

        def counted(answered: Answered) -> None:
            nonlocal left
            left -= 1
            if not left:
                self._ends.pop(number, None)
            done(answered)

        return counted

    def _check_size(self, name: str, what: tuple[str, bytes, str | None]) -> None:
        size = len(cbor2.dumps(what)) + wire.FRAME_SIZE + wire.ROW_SIZE + _AROUND
        if size > self._outbox.room:
            raise QueryError(
                f"query {name!r} takes {size} bytes with its payload and topic, more than the "
                f"{self._outbox.room} of a datagram"
            )

    def _check_rate(self) -> None:
        """Refuse a storm, with the number and when to come again [P176]."""
        now, me = self._local.now, self._local.me.key
        if len(self._ends) >= _OPEN:
            wait = max(0.1, min(self._ends.values()) - now)
            reason = f"{len(self._ends)} queries are under way, as many as may be"
        elif not self._budgets.charge(me, now):
            wait = self._budgets.wait(me, now)
            reason = f"more than {_RATE:g} queries a second, after {_BURST:g} at once"
        else:
            return
        self.refused += 1
        raise QueryRateError(f"{reason}: retry after {wait:.1f} s", retry_after=wait)

    def _chosen(self, query: Query) -> list[NodeId]:
        """Return who is asked, by name: members that left only if they are named."""
        table = self._local.table
        if query.members:
            names = list(dict.fromkeys(query.members))
        else:
            names = sorted(
                name
                for name, member in table.by_name.items()
                if member.status is not Status.LEFT or member is self._local.me
            )
        if query.topic is not None:
            of_topic = self._of_topic(query.topic)
            names = [name for name in names if name in of_topic]
        if query.metadata:
            wanted = {key: _text(value) for key, value in query.metadata.items()}
            names = [
                name
                for name in names
                if (member := table.by_name.get(name)) is not None and _has(member, wanted)
            ]
        return names

    def _of_topic(self, topic: str) -> set[NodeId]:
        table = self._local.table
        view = table.topic(topic)
        hosts = view.entries if view is not None else ()
        return {member.name for host in hosts for member in table.owners(topic, host)}

    def _ask_myself(
        self,
        what: tuple[str, bytes, str | None],
        seconds: float,
        done: Callable[[Answered], None],
    ) -> None:
        """Answer as a member would: it is one of those who are asked."""
        local, began = self._local, self._local.now
        until, me = began + seconds, local.me.key
        open_until = local.timers.at(
            until, lambda _: done(Answered(local.own.name, Outcome.WORKING, [], seconds))
        )

        def told(said: list[Any]) -> None:
            if open_until.function is not None:
                cancel(open_until)
                done(answered(local.own.name, said, local.now - began))

        identity = local.probe_id()
        asked = QueryAsked(what[0], what[1], local.own.name, until, me, identity)
        self._queried.own(asked, what[2], told)


def _text(value: object) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _has(member: Member, wanted: dict[str, str]) -> bool:
    """Return whether a member's metadata has these, as text writes them."""
    has = member.metadata
    return all(key in has and _text(has[key]) == value for key, value in wanted.items())
