"""Exchanges resolve keys. Subclass ``Exchange`` for hash tables, DNS and the like.

``run(key)`` returns a new list of (queue key, host) tuples; the caller may change it. The host is
None where none is known (``StubExchange``). The exchanges over the gossiped table are in
``gossipmm.matchmaker.table``.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from gossipmm.matchmaker.keys import FANOUT, FANOUT_PREFIXES, fanout_topic, split_direct
from gossipmm.matchmaker.ring import CLASSICAL_RING_FILE, Ring, check_ring, load_ring
from gossipmm.matchmaker.turns import RoundRobin
from gossipmm.settings import load_config

#: (queue key, host); the host is None where the exchange knows none.
Match: TypeAlias = tuple[str, str | None]

_log = logging.getLogger(__name__)


class Exchange:
    """Looks up keys."""

    def run(self, key: str) -> Iterable[Match]:
        """Return the (queue key, host) tuples of a key. A subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__} does not define run(key)")


class StubExchange(Exchange):
    """Leaves the key as it is, without a host."""

    def run(self, key: str) -> list[Match]:
        """Return ``[(key, None)]``."""
        return [(key, None)]


class LocalhostExchange(Exchange):
    """Resolves every topic to one host."""

    def __init__(self, host: str = "localhost") -> None:
        self.host = host

    def run(self, key: str) -> list[Match]:
        """Return the key's first part before a dot, joined to the host."""
        if key.startswith(FANOUT_PREFIXES):
            return [(f"{FANOUT}{fanout_topic(key)}.{self.host}", self.host)]
        return [(f"{key.partition('.')[0]}.{self.host}", self.host)]


class DirectExchange(Exchange):
    """Sends ``topic.host`` to the host that it names, known or not."""

    def run(self, key: str) -> list[Match]:
        """Return the key itself, with everything after its first dot as the host."""
        return [(key, split_direct(key)[1])]


class RingExchange(Exchange):
    """Base of the exchanges over a static map of topics to lists of hosts.

    Without ``ring``, the JSON file that the configuration names (``GOSSIPMM_RING_FILE``, or
    ``ring_file`` in the configuration file); without that, the classical file if there is one.
    Raises RingFileError when the ring is not a map of lists, or a named file cannot be read.
    """

    def __init__(self, ring: Mapping[str, Sequence[str]] | None = None) -> None:
        #: Topic -> its hosts, in ring order.
        self.ring: Ring = configured_ring() if ring is None else check_ring(ring)

    def hosts(self, topic: str) -> Sequence[str]:
        """Return the topic's hosts in ring order; none, with a warning, when it is not there."""
        hosts = self.ring.get(topic, ())
        if not hosts:
            _log.warning(
                "no host for topic %r in the ring (known topics: %d)", topic, len(self.ring)
            )
        return hosts


class RoundRobinRingExchange(RingExchange):
    """One host of the topic, each in turn."""

    def __init__(self, ring: Mapping[str, Sequence[str]] | None = None) -> None:
        super().__init__(ring)
        self._turns = RoundRobin()

    def run(self, key: str) -> list[Match]:
        """Return the next host in turn, or an empty list when the topic is unknown."""
        hosts = self.hosts(key)
        if not hosts:
            return []
        host = self._turns.pick(key, hosts)
        return [(f"{key}.{host}", host)]


class FanoutRingExchange(RingExchange):
    """Every host of the topic."""

    def run(self, key: str) -> list[Match]:
        """Return every host in ring order, or an empty list when the topic is unknown."""
        topic = fanout_topic(key)
        return [(f"{FANOUT}{topic}.{host}", host) for host in self.hosts(topic)]


def configured_ring() -> Ring:
    """Return the ring of the file that the configuration names; see RingExchange."""
    path = load_config().ring_file
    if not path:
        if not os.path.exists(CLASSICAL_RING_FILE):
            _log.warning(
                "no ring file is configured (GOSSIPMM_RING_FILE, or ring_file in the "
                "configuration file): every topic is unknown"
            )
            return {}
        path = CLASSICAL_RING_FILE
    return load_ring(path)
