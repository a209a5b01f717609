"""What a program told its agent, to tell it again when the agent is started again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from gossipmm.names import changed_metadata

__all__ = ("Made", "Registered")


class Registered(NamedTuple):
    """A registration as it was made; ``ends`` is when it does, if nobody renews it."""

    topic: str
    host: str
    metadata: Mapping[str, Any] | None
    ttl: float | None
    draining: bool
    ends: float | None


class Made:
    """The registrations and seeds that were given since the start."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._registered: dict[tuple[str, str], Registered] = {}
        self._seeds: dict[str, None] = {}
        #: The node itself drains.
        self.draining = False
        #: Changes of the node's own metadata, to what the configuration says.
        self.metadata: dict[str, Any] = {}

    def __iter__(self) -> Iterator[Registered]:
        """Yield the registrations whose time to live has not ended, oldest first."""
        now = self._clock()
        for made in list(self._registered.values()):
            if made.ends is None or made.ends > now:
                yield made

    @property
    def seeds(self) -> tuple[str, ...]:
        """The seeds that were added."""
        return tuple(self._seeds)

    def register(
        self,
        topic: str,
        host: str,
        metadata: Mapping[str, Any] | None,
        ttl: float | None,
        draining: bool,
    ) -> None:
        """Take a registration."""
        ends = None if ttl is None else self._clock() + ttl
        made = Registered(topic, host, metadata, ttl, draining, ends)
        self._registered[topic, host] = made

    def unregister(self, topic: str, host: str) -> None:
        """Take its end."""
        self._registered.pop((topic, host), None)

    def renew(self, topic: str, host: str) -> None:
        """Take that it was renewed."""
        made = self._registered.get((topic, host))
        if made is not None and made.ttl is not None:
            self._registered[topic, host] = made._replace(ends=self._clock() + made.ttl)

    def drain(self, topic: str | None, host: str | None, draining: bool) -> None:
        """Take that registrations, or with neither argument the node, were drained."""
        if topic is None and host is None:
            self.draining = draining
            return
        for key, made in list(self._registered.items()):
            if topic in (None, made.topic) and host in (None, made.host):
                self._registered[key] = made._replace(draining=draining)

    def set_metadata(self, changes: Mapping[str, Any], topic: str | None, host: str | None) -> None:
        """Take that metadata changed, of registrations or with neither name of the node."""
        if topic is None and host is None:
            self.metadata.update(changes)
            return
        for key, made in list(self._registered.items()):
            if topic in (None, made.topic) and host in (None, made.host):
                items = changed_metadata(repr(made.topic), made.metadata or {}, changes)
                self._registered[key] = made._replace(metadata=items)

    def join(self, seeds: tuple[str, ...]) -> None:
        """Take seeds that were added."""
        self._seeds.update(dict.fromkeys(seeds))
