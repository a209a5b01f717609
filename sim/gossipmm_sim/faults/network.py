"""Faults of the network: windows in which links lose, delay, change or repeat datagrams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cbor2

from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.slim import is_slim
from gossipmm_sim.engine.latency import quantiles
from gossipmm_sim.engine.sockets import family_of
from gossipmm_sim.faults.base import Context, Window, fault, select

if TYPE_CHECKING:
    from gossipmm_sim.engine.host import Host
    from gossipmm_sim.engine.links import Link
    from gossipmm_sim.engine.peer import Peer

__all__ = (
    "Bandwidth",
    "BurstLoss",
    "Corrupt",
    "Cut",
    "Duplicate",
    "FlipFlop",
    "LinkLatency",
    "Loss",
    "Mtu",
    "Newer",
    "Reorder",
    "Replay",
)

_WAYS = ("both", "out", "in")
_FAMILIES = {"v4": 4, "v6": 6}
_TELLS = ("", "error", "fragments")


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkFault(Window):
    """A fault on the links of hosts ``on`` with hosts ``to``: what they send, get, or both."""

    on: str = "all"
    to: str = "all"
    #: out: from ``on`` to ``to``; in: from ``to`` to ``on``; both.
    way: str = "both"
    #: Only on paths to addresses of that family, v4 or v6, or to the receiver's first (0), second
    #: (1) ... address.
    via: str = ""
    #: From before the first host boots, not only from ``at``.
    early: bool = False

    def __post_init__(self) -> None:
        Window.__post_init__(self)
        if self.way not in _WAYS:
            raise ValueError(f"way={self.way!r} is none of {', '.join(_WAYS)}")
        if self.via and self.via not in _FAMILIES and not self.via.isdecimal():
            raise ValueError(f"via={self.via!r} is none of v4, v6, 0, 1, 2 ...")

    def prepare(self, run: Context, key: str) -> None:
        """Begin, if it is there from the beginning."""
        if self.early:
            self.act(run, key)

    def act(self, run: Context, key: str) -> None:
        """Begin."""
        if self.via:
            run.cluster.network.begin_routing()
        # "all" includes hosts that come later (late joiners).
        on = None if self.on == "all" else {host.index for host in select(run, self.on)}
        to = None if self.to == "all" else {host.index for host in select(run, self.to)}
        out, back = self.way != "in", self.way != "out"
        apply, via = self.apply, self.via
        if self.on != "all":
            for host in select(run, self.on):
                run.ill(host, self.over(run))

        def rule(host: Peer, peer: Peer, link: Link) -> None:
            a, b = host.index, peer.index
            if via and not _leads(via, peer, link):
                return
            if (out and (on is None or a in on) and (to is None or b in to)) or (
                back and (on is None or b in on) and (to is None or a in to)
            ):
                apply(link)

        run.cluster.network.add_rule(key, rule)

    def end(self, run: Context, key: str) -> None:
        """End."""
        run.cluster.network.remove_rule(key)

    def apply(self, link: Link) -> None:
        """Apply this fault to a link."""
        raise NotImplementedError


def _leads(via: str, peer: Peer, link: Link) -> bool:
    """Return whether a link is a path of the kind that this fault affects."""
    if via in _FAMILIES:
        return family_of(link.target) == _FAMILIES[via]
    heard = peer.hears()
    return int(via) < len(heard) and heard[int(via)][0] == link.target


def _share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{name}={value:g} is not a share between 0 and 1")


@fault("loss")
@dataclass(frozen=True, slots=True, kw_only=True)
class Loss(LinkFault):
    """Each datagram is lost with chance ``p``."""

    p: float

    def __post_init__(self) -> None:
        LinkFault.__post_init__(self)
        _share("p", self.p)

    def apply(self, link: Link) -> None:
        """Lose."""
        link.add_loss(self.p)


@fault("burst_loss")
@dataclass(frozen=True, slots=True, kw_only=True)
class BurstLoss(LinkFault):
    """Gilbert-Elliott: a link enters a burst by chance, loses ``inside`` of it, leaves again."""

    enter: float = 0.02
    leave: float = 0.2
    inside: float = 0.9

    def apply(self, link: Link) -> None:
        """Lose in bursts."""
        link.burst = (self.enter, self.leave, self.inside)


@fault("latency")
@dataclass(frozen=True, slots=True, kw_only=True)
class LinkLatency(LinkFault):
    """Another distribution of latencies (``engine.latency``), ``extra`` seconds on top."""

    dist: str = ""
    extra: float = 0.0

    def __post_init__(self) -> None:
        LinkFault.__post_init__(self)
        if self.dist:
            quantiles(self.dist)

    def apply(self, link: Link) -> None:
        """Delay."""
        link.latency = self.dist or link.latency
        link.extra += self.extra


@fault("duplicate")
@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate(LinkFault):
    """Each datagram comes twice with chance ``p``."""

    p: float = 0.2

    def apply(self, link: Link) -> None:
        """Double."""
        link.duplicate = max(link.duplicate, self.p)


@fault("reorder")
@dataclass(frozen=True, slots=True, kw_only=True)
class Reorder(LinkFault):
    """With chance ``p`` a datagram comes up to ``by`` seconds later than its followers."""

    p: float = 0.2
    by: float = 0.1

    def apply(self, link: Link) -> None:
        """Delay some."""
        link.reorder = (self.p, self.by)


@fault("replay")
@dataclass(frozen=True, slots=True, kw_only=True)
class Replay(LinkFault):
    """With chance ``p`` a send is followed, up to ``by`` seconds later, by an old datagram."""

    p: float = 0.1
    by: float = 30.0

    @property
    def last(self) -> float:
        """The last old datagram may come ``by`` seconds after the end."""
        return Window.last.fget(self) + self.by  # type: ignore[attr-defined,no-any-return]

    def apply(self, link: Link) -> None:
        """Repeat."""
        link.replay = (self.p, self.by)


@fault("corrupt")
@dataclass(frozen=True, slots=True, kw_only=True)
class Corrupt(LinkFault):
    """With chance ``p`` one to three bits of a datagram change.

    UDP's checksum finds such a change and drops the datagram, except for one in ``unseen``: as many
    as there are checksums, if the change happened before it was computed; 1: it is switched off.
    """

    p: float = 0.05
    unseen: int = 65536

    def apply(self, link: Link) -> None:
        """Corrupt."""
        link.corrupt = max(link.corrupt, self.p)
        link.unseen = 1.0 / max(1, self.unseen)


@fault("newer")
@dataclass(frozen=True, slots=True, kw_only=True)
class Newer(LinkFault):
    """These hosts send a field and a row that present versions do not know.

    Only where nothing is encrypted, and only while it fits the datagram.
    """

    way: str = "out"

    def apply(self, link: Link) -> None:
        """Add them."""
        link.rewrite = _from_the_future


def _from_the_future(data: bytes) -> bytes:
    if is_slim(data):
        return data  # a slim frame has no field to add: a later version would send another kind
    frame = cbor2.loads(data)
    if len(frame) == 5:
        frame.append({})
    frame[4] += wire.row(77, 77, 99)
    frame[5][900] = ["of a later version", 1]
    changed = cbor2.dumps(frame)
    return changed if len(changed) <= 1200 else data


@fault("mtu")
@dataclass(frozen=True, slots=True, kw_only=True)
class Mtu(LinkFault):
    """Datagrams above ``payload`` bytes vanish.

    Silently, unless ``tells`` says what comes of the ICMP message: the sender's later ones fail
    with EMSGSIZE (error: its socket forbids fragments), or pass in fragments (it allows them).
    """

    payload: int = 600
    tells: str = ""

    def __post_init__(self) -> None:
        LinkFault.__post_init__(self)
        if self.tells not in _TELLS:
            raise ValueError(f"tells={self.tells!r} is none of {', '.join(_TELLS[1:])}")

    def act(self, run: Context, key: str) -> None:
        """Begin."""
        if self.tells:
            run.cluster.network.begin_routing()
        LinkFault.act(self, run, key)

    def apply(self, link: Link) -> None:
        """Limit."""
        if self.payload < link.mtu:
            link.mtu, link.tells = self.payload, self.tells


@fault("bandwidth")
@dataclass(frozen=True, slots=True, kw_only=True)
class Bandwidth(LinkFault):
    """Each direction of a link carries ``rate`` bytes/s; ``queue`` bytes wait, more is dropped."""

    rate: float = 2000.0
    queue: float = 4000.0

    def apply(self, link: Link) -> None:
        """Limit."""
        link.rate = self.rate
        link.rate_queue = self.queue


@fault("cut")
@dataclass(frozen=True, slots=True, kw_only=True)
class Cut(LinkFault):
    """Nothing passes between ``on`` and ``to``; ``way=out``: one way only."""

    def act(self, run: Context, key: str) -> None:
        """Begin; each host without an address of another kind is cut off, late joiners included.

        Two late joiners that declared each other dead meanwhile have made no mistake.
        """
        LinkFault.act(self, run, key)
        if self.via not in _FAMILIES or self.on != "all":
            return

        def look(host: Host) -> None:
            only = all(family_of(one) == _FAMILIES[self.via] for one, _ in host.hears())
            if only and run.cluster.now < self.over(run):
                run.ill(host, self.over(run))

        for host in run.cluster.hosts:
            look(host)
        run.cluster.on_spawn.append(look)

    def apply(self, link: Link) -> None:
        """Cut."""
        link.cut = True


@fault("flip_flop")
@dataclass(frozen=True, slots=True, kw_only=True)
class FlipFlop(Cut):
    """Cut for ``off`` seconds, whole for ``on_for`` seconds, again and again."""

    off: float = 5.0
    on_for: float = 5.0

    def __post_init__(self) -> None:
        Cut.__post_init__(self)
        if self.early:
            raise ValueError("early=true: it begins at its time")

    def act(self, run: Context, key: str) -> None:
        """Cut, and plan the next change."""
        now = run.cluster.now
        if self.until and now >= run.zero + self.until:
            return
        Cut.act(self, run, key)
        run.cluster.clock.at(now + self.off, self._end, run, key)
        run.cluster.clock.at(now + self.off + self.on_for, self._act, run, key)
