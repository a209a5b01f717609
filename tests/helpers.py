"""Real nodes that talk in memory, in virtual time: no socket, no clock, no simulator.

``Mesh`` carries datagrams between ``Node`` objects with a constant latency; ``NodePair`` is a mesh
of two that have met.

    mesh = Mesh("a", "b", "c")              # they join by the first
    mesh.settle()                           # until all tables agree
    mesh["a"].register("compute", "gpu-1", now=mesh.now)
    mesh.run(0.1)
    x = mesh.puppet("x").introduce("a")     # see puppets.py

The virtual clock begins at ``START``; datagrams sent are kept in ``mesh.sent``, events by name in
``mesh.events``.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeAlias, TypeVar

from gossipmm.config import Config
from gossipmm.core.identity.keys import Identity
from gossipmm.core.node import Node
from gossipmm.core.table.member import Member
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import Address, make_generation
from gossipmm.core.wire import frame as wire
from tests.puppets import Puppet, frame_of

#: Core time at which every mesh begins; not zero, so that nothing can lean on that.
START = 1000.0
#: Wall clock (milliseconds) at START.
WALL = 1_700_000_000_000
#: One way, seconds: a quiet LAN.
LATENCY = 0.0003

E = TypeVar("E")
#: Tells a packet that the network shall lose.
Rule: TypeAlias = "Callable[[Packet], bool]"


class Packet(NamedTuple):
    """One datagram on its way."""

    at: float
    order: int
    data: bytes
    source: Address
    target: Address

    @property
    def frame(self) -> wire.Frame:
        """What it says (cluster ``gossipmm``)."""
        return frame_of(self.data)

    @property
    def pages(self) -> list[bytes]:
        """The pages in it."""
        return list(self.frame.options.get(wire.OPT_PAGES, ()))


class Mesh:
    """Nodes and puppets on one virtual network with one virtual clock."""

    def __init__(
        self,
        *names: str,
        seed: int = 1,
        latency: float = LATENCY,
        now: float = START,
        wall: bool = False,
        identity: Callable[[str], Identity | None] = lambda _: None,
        **fields: Any,
    ) -> None:
        """``wall``: its nodes know the time of day. ``identity``: what each is, by its label."""
        self._identity = identity
        self._knows_wall = wall
        self.config = Config(**{"join": ("seed:7946",), **fields})
        self.now = now
        self.latency = latency
        self.rng = random.Random(seed)
        #: Rules by name; a packet that any of them is true of is lost.
        self.rules: dict[str, Rule] = {}
        #: A packet that this is true of cannot leave its sender, who is told.
        self.refused: Rule = lambda _: False
        #: What the sender is told of its size: 0 unless that is why.
        self.refused_size = 0
        self.sent: list[Packet] = []
        self.lost: list[Packet] = []
        self.events: dict[str, list[Any]] = {}
        self._seed = seed
        self._began = now
        self._members: dict[str, Any] = {}
        self._by_address: dict[Address, str] = {}
        self._flying: list[Packet] = []
        self._frozen: set[str] = set()
        self._count = 0
        self._hosts = 0
        for name in names:
            self.add(name)

    # -- who is there ------------------------------------------------------------------------------

    def __getitem__(self, name: str) -> Node:
        node = self._members[name]
        assert isinstance(node, Node)
        return node

    def names(self) -> list[str]:
        """Names of the real nodes that are up."""
        return [name for name, one in self._members.items() if isinstance(one, Node)]

    def new_address(self) -> Address:
        """An address that nobody had."""
        self._hosts += 1
        return f"10.0.{self._hosts // 250}.{self._hosts % 250 + 1}", 7946

    def new_generation(self, wall: float = 0.0) -> int:
        """A generation for now; ``wall`` is by how many seconds the wall clock is off."""
        return make_generation(self.wall_ms(wall), self.rng)

    def wall_ms(self, off: float = 0.0) -> int:
        """The wall clock, milliseconds since 1970, ``off`` seconds wrong."""
        return WALL + int((self.now - self._began + off) * 1000)

    def add(
        self,
        name: str,
        *,
        node_name: str = "",
        address: Address | None = None,
        more: Iterable[Address] = (),
        generation: int = 0,
        seeds: Iterable[Address] | None = None,
        **fields: Any,
    ) -> Node:
        """Start a node, under a label that is its name unless ``node_name`` says otherwise.

        It joins by the first node of the mesh, or by ``seeds``. It announces ``address`` first, and
        then ``more``.
        """
        address = address or self.new_address()
        config = self.config if not fields else Config(**{"join": ("seed:7946",), **fields})
        self._count += 1
        node = Node(
            config,
            name=node_name or name,
            addresses=(address, *more),
            generation=generation or self.new_generation(),
            rng=random.Random(f"{self._seed}/{name}/{self._count}"),
            now=self.now,
            wall_ms=self.wall_ms() if self._knows_wall else None,
            identity=self._identity(name),
        )
        if seeds is None:
            seeds = [self[first].addresses[0] for first in self.names()[:1]]
        self._put(name, address, node)
        self._by_address.update(dict.fromkeys(more, name))
        node.join(seeds, self.now)
        self.flush(name)
        return node

    def puppet(self, name: str, *, address: Address | None = None, generation: int = 0) -> Puppet:
        """Add a puppet; nobody knows it yet."""
        address = address or self.new_address()
        puppet = Puppet(self, name, address, generation or self.new_generation())
        self._put(name, address, puppet)
        return puppet

    def puppets(self, *names: str) -> list[Puppet]:
        """Add puppets that every node knows."""
        return [self.puppet(name).introduce() for name in names]

    def _put(self, name: str, address: Address, member: Node | Puppet) -> None:
        self._members[name] = member
        self._by_address[address] = name
        self.events.setdefault(name, [])

    def crash(self, *names: str) -> None:
        """Stop members without a word."""
        for name in names:
            gone = self._members.pop(name)
            for address in gone.addresses:
                self._by_address.pop(address, None)

    # -- time --------------------------------------------------------------------------------------

    def run(self, seconds: float) -> None:
        """Let virtual time pass."""
        end = self.now + seconds
        for name in self._members:
            self.flush(name)
        spins = 0
        while True:
            name, when = min(
                ((n, m.next_timer()) for n, m in self._members.items() if n not in self._frozen),
                key=lambda item: item[1],
                default=("", end + 1),
            )
            if self._flying and self._flying[0].at <= min(when, end):
                packet = heapq.heappop(self._flying)
                self.now = max(self.now, packet.at)
                self._arrive(packet)
            elif when <= end:
                spins = spins + 1 if when <= self.now else 0
                assert spins < 10_000, f"{name} asks for a timer at once, for ever"
                self.now = max(self.now, when)
                self._members[name].handle_timer(self.now)
                self.flush(name)
            else:
                break
        self.now = end

    def until(self, true: Callable[[], bool], *, within: float = 10.0, step: float = 0.02) -> float:
        """Run until ``true()``; return the seconds it took. Fails when it does not become so."""
        began = self.now
        while not true():
            assert self.now - began < within, f"did not come true within {within} s"
            self.run(step)
        return self.now - began

    def agreed(self) -> bool:
        """True when all nodes have the same fingerprint and know each other."""
        nodes = [self[name] for name in self.names()]
        prints = {node.table.fingerprint for node in nodes}
        return len(prints) == 1 and all(n.table.live_count() >= len(nodes) for n in nodes)

    def settle(self, within: float = 10.0) -> float:
        """Run until all agree."""
        return self.until(self.agreed, within=within)

    def freeze(self, *names: str) -> None:
        """Stop members as SIGSTOP does: no timer runs; what arrives waits in the socket."""
        self._frozen.update(names)

    def thaw(self, *names: str) -> None:
        """Let them go on, late."""
        self._frozen.difference_update(names)

    # -- datagrams ---------------------------------------------------------------------------------

    def deliver(self, data: bytes, source: Address, to: str) -> list[Packet]:
        """Hand a datagram to a node now; return what it sends because of it."""
        self.flush(to)
        before = len(self.sent)
        self._members[to].receive_datagram(data, source, self.now)
        self.flush(to)
        return self.sent[before:]

    def flush(self, name: str) -> None:
        """Put on the way what a member wants sent, and keep its events."""
        member = self._members[name]
        waiting = list(member.datagrams_to_send())
        while waiting:
            data, target = waiting.pop(0)
            self._count += 1
            source = self._source(member, target)
            packet = Packet(self.now + self.latency, self._count, data, source, target)
            if self.refused(packet):
                member.send_failed(target, self.now, self.refused_size)
                waiting += member.datagrams_to_send()
                continue
            self.sent.append(packet)
            if any(rule(packet) for rule in self.rules.values()):
                self.lost.append(packet)
            else:
                heapq.heappush(self._flying, packet)
        while (event := member.next_event()) is not None:
            self.events[name].append(event)

    @staticmethod
    def _source(member: Any, target: Address) -> Address:
        """Return the address that a member sends from: its first one of the target's family."""
        addresses: tuple[Address, ...] = member.addresses
        same = (one for one in addresses if (":" in one[0]) == (":" in target[0]))
        return next(same, addresses[0])

    def _arrive(self, packet: Packet) -> None:
        name = self._by_address.get(packet.target)
        if name is None:
            return
        if name in self._frozen:
            heapq.heappush(self._flying, packet._replace(at=self.now + 0.01))
            return
        self._members[name].receive_datagram(packet.data, packet.source, self.now)
        self.flush(name)

    def cut(self, left: Iterable[str], right: Iterable[str], *, both: bool = True) -> None:
        """Let nothing pass from the left to the right (and back); ``heal`` ends it."""
        a = {self._members[name].addresses[0] for name in left}
        b = {self._members[name].addresses[0] for name in right}

        def rule(packet: Packet) -> bool:
            there = packet.source in a and packet.target in b
            return there or (both and packet.source in b and packet.target in a)

        self.rules[f"cut {len(self.rules)}"] = rule

    def lose(self, share: float) -> None:
        """Lose a share of all datagrams from now on."""
        self.rules["loss"] = lambda _: self.rng.random() < share

    def heal(self) -> None:
        """End every cut and loss."""
        self.rules.clear()

    def told(self, name: str, kind: type[E], about: str | None = None) -> list[E]:
        """Events of one class that a node told, perhaps only those about one member."""
        found = [event for event in self.events[name] if isinstance(event, kind)]
        return [e for e in found if about is None or getattr(e, "name", None) == about]


class NodePair(Mesh):
    """Nodes ``a`` and ``b`` that have met and agree."""

    def __init__(self, **fields: Any) -> None:
        super().__init__("a", "b", **fields)
        self.a, self.b = self["a"], self["b"]
        self.settle()


def key_of(node: Node) -> int:
    """Record key of a node's present life."""
    return wire.record_key(node.config.cluster, node.name, node.generation)


def held(node: Node, name: str) -> Member:
    """What a node holds of a member: its record and liveness. For looking, not for changing."""
    return node.table.by_name[name]


def dropped(node: Node, reason: Drop) -> int:
    """How often a node refused something for that reason."""
    return node.stats.dropped.get(reason, 0)


def picks(node: Node, topic: str) -> tuple[str, ...]:
    """Hosts that a node would pick from for a topic now."""
    view = node.table.topic(topic)
    return view.picks if view is not None else ()
