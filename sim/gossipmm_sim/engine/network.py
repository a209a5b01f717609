"""The virtual network: carries datagrams between hosts, and applies faults to them.

Without faults a datagram costs one draw and one heap entry. With faults, each ordered pair of hosts
has a ``Link``, the sum of everything wrong between them, computed when first used and discarded
whenever the set of faults changes. Each kind of fault draws from its own stream of the sender.

Every host has one IPv4 address, until one of them is given a ``Socket`` or a ``Nat``, or a path a
condition of its own: then the network is ``routed``. The sender's socket chooses the source, or
says why nothing can leave; links are told apart by both addresses; a datagram comes to whoever has
its target when it arrives.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from heapq import heappush
from random import Random
from typing import TYPE_CHECKING, Any, Final

from gossipmm_sim.engine.clock import Clock
from gossipmm_sim.engine.latency import STEPS, quantiles
from gossipmm_sim.engine.links import Link, flip_bits
from gossipmm_sim.engine.streams import Streams

if TYPE_CHECKING:
    from gossipmm.core.values.types import Address
    from gossipmm_sim.engine.nat import Nat
    from gossipmm_sim.engine.peer import Peer as Host

__all__ = ("HEADERS", "Network", "Rule")

#: Bytes of an IPv4 and a UDP header, added to every datagram that is counted.
HEADERS: Final = 28
#: Bytes by which an IPv6 header is larger than an IPv4 header.
_LARGER: Final = 20
#: Seconds for which a system remembers the size of a path (Linux: net.ipv4.route.mtu_expires).
_SIZE_KNOWN: Final = 600.0
#: Datagrams that a replaying link remembers.
_REPLAY_KEPT: Final = 512

#: Adds to a Link what one fault does between two hosts.
Rule = Callable[["Host", "Host", "Link"], None]


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
        #: True from the first host with a socket, translator or path of its own kind.
        self.routed = False
        #: By index of the host that is behind it.
        self.nats: dict[int, Nat] = {}
        #: Host behind a translator, by the literals that it has outside; None: look again.
        self._behind: dict[str, Host] | None = None
        #: (index of the sender, literal) -> (largest datagram, what happens to larger ones, until).
        self._sizes: dict[tuple[int, str], tuple[int, str, float]] = {}
        self._links: dict[tuple[object, ...], Link] = {}
        self._streams: dict[str, Random] = {}
        self._bursts: dict[tuple[object, ...], bool] = {}
        self._busy: dict[tuple[object, ...], float] = {}
        self._old: dict[tuple[object, ...], deque[bytes]] = {}

    def attach(self, host: Host) -> None:
        """Give the host its addresses; a previous holder of them no longer hears anything."""
        for address in host.hears():
            self.hosts[address] = host
        self._behind = None

    def detach(self, host: Host) -> None:
        """Take the host's addresses away, as far as it still has them."""
        if host.socket is None:
            if self.hosts.get(host.address) is host:
                del self.hosts[host.address]
            return
        self._behind = None
        for address in [where for where, one in self.hosts.items() if one is host]:
            del self.hosts[address]

    def moved(self, host: Host) -> None:
        """Take note that the addresses of a running host have changed."""
        self.detach(host)
        if host.up:
            self.attach(host)
        self._links.clear()

    def begin_routing(self) -> None:
        """Take sockets, translators and single paths into account from now on."""
        if not self.routed:
            self.routed = True
            self._links.clear()

    def translate(self, host: Host, nat: Nat | None) -> None:
        """Put a translator in front of a host, or take it away."""
        self.begin_routing()
        self._behind = None
        if nat is not None:
            self.nats[host.index] = nat
        else:
            self.nats.pop(host.index, None)

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
        """Send what a host's core wants sent: the hot path."""
        if self.routed:
            return self._send_routed(host, out)
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
                self._send_faulty(host, peer, data, (source, address))
            else:
                delay = table[int(draw() * STEPS)]
                heappush(heap, (now + delay, order(), peer.deliver, data, source))
        return None

    def _send_routed(self, host: Host, out: Iterable[tuple[bytes, Address]]) -> None:
        """Send through the host's socket; what cannot leave is in ``host.unsent`` afterwards."""
        now = self.clock.now
        for data, address in out:
            size = len(data)
            if size > self.limit:
                self.oversize.append((now, host.label, size))
            if self.tap is not None:
                self.tap(host, data, address)
            source = self._leaves(host, address, size)
            if isinstance(source, str):
                self.drop(f"local {source}")
                host.unsent.append((address, size if source == "EMSGSIZE" else 0))
                continue
            host.sent_datagrams += 1
            host.sent_bytes += size + HEADERS + (_LARGER if ":" in address[0] else 0)
            peer = self._holder(address)
            if peer is None:
                self.drop("nobody there")
            elif self.rules:
                self._send_faulty(host, peer, data, (source, address))
            else:
                delay = self.table[int(host.draw() * STEPS)]
                self.clock.at(now + delay, self._arrive, data, (source, address))

    def _leaves(self, host: Host, address: Address, size: int) -> Address | str:
        """Return the source that others see, or the errno with which the send fails."""
        source = host.source(address)
        if isinstance(source, str):
            return source
        known = self._sizes.get((host.index, address[0]))
        if known is not None and size > known[0] and known[1] == "error":
            if self.clock.now < known[2]:
                return "EMSGSIZE"
            del self._sizes[host.index, address[0]]
        nat = self.nats.get(host.index)
        return nat.leaves(source, address, self.clock.now) if nat is not None else source

    def _holder(self, address: Address) -> Host | None:
        """Return the host that has an address, or is behind the translator that has it."""
        peer = self.hosts.get(address)
        if peer is not None or not self.nats:
            return peer
        if self._behind is None:
            known = self.hosts.items()
            self._behind = {where[0]: one for where, one in known if one.index in self.nats}
        return self._behind.get(address[0])

    def inject(self, data: bytes, source: Address, target: Address, delay: float = 0.0) -> None:
        """Deliver bytes that no host sent: an attacker's, or an old copy's."""
        self.clock.at(self.clock.now + delay, self._arrive, data, (source, target))

    def _arrive(self, data: bytes, route: tuple[Address, Address]) -> None:
        source, target = route
        if not self.routed:
            peer = self.hosts.get(target)
        else:
            peer = self._holder(target)
            if peer is not None and (nat := self.nats.get(peer.index)) is not None:
                if not nat.admits(source, target, peer.address[1], self.clock.now):
                    return self.drop("translator")
                target = (target[0], peer.address[1])
                if target not in self.hosts:
                    peer = None
        if peer is None:
            return self.drop("nobody there")
        if ":" in target[0]:
            peer.received_bytes += _LARGER
        peer.deliver(data, source)
        return None

    def link(self, host: Host, peer: Host, route: tuple[Address, Address]) -> Link:
        """Sum of all faults from one host to another, or on one path between them."""
        source, target = (route[0][0], route[1][0]) if self.routed else ("", "")
        key = (host.index, peer.index, source, target) if source else (host.index, peer.index)
        link = self._links.get(key)
        if link is None:
            link = self._links[key] = Link(key, source, target)
            for rule in self.rules.values():
                rule(host, peer, link)
            if link.latency:
                link.table = quantiles(link.latency)
        return link

    def stream(self, kind: str, host: Host) -> Random:
        """Random stream of one kind of fault at one sender."""
        name = f"{kind}/{host.label}"
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = self.streams(name)
        return stream

    def _send_faulty(
        self, host: Host, peer: Host, data: bytes, route: tuple[Address, Address]
    ) -> None:
        link = self.link(host, peer, route)
        delay = (link.table or self.table)[int(host.draw() * STEPS)] + link.extra
        if link.rewrite is not None:
            data = link.rewrite(data)
        if link.cut:
            return self.drop("cut")
        if len(data) > link.mtu and not self._fragmented(host, link, delay):
            return self.drop("path mtu")
        if link.loss and host.loss_draw() < link.loss:
            return self.drop("loss")
        pair = link.key
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
            data = flip_bits(data, flip)
            if flip.random() >= link.unseen:
                return self.drop("checksum")
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

    def _fragmented(self, host: Host, link: Link, delay: float) -> bool:
        """Return whether the sender's system fragments a datagram that is too large."""
        if not link.tells:
            return False
        key = (host.index, link.target)
        known = self._sizes.get(key)
        if known is not None and self.clock.now < known[2] and known[1] == "fragments":
            return True
        self.clock.at(self.clock.now + 2 * delay, self._told, key, (link.mtu, link.tells))
        return False

    def _told(self, key: tuple[int, str], size: tuple[int, str]) -> None:
        """Remember what an ICMP message said of a path's size."""
        self._sizes[key] = (*size, self.clock.now + _SIZE_KNOWN)

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
        pair: tuple[object, ...],
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
