"""What is listed, with an index for each resource, and waiting until an index changes.

Clients compare indexes and look no further: an equal one means that they throw the body away, a
changed one that they act on it. So the index of a resource changes exactly when its body does,
whatever else happens in the cluster; it begins at the time in milliseconds, so that it rises over
restarts, and stays below 2^53, which JavaScript's numbers hold.

A body is made again only when the views that it is made from were replaced.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import msgspec
import trio

from gossipmm.agent import Agent
from gossipmm.core.values.events import Event, HostChanged
from gossipmm.core.values.types import HostEntry, MemberView, TopicView
from gossipmm.errors import AgentClosedError, WatchOverflowError
from gossipmm.names import is_name
from gossipmm.sidecar.consul import shapes
from gossipmm.sidecar.consul.shapes import Check, Entry, Node

__all__ = ("MOST_WAITING", "Catalog", "Found", "Made", "TooManyError", "joined")

#: Requests that may wait at once. Consul allows 200 a client.
MOST_WAITING = 1024
#: Resources that are remembered with their index; of one that was forgotten it only rises.
_REMEMBERED = 4096
#: Seconds for which further changes are gathered before bodies are made.
_GATHER = 0.05
#: Seconds between two looks for what no event tells: metadata that changed.
_LOOK = 0.5
#: Hosts made between two looks at what else there is to do: 30 us each.
_AT_ONCE = 64
_NO_TAGS: list[str] = []
_encode = msgspec.json.encode
#: Addresses, metadata and status of the member that registers a host.
_OfMember: TypeAlias = tuple[object, object, object]


class TooManyError(Exception):
    """So many requests wait already."""


class Made(NamedTuple):
    """A host as it is shown, with what it was made from."""

    host: HostEntry
    member: _OfMember
    entry: Entry
    encoded: bytes


@dataclass(frozen=True, slots=True)
class Found:
    """A resource as it is now: what it is made of, and its body."""

    index: int
    value: Any
    body: bytes


class _Resource:
    """What is remembered of a resource."""

    __slots__ = ("found", "made_from")

    def __init__(self) -> None:
        self.made_from: object = None
        self.found = Found(0, None, b"")


class Catalog:
    """The catalog of one agent. Run it, in the agent's own Trio run."""

    def __init__(self, agent: Agent, wall: Callable[[], float] = time.time) -> None:
        self._agent = agent
        self._wall = wall
        self._last = 0
        self._resources: OrderedDict[tuple[str, str], _Resource] = OrderedDict()
        #: Topic -> host -> how it is shown; topic -> its view, and the tags of its hosts.
        self._hosts: dict[str, dict[str, Made]] = {}
        self._tags: dict[str, tuple[TopicView, list[str]]] = {}
        #: Counts of what may have changed members and hosts, so that no body is made for nothing.
        self._of_members = 0
        self._of_hosts = 0
        self._fingerprint: object = None
        self._news = trio.Event()
        self._closed = False
        #: Requests that wait now.
        self.waiting = 0

    async def run(self) -> None:
        """Follow the agent until it ends or this is cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._look_again)
            with suppress(AgentClosedError):
                await self._follow()
            nursery.cancel_scope.cancel()

    async def _look_again(self) -> None:
        """Tell those who wait of changes that have no event."""
        while True:
            await trio.sleep(_LOOK)
            if self.waiting and self._differs():
                self._tell()

    def _differs(self) -> bool:
        """Return whether the table is another one than when this was last asked."""
        fingerprint = self._agent.table.fingerprint
        if fingerprint == self._fingerprint:
            return False
        self._fingerprint = fingerprint
        self._of_members += 1
        self._of_hosts += 1
        return True

    async def _follow(self) -> None:
        while True:
            with self._agent.watch(buffer=16_384) as watch:
                # What happened until now, or while it was not watched.
                self._of_members += 1
                self._of_hosts += 1
                self._tell()
                with suppress(WatchOverflowError):
                    async for event in watch:
                        self._take(event)
                    return

    def _take(self, event: Event) -> None:
        if isinstance(event, HostChanged):
            self._of_hosts += 1
        else:
            self._of_members += 1
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = trio.Event()

    def close(self) -> None:
        """Answer everybody who waits, and let nobody wait from now on."""
        self._closed = True
        self._tell()

    # -- resources -----------------------------------------------------------------------------

    async def services(self) -> Found:
        """Return all topics that have a host, with their tags."""
        self._differs()
        made_from = (self._of_hosts, self._of_members)
        return await self._found("services", "", made_from, self._services)

    async def service(self, topic: str) -> Found:
        """Return the hosts of a topic, as ``Made``."""
        self._differs()
        view = self._agent.topic(topic)
        made_from = (id(view), view, self._of_members)

        async def make() -> tuple[list[Made], bytes]:
            made = [] if view is None else await self._made_of(view)
            return made, joined(each.encoded for each in made)

        # What no topic can be called is remembered once, however it is called.
        return await self._found("service", topic if is_name(topic) else "", made_from, make)

    async def nodes(self) -> Found:
        """Return all live members, as ``Node``."""
        self._differs()
        return await self._found("nodes", "", self._of_members, self._nodes)

    async def checks(self) -> Found:
        """Return the checks of everything, as ``Check``."""
        self._differs()
        made_from = (self._of_hosts, self._of_members)
        return await self._found("checks", "", made_from, self._checks)

    async def _found(
        self,
        kind: str,
        name: str,
        made_from: object,
        make: Callable[[], Awaitable[tuple[Any, bytes]]],
    ) -> Found:
        resource = self._resources.get((kind, name))
        if resource is None:
            resource = self._resources[kind, name] = _Resource()
            if len(self._resources) > _REMEMBERED:
                (_, forgotten), _ = self._resources.popitem(last=False)
                self._hosts.pop(forgotten, None)
        else:
            self._resources.move_to_end((kind, name))
        if resource.made_from is None or resource.made_from != made_from:
            value, body = await make()
            if resource.made_from is None or body != resource.found.body:
                resource.found = Found(self._next(), value, body)
            resource.made_from = made_from
        return resource.found

    def _next(self) -> int:
        self._last = max(int(self._wall() * 1000), self._last + 1)
        return self._last

    async def _services(self) -> tuple[dict[str, list[str]], bytes]:
        found, topics = {}, self._agent.topics()
        for name, view in sorted(topics.items()):
            view_then, tags = self._tags.get(name, (None, _NO_TAGS))
            if view_then is not view:
                tags = sorted({tag for host in view.entries.values() for tag in shapes.tags(host)})
                self._tags[name] = view, tags
                await trio.lowlevel.checkpoint()
            if view.entries:
                found[name] = tags
        for gone in self._tags.keys() - topics.keys():
            del self._tags[gone]
        return found, _encode(found)

    async def _made_of(self, view: TopicView) -> list[Made]:
        """Return the hosts of a topic by name; those that changed are made again."""
        before = self._hosts.get(view.topic, {})
        made: dict[str, Made] = {}
        new = 0
        for name, host in sorted(view.entries.items()):
            member = self._agent.member(shapes.owner(host))
            if member is None:
                continue
            of_member = (member.addresses, member.metadata, member.status)
            known = before.get(name)
            if known is None or known.host is not host or known.member != of_member:
                entry = shapes.entry(host, member)
                known = Made(host, of_member, entry, _encode(entry))
                new += 1
                if new % _AT_ONCE == 0:
                    await trio.lowlevel.checkpoint()
            made[name] = known
        self._hosts[view.topic] = made
        return list(made.values())

    async def _nodes(self) -> tuple[list[Node], bytes]:
        found = [shapes.node(view) for view in self._live()]
        return found, _encode(found)

    def _live(self) -> list[MemberView]:
        live = (view for view in self._agent.members() if view.status in shapes.LIVE)
        return sorted(live, key=lambda view: view.name)

    async def _checks(self) -> tuple[list[Check], bytes]:
        found = [shapes.member_check(view) for view in self._live()]
        topics = self._agent.topics()
        for _, topic in sorted(topics.items()):
            found += [made.entry.checks[-1] for made in await self._made_of(topic)]
        for gone in self._hosts.keys() - topics.keys():
            del self._hosts[gone]
        return found, _encode(found)

    # -- waiting -------------------------------------------------------------------------------

    async def later(
        self, resource: Callable[[], Awaitable[Found]], index: int, seconds: float
    ) -> Found:
        """Return a resource once its index is another one, or after so many seconds.

        Raises TooManyError.
        """
        if self.waiting >= MOST_WAITING:
            raise TooManyError
        self.waiting += 1
        try:
            with trio.move_on_after(seconds):
                while not self._closed:
                    news = self._news  # of now: what comes while the body is made counts
                    if (await resource()).index != index:
                        break
                    await news.wait()
                    await trio.sleep(_GATHER)
            return await resource()
        finally:
            self.waiting -= 1


def joined(parts: Iterable[bytes]) -> bytes:
    """Return a JSON list of values that are encoded already."""
    return b"[" + b",".join(parts) + b"]"
