"""The child of ``gossipmm.embed.child``: an agent that answers its parent on standard input.

It ends when that ends, which is when its parent does, however it dies; and, because a fork of the
parent may hold the other end open, when the parent is not its parent any more. It leaves first.
SIGTERM makes it leave, too; SIGINT is for the parent to act on.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import trio

from gossipmm.agent.agent import Agent
from gossipmm.agent.opening import open_agent
from gossipmm.core.values.types import TopicView
from gossipmm.embed.pipe import Lines, config_from, dump, error_to, view_to
from gossipmm.errors import GossipError

#: Seconds between two looks at who the parent is.
_PARENT_INTERVAL = 1.0
_READ = 65536


class _Calls:
    """What the parent may ask. Each public name is a call; results are plain values."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        #: topic -> (view, its number here): a view that the parent has is not sent again.
        self._sent: dict[str, tuple[TopicView, int]] = {}
        self._numbers = 0
        self.register = agent.register
        self.unregister = agent.unregister
        self.drain = agent.drain
        self.renew = agent.renew
        self.ack_alive = agent.ack_alive
        self.report_failure = agent.report_failure
        self.expire = agent.expire
        self.now = agent.now

    def heard(self, names: Iterable[str]) -> dict[str, float]:
        """When each named member was last heard of."""
        return self._agent.heard(names)

    def joined(self) -> bool:
        """Whether the table agreed with a peer's."""
        return self._agent.table.joined

    def topics(self) -> list[str]:
        """All known topics."""
        return list(self._agent.table.topics)

    def view(self, topic: str, known: int) -> Any:
        """A topic's view and its number; only the number if it is the one ``known``, or None."""
        view = self._agent.table.topics.get(topic)
        if view is None:
            self._sent.pop(topic, None)
            return None
        sent, number = self._sent.get(topic, (None, 0))
        if sent is not view:
            self._numbers = number = self._numbers + 1
            self._sent[topic] = (view, number)
        return [number] if number == known else [number, view_to(view)]


class _Parent:
    """The other end of standard input."""

    def __init__(self) -> None:
        # A descriptor of its own, so that nothing here reads or closes the standard one.
        self._stream = trio.SocketStream(
            trio.socket.from_stdlib_socket(socket.socket(fileno=os.dup(0)))
        )
        self._lines = Lines()

    async def requests(self) -> Any:
        """Yield what the parent asks, until it is gone."""
        while True:
            for request in self._lines:
                yield request
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


def _answer(calls: _Calls, request: dict[str, Any]) -> dict[str, Any]:
    try:
        call: Callable[..., Any] = getattr(calls, request["call"])
        return {"result": call(*request["args"], **request["options"])}
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
            await parent.reply(opening["id"], {"result": [agent.name, agent.bound]})
            calls = _Calls(agent)
            async for request in requests:
                await parent.reply(request["id"], _answer(calls, request))
            nursery.cancel_scope.cancel()
    except GossipError as exc:
        await parent.reply(opening["id"], error_to(exc))
        return 1
    return 0


def main() -> int:
    """Run until the parent ends. The exit status is 1 when the agent could not be opened."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return trio.run(_main)


if __name__ == "__main__":
    sys.exit(main())
