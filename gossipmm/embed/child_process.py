"""The child of ``gossipmm.embed.child``: an agent that answers its parent on standard input.

It ends when that ends, which is when its parent does, however it dies; and, because a fork of the
parent may hold the other end open, also when it has got another parent. It leaves first. SIGTERM
also makes it leave; SIGINT is for the parent to act on.
"""

from __future__ import annotations

import logging
import os
import random
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import trio

from gossipmm.agent.agent import Agent
from gossipmm.agent.opening import open_agent
from gossipmm.agent.watch import Watch
from gossipmm.core.values.events import Event
from gossipmm.core.values.types import Address, TopicView
from gossipmm.embed.child_keys import KEY_VERBS, KeyCalls
from gossipmm.embed.long_calls import LongCalls
from gossipmm.embed.pipe import Lines, PipeError, config_from, dump, error_to, view_to
from gossipmm.embed.plain import plain
from gossipmm.embed.troubles import log_troubles
from gossipmm.errors import GossipError

#: Seconds between two checks who the parent is.
_PARENT_INTERVAL = 1.0
_READ = 65536


#: Calls that go to the agent itself.
_VERBS = frozenset(
    (
        *("register", "unregister", "drain", "undrain", "renew", "registrations"),
        *("set_metadata", "services", "check"),
        *("ack_alive", "report_failure", "expire", "forget", "join", "leave"),
        *("members", "member", "why", "agreement", "health", "status", "heard", "now"),
    )
)
#: Calls that are answered here; nothing else that an object happens to have is one.
_CALLS = frozenset(
    (
        *("conflict", "stats", "watch", "watched", "unwatch"),
        *("joined", "is_up", "round_trips", "topics", "view"),
        *("begin", "ended"),
        "send_event",
    )
)

_log = logging.getLogger(__name__)


class _Calls:
    """The calls that the parent may make: each public name is one; results are plain values."""

    def __init__(self, agent: Agent, nursery: trio.Nursery) -> None:
        self._agent = agent
        long = LongCalls(agent, nursery, plain)
        self.begin, self.ended = long.begin, long.ended
        #: Topic -> (view, its number here): a view that the parent has is not sent again.
        self._sent: dict[str, tuple[TopicView, int]] = {}
        # At random, so that no number is one that another child gave.
        self._numbers = random.getrandbits(48)
        self._watches: dict[int, Watch] = {}

    def __getattr__(self, name: str) -> Any:
        """Return the answer of a verb of the agent (one that the other end knows)."""
        if name in KEY_VERBS:
            return getattr(KeyCalls(self._agent.keys), name.removeprefix("keys."))
        if name not in _VERBS:
            raise AttributeError(f"{name!r} is not a call")
        return getattr(self._agent, name)

    def send_event(
        self, name: str, payload: str, topic: str | None, metadata: dict[str, Any]
    ) -> int:
        """Send a user event, whose payload comes in hexadecimal."""
        data = bytes.fromhex(payload)
        return self._agent.send_event(name, data, topic=topic, metadata=metadata)

    def conflict(self) -> list[Address]:
        """Return the addresses of another live process with this node's name."""
        return list(self._agent.conflict)

    def stats(self) -> dict[str, object]:
        """Return all counters, by name."""
        return self._agent.stats.as_dict()

    def watch(self, kinds: list[str], topics: list[str], members: list[str], buffer: int) -> int:
        """Begin to watch; return the number of the watch."""
        self._numbers += 1
        watch = self._agent.watch(*kinds, topics=topics, members=members, buffer=buffer)
        self._watches[self._numbers] = watch
        return self._numbers

    def watched(self, number: int) -> tuple[list[Event], bool]:
        """Return the events since the last time, and whether there will be no more."""
        watch = self._watches.get(number)
        found, over = watch.take() if watch is not None else ([], True)
        return plain(found), over

    def unwatch(self, number: int) -> None:
        """Stop a watch."""
        watch = self._watches.pop(number, None)
        if watch is not None:
            watch.close()

    def joined(self) -> bool:
        """Return whether the table agreed with a peer's."""
        return self._agent.table.joined

    def is_up(self, name: str) -> bool:
        """Return whether a host is up in any topic, or a member of that name is."""
        return self._agent.table.is_up(name)

    def round_trips(self, names: list[str]) -> dict[str, float]:
        """Return the estimated seconds to those of these nodes whose distance is known."""
        known = self._agent.table.round_trips
        return known.of(names) if known is not None else {}

    def topics(self) -> list[str]:
        """Return all known topics."""
        return list(self._agent.table.topics)

    def view(self, topic: str, known: int) -> Any:
        """Return the number of a topic's view, itself if the parent lacks it, and this zone.

        None: there is none.
        """
        view = self._agent.table.topics.get(topic)
        if view is None:
            self._sent.pop(topic, None)
            return None
        sent, number = self._sent.get(topic, (None, 0))
        if sent is not view:
            self._numbers = number = self._numbers + 1
            self._sent[topic] = (view, number)
        return [number, None if number == known else view_to(view), self._agent.table.zone]


