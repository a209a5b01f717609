"""Chooses the next host: round robin under churn, and rendezvous hashing.

Both work on an immutable tuple of hosts that the caller took from the table, take no lock and
never wait, from any number of threads.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Container, Mapping, Sequence
from hashlib import blake2b
from itertools import count
from math import ceil, inf, log

from gossipmm.errors import InvalidKeyError
from gossipmm.matchmaker.weights import NO_CREDITS, Computed, credits_of, cycle

#: Routing keys remembered for one topic: about half a megabyte. Then they are worked out again.
MAX_ROUTES = 4096


class Turn:
    """A walk around one tuple of hosts; ``advance`` is atomic (one call of itertools.count)."""

    __slots__ = (
        "_credits",
        "_far",
        "_start",
        "advance",
        "hosts",
        "of",
        "size",
        "successors",
        "view",
    )

    def __init__(
        self,
        of: Sequence[str],
        hosts: Sequence[str],
        start: int,
        credits: Mapping[str, float] = NO_CREDITS,
        far: float = 0.0,
    ) -> None:
        #: The hosts that it was made for, and the way around them: the same, or a cycle by weight.
        self.of = of
        self.hosts = hosts
        self.size = len(hosts)
        #: What it was last found to be current for: whoever asks for the same asks no more.
        self.view: object = of
        self.advance = count(start).__next__
        self._start = start
        #: The turns by which hosts were behind when it began.
        self._credits = credits
        #: How far through a computed cycle the last one was left, from 0 to 1.
        self._far = far
        #: The walk that continues this one, by identity of its hosts (which it keeps alive).
        self.successors: dict[int, Turn] = {}

    def next(self, of: Sequence[str], weights: Sequence[int] | None) -> Turn:
        """Return the walk that continues this one, using up one position of this.

        Without weights it continues behind the host used last. With weights it begins with those
        that are behind what their weights say.
        """
        place = self.advance()
        credits, far = self._credits, self._far
        if isinstance(self.hosts, Computed):
            far = place % self.size / self.size
        elif isinstance(self.hosts, tuple) and self.hosts is not self.of:
            credits = credits_of(self.hosts, self._start, place - self._start, credits)
            if len(credits) > 2 * len(of) + 16:
                here = set(of)
                credits = {host: turns for host, turns in credits.items() if host in here}
        if weights is None:
            last = self.hosts[(place - 1) % self.size]
            return Turn(of, of, bisect_right(of, last), credits, far)
        hosts = cycle(of, weights, credits)
        start = ceil(far * len(hosts)) if isinstance(hosts, Computed) else 0
        return Turn(of, hosts, start, credits, far)


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
        if turn is None or turn.of is not hosts:
            turn = self.renew(topic, hosts, turn)
        return turn.hosts[turn.advance() % turn.size]

    def renew(
        self,
        topic: str,
        hosts: Sequence[str],
        turn: Turn | None,
        weights: Sequence[int] | None = None,
    ) -> Turn:
        """Replace a walk. If several threads are here at once, all take the walk of the first.

        ``weights`` are those of ``hosts``, above 0; None: all have the same.
        """
        if turn is None:
            self._forget()
            way = hosts if weights is None else cycle(hosts, weights)
            # A lost race returns the other thread's walk, over hosts that were as current as ours.
            return self.turns.setdefault(topic, Turn(hosts, way, self._first(topic)))
        turn = turn.successors.setdefault(id(hosts), turn.next(hosts, weights))
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

    def pick(
        self,
        topic: str,
        hosts: Sequence[str],
        routing_key: str | bytes,
        weights: Sequence[int] | None = None,
    ) -> str:
        """Return the host of a key among ``hosts``, which must not be empty.

        ``weights`` are those of ``hosts``; None: all have the same. Other ones come with other
        ``hosts``, by identity.
        """
        key = _as_bytes(routing_key)
        routes = self.routes.get(topic)
        if routes is None or routes[0] is not hosts:
            self._forget()
            routes = self.routes[topic] = (hosts, {})
        found = routes[1].get(key)
        if found is None:
            if len(routes[1]) >= MAX_ROUTES:
                routes[1].clear()
            found = routes[1][key] = rendezvous(key, hosts, weights)
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


def rendezvous(
    routing_key: str | bytes, hosts: Sequence[str], weights: Sequence[int] | None = None
) -> str:
    """Return the host with the highest score for this key (Thaler and Ravishankar, 1998).

    The score is BLAKE2b-64 of the host's name, keyed with BLAKE2b-256 of the routing key: the same
    in every process and on every machine. When a host leaves, only its keys move; when one joins,
    it takes its share from all others. About 0.7 us a host. Raises InvalidKeyError for a routing
    key that is neither string nor bytes.

    With weights, above 0, each host has that share of the keys, and when one changes, only keys
    from or to its host move (Schindelhauer and Schomaker, 2005). Equal ones give what none give.
    """
    keyed = blake2b(key=blake2b(_as_bytes(routing_key), digest_size=32).digest(), digest_size=8)
    if weights is not None:
        return _weighted_rendezvous(keyed, hosts, weights)
    best = b""
    chosen = hosts[0]
    for host in hosts:
        score = keyed.copy()
        score.update(host.encode("utf-8", "surrogatepass"))
        if (found := score.digest()) > best:
            best = found
            chosen = host
    return chosen


def _weighted_rendezvous(keyed: blake2b, hosts: Sequence[str], weights: Sequence[int]) -> str:
    """Return the host with the shortest time to its first event, at a rate of its weight."""
    best = (inf, b"")
    chosen = hosts[0]
    for host, weight in zip(hosts, weights, strict=True):
        score = keyed.copy()
        score.update(host.encode("utf-8", "surrogatepass"))
        digest = score.digest()
        # From 0 to 1, neither included. Where two are one float, the digest decides, as above.
        share = (int.from_bytes(digest, "big") + 0.5) / 2**64
        time = -log(share) / weight if share < 1.0 else 0.0
        if time < best[0] or (time == best[0] and digest > best[1]):
            best = (time, digest)
            chosen = host
    return chosen
