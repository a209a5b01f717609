"""The virtual network: carries datagrams between hosts, and does to them what faults ask for.

Without faults a datagram costs one draw and one heap entry. With faults, each ordered pair of hosts
has a ``Link``, the sum of all that is wrong between them, computed when first used and thrown away
whenever the set of faults changes. Each kind of fault draws from its own stream of the sender.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from heapq import heappush
from random import Random
from typing import TYPE_CHECKING, Any, Final

from gossipmm_sim.engine.clock import Clock
from gossipmm_sim.engine.latency import STEPS, quantiles
from gossipmm_sim.engine.streams import Streams

if TYPE_CHECKING:
    from gossipmm.core.values.types import Address
    from gossipmm_sim.engine.shell import Shell as Host

__all__ = ("HEADERS", "Link", "Network", "Rule")

#: Bytes of an IPv4 and a UDP header, added to every datagram that is counted.
HEADERS: Final = 28
#: Datagrams that a replaying link remembers.
_REPLAY_KEPT: Final = 512

#: Adds to a Link what one fault does between two hosts.
Rule = Callable[["Host", "Host", "Link"], None]


class Link:
    """All that is wrong from one host to another; the defaults are a healthy link."""

    __slots__ = (
        "burst",
        "corrupt",
        "cut",
        "duplicate",
        "extra",
        "latency",
        "loss",
        "mtu",
        "rate",
        "rate_queue",
        "reorder",
        "replay",
        "rewrite",
        "table",
        "unseen",
    )

    def __init__(self) -> None:
        self.cut = False
        self.loss = 0.0
        #: Gilbert-Elliott: (chance to enter a burst, to leave it, loss inside it), per datagram.
        self.burst: tuple[float, float, float] | None = None
        self.duplicate = 0.0
        #: (chance, at most this many seconds later)
        self.reorder: tuple[float, float] | None = None
        #: (chance, seconds later at most): an old datagram of this pair comes again
        self.replay: tuple[float, float] | None = None
        self.corrupt = 0.0
        #: Share of the changed datagrams that the checksum lets through.
        self.unseen = 1.0
        self.mtu = 65507
        #: bytes a second, and bytes that may wait; the rest is dropped
        self.rate = 0.0
        self.rate_queue = 0.0
        self.extra = 0.0
        #: What another version of the program would have sent instead.
        self.rewrite: Callable[[bytes], bytes] | None = None
        self.latency = ""
        self.table: tuple[float, ...] | None = None

    def add_loss(self, p: float) -> None:
        """Lose a share ``p`` more: independent losses multiply what passes."""
        self.loss = 1.0 - (1.0 - self.loss) * (1.0 - p)


class Network:
    """Addresses, latencies and faults between hosts."""

    def __init__(self, clock: Clock, streams: Streams, latency: str = "lan") -> None:
        self.clock = clock
        self.streams = streams
        self.table = quantiles(latency)
        self.hosts: dict[Address, Host] = {}
        self.rules: dict[str, Rule] = {}
        self.lost: dict[str, int] = {}
        #: Largest datagram that a host may send; a larger one is a broken promise.
        self.limit = 1200
        self.oversize: list[tuple[float, str, int]] = []
        #: Called with (sender, data, destination) for every datagram sent, when set.
        self.tap: Callable[[Host, bytes, Address], None] | None = None
        self._links: dict[tuple[int, int], Link] = {}
        self._streams: dict[str, Random] = {}
        self._bursts: dict[tuple[int, int], bool] = {}
        self._busy: dict[tuple[int, int], float] = {}
        self._old: dict[tuple[int, int], deque[bytes]] = {}

    def attach(self, host: Host) -> None:
        """Give the host its address; whoever had it before no longer hears anything."""
        self.hosts[host.address] = host

    def detach(self, host: Host) -> None:
        """Take the host's address away, if it is still his."""
        if self.hosts.get(host.address) is host:
            del self.hosts[host.address]

    def add_rule(self, key: str, rule: Rule) -> None:
        """Begin a fault; ``key`` names it for ``remove_rule``."""
        self.rules[key] = rule
        self._links.clear()

    def remove_rule(self, key: str) -> None:
        """End a fault; unknown keys are ignored."""
        self.rules.pop(key, None)
        self._links.clear()

    def drop(self, reason: str) -> None:
        """Count a datagram that will not arrive."""
        self.lost[reason] = self.lost.get(reason, 0) + 1

    def send(self, host: Host, out: Iterable[tuple[bytes, Address]]) -> None:
        """Send what a host's core gave: the hot path."""
        clock = self.clock
        now, heap, order = clock.now, clock.heap, clock.order
        draw, table, hosts = host.draw, self.table, self.hosts
        source = host.address
        limit, rules = self.limit, self.rules
        for data, address in out:
            size = len(data)
            host.sent_datagrams += 1
            host.sent_bytes += size + HEADERS
            if size > limit:
                self.oversize.append((now, host.label, size))
            if self.tap is not None:
                self.tap(host, data, address)
            peer = hosts.get(address)
            if peer is None:
                self.drop("nobody there")
            elif rules:
                self._send_faulty(host, peer, data, address)
            else:
                delay = table[int(draw() * STEPS)]
                heappush(heap, (now + delay, order(), peer.deliver, data, source))

    def inject(self, data: bytes, source: Address, target: Address, delay: float = 0.0) -> None:
        """Deliver bytes that no host sent: an attacker's, or an old copy's."""
        self.clock.at(self.clock.now + delay, self._arrive, data, (source, target))

    def _arrive(self, data: bytes, route: tuple[Address, Address]) -> None:
        peer = self.hosts.get(route[1])
        if peer is None:
            self.drop("nobody there")
        else:
            peer.deliver(data, route[0])

    def link(self, host: Host, peer: Host) -> Link:
        """Sum of all faults from one host to another."""
        key = (host.index, peer.index)
        link = self._links.get(key)
        if link is None:
            link = self._links[key] = Link()
            for rule in self.rules.values():
                rule(host, peer, link)
            if link.latency:
                link.table = quantiles(link.latency)
        return link

    def stream(self, kind: str, host: Host) -> Random:
        """Stream of one kind of fault at one sender."""
        name = f"{kind}/{host.label}"
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = self.streams(name)
        return stream

    def _send_faulty(self, host: Host, peer: Host, data: bytes, address: Address) -> None:
        link = self.link(host, peer)
        delay = (link.table or self.table)[int(host.draw() * STEPS)] + link.extra
        if link.rewrite is not None:
            data = link.rewrite(data)
        if link.cut:
            return self.drop("cut")
        if len(data) > link.mtu:
            return self.drop("path mtu")
        if link.loss and host.loss_draw() < link.loss:
            return self.drop("loss")
        pair = (host.index, peer.index)
        if link.burst is not None and self._burst_takes(link.burst, pair, host):
            return self.drop("burst loss")
        if link.rate:
            begin = max(self._busy.get(pair, 0.0), self.clock.now)
            if (begin - self.clock.now) * link.rate > link.rate_queue:
                return self.drop("queue full")
            end = begin + (len(data) + HEADERS) / link.rate
            self._busy[pair] = end
            delay += end - self.clock.now
        if link.corrupt and self.stream("corrupt", host).random() < link.corrupt:
            flip = self.stream("flip", host)
            data = _flip_bits(data, flip)
            if flip.random() >= link.unseen:
                return self.drop("checksum")
        route = (host.address, address)
        if link.reorder is not None:
            chance, most = link.reorder
            stream = self.stream("reorder", host)
            if stream.random() < chance:
                delay += stream.random() * most
        if link.duplicate:
            stream = self.stream("duplicate", host)
            if stream.random() < link.duplicate:
                again = delay + stream.random() * 0.01
                self.clock.at(self.clock.now + again, self._arrive, data, route)
        if link.replay is not None:
            self._replay(link.replay, pair, data, route, self.stream("replay", host))
        self.clock.at(self.clock.now + delay, self._arrive, data, route)
        return None

    def _burst_takes(self, burst: tuple[float, float, float], pair: Any, host: Host) -> bool:
        enter, leave, inside = burst
        stream = self.stream("burst", host)
        bad = self._bursts.get(pair, False)
        if stream.random() < (leave if bad else enter):
            bad = self._bursts[pair] = not bad
        return bad and stream.random() < inside

    def _replay(
        self,
        replay: tuple[float, float],
        pair: tuple[int, int],
        data: bytes,
        route: tuple[Address, Address],
        stream: Random,
    ) -> None:
        chance, most = replay
        old = self._old.setdefault(pair, deque(maxlen=_REPLAY_KEPT))
        old.append(data)
        if stream.random() < chance:
            copy = old[int(stream.random() * len(old))]
            when = self.clock.now + stream.random() * most
            self.clock.at(when, self._arrive, copy, route)


def _flip_bits(data: bytes, stream: Random) -> bytes:
    """Change one to three bits."""
    changed = bytearray(data)
    for _ in range(1 + int(stream.random() * 3)):
        place = int(stream.random() * len(changed) * 8)
        changed[place >> 3] ^= 1 << (place & 7)
    return bytes(changed)