class _Parent:
    """The other end of standard input."""

    def __init__(self) -> None:
        # A descriptor of its own, so that nothing here reads or closes the standard one.
        self._stream = trio.SocketStream(
            trio.socket.from_stdlib_socket(socket.socket(fileno=os.dup(0)))
        )
        self._lines = Lines()

    async def requests(self) -> Any:
        """Yield the parent's requests, until it is gone."""
        while True:
            try:
                for request in self._lines:
                    yield request
            except PipeError as exc:
                _log.error("the agent ends: its parent is of another version: %s", exc)
                return
            try:
                data = await self._stream.receive_some(_READ)
            except trio.BrokenResourceError:
                return
            if not data:
                return
            self._lines.feed(data)

    async def reply(self, number: int, answer: dict[str, Any]) -> None:
        """Answer a request; a parent that is gone is noticed by ``requests``."""
        with suppress(trio.BrokenResourceError):
            await self._stream.send_all(dump({"id": number, **answer}))


async def _answer(calls: _Calls, request: dict[str, Any]) -> dict[str, Any]:
    try:
        if request["call"] not in _CALLS | _VERBS | KEY_VERBS:
            raise AttributeError(f"{request['call']!r} is not a call")
        call: Callable[..., Any] = getattr(calls, request["call"])
        result = call(*request["args"], **request["options"])
        if isinstance(result, Awaitable):
            result = await result
        # The other calls answer with plain values; of a large topic it would cost milliseconds.
        named = request["call"] in _VERBS | KEY_VERBS
        return {"result": plain(result) if named else result}
    except Exception as exc:
        return error_to(exc)


async def _end_with_parent(pid: int, scope: trio.CancelScope) -> None:
    while True:
        if os.getppid() != pid:
            scope.cancel()
        await trio.sleep(_PARENT_INTERVAL)


async def _end_on_signal(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()


async def _main() -> int:
    parent = _Parent()
    requests = parent.requests()
    opening = await anext(requests, None)
    if opening is None:
        return 0
    try:
        config = config_from(opening["options"])
        async with open_agent(config) as agent, trio.open_nursery() as nursery:
            nursery.start_soon(_end_with_parent, opening["args"][0], nursery.cancel_scope)
            nursery.start_soon(_end_on_signal, nursery.cancel_scope)
            nursery.start_soon(log_troubles, agent)
            await parent.reply(opening["id"], {"result": [agent.name, agent.bound]})
            calls = _Calls(agent, nursery)
            async for request in requests:
                await parent.reply(request["id"], await _answer(calls, request))
            nursery.cancel_scope.cancel()
    except GossipError as exc:
        await parent.reply(opening["id"], error_to(exc))
        return 1
    return 0


def main() -> int:
    """Run until the parent ends. The exit status is 1 when the agent could not be opened."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The parent's log is out of reach; its standard error is not.
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(f"gossipmm agent of {os.getppid()}: %(message)s"))
    handler.setLevel(logging.WARNING)
    logging.getLogger("gossipmm").addHandler(handler)
    return trio.run(_main)


if __name__ == "__main__":
    sys.exit(main())
