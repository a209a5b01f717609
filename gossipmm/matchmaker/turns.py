"""Chooses the next host: round robin under churn, and rendezvous hashing.

Both work on an immutable tuple of hosts that the caller took from the table, take no lock and
never wait, from any number of threads.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Container, Sequence
from hashlib import blake2b
from itertools import count

from gossipmm.errors import InvalidKeyError

#: Routing keys remembered for one topic: about half a megabyte. Then they are worked out again.
MAX_ROUTES = 4096


class Turn:
    """A walk around one tuple of hosts; ``advance`` is atomic (one call of itertools.count)."""

    __slots__ = ("advance", "hosts", "size", "successors")

    def __init__(self, hosts: Sequence[str], start: int) -> None:
        self.hosts = hosts
        self.size = len(hosts)
        self.advance = count(start).__next__
        #: The walk that continues this one, by identity of its hosts (which it keeps alive).
        self.successors: dict[int, Turn] = {}

    def last(self) -> str:
        """Return the host used last, using up one position: for a walk that is replaced."""
        return self.hosts[(self.advance() - 1) % self.size]


class RoundRobin:
    """One walk per topic. When its hosts change, it continues after the host used last.

    Exact between changes; at a change, at most one pick too many or too few for each thread then
    running (a thread may still hold the walk that was replaced).

    ``spread`` moves the first pick of each topic, so that many short-lived programs, each with its
    own walk, do not all begin with the first host. ``known`` are the topics worth remembering;
    others are forgotten when there are too many.
    """

    __slots__ = ("_known", "_limit", "_spread", "turns")

    def __init__(
        self, spread: str = "", *, known: Callable[[], Container[str]] | None = None
    ) -> None:
        self._spread = spread
        self._known = known
        self._limit = 64
        #: Topic -> its walk.
        self.turns: dict[str, Turn] = {}

    def pick(self, topic: str, hosts: Sequence[str]) -> str:
        """Return the next of ``hosts``: not empty, sorted by name unless they never change."""
        turn = self.turns.get(topic)
        if turn is None or turn.hosts is not hosts:
            turn = self.renew(topic, hosts, turn)
        return turn.hosts[turn.advance() % turn.size]

    def renew(self, topic: str, hosts: Sequence[str], turn: Turn | None) -> Turn:
        """Replace a walk. If several threads are here at once, all take the walk of the first."""
        if turn is None:
            self._forget()
            # A lost race returns the other thread's walk, over hosts that were as current as ours.
            return self.turns.setdefault(topic, Turn(hosts, self._first(topic)))
        start = bisect_right(hosts, turn.last())
        turn = turn.successors.setdefault(id(hosts), Turn(hosts, start))
        self.turns[topic] = turn
        return turn

    def _first(self, topic: str) -> int:
        if not self._spread:
            return 0
        digest = blake2b(f"{self._spread}\0{topic}".encode("utf-8", "replace"), digest_size=4)
        return int.from_bytes(digest.digest(), "big")

    def _forget(self) -> None:
        """Drop the walks of topics that the table no longer knows, now and then."""
        if self._known is None or len(self.turns) < self._limit:
            return
        known = self._known()
        for topic in list(self.turns):
            if topic not in known:
                self.turns.pop(topic, None)
        self._limit = 2 * len(self.turns) + 64


class Routes:
    """The hosts of routing keys, each remembered for as long as its topic has the same hosts.

    A key costs one hash for each host, which at 1,000 hosts is 0.4 ms; a program has few keys, and
    uses each again and again. ``known`` as for RoundRobin.
    """

    __slots__ = ("_known", "_limit", "routes")

    def __init__(self, *, known: Callable[[], Container[str]]) -> None:
        self._known = known
        self._limit = 64
        #: Topic -> (its hosts, routing key -> one of them).
        self.routes: dict[str, tuple[Sequence[str], dict[bytes, str]]] = {}

    def pick(self, topic: str, hosts: Sequence[str], routing_key: str | bytes) -> str:
        """Return the host of a key among ``hosts``, which must not be empty."""
        key = _as_bytes(routing_key)
        routes = self.routes.get(topic)
        if routes is None or routes[0] is not hosts:
            self._forget()
            routes = self.routes[topic] = (hosts, {})
        found = routes[1].get(key)
        if found is None:
            if len(routes[1]) >= MAX_ROUTES:
                routes[1].clear()
            found = routes[1][key] = rendezvous(key, hosts)
        return found

    def _forget(self) -> None:
        """Drop the routes of topics that the table no longer knows, now and then."""
        if len(self.routes) < self._limit:
            return
        known = self._known()
        for topic in list(self.routes):
            if topic not in known:
                self.routes.pop(topic, None)
        self._limit = 2 * len(self.routes) + 64


def _as_bytes(routing_key: str | bytes) -> bytes:
    if isinstance(routing_key, str):
        return routing_key.encode("utf-8", "surrogatepass")
    if isinstance(routing_key, (bytes, bytearray, memoryview)):
        return bytes(routing_key)
    raise InvalidKeyError(
        f"routing key must be a string or bytes, not {type(routing_key).__name__}: {routing_key!r}"
    )


def rendezvous(routing_key: str | bytes, hosts: Sequence[str]) -> str:
    """Return the host with the highest weight for this key (Thaler and Ravishankar, 1998).

    The weight is BLAKE2b-64 of the host's name, keyed with BLAKE2b-256 of the routing key: the same
    in every process and on every machine. When a host leaves, only its keys move; when one joins,
    it takes its share from all others. About 0.7 us a host. Raises InvalidKeyError for a routing
    key that is neither string nor bytes.
    """
    keyed = blake2b(key=blake2b(_as_bytes(routing_key), digest_size=32).digest(), digest_size=8)
    best = b""
    chosen = hosts[0]
    for host in hosts:
        weight = keyed.copy()
        weight.update(host.encode("utf-8", "surrogatepass"))
        if (found := weight.digest()) > best:
            best = found
            chosen = host
    return chosen
