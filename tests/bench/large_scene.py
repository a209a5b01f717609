"""One real node that knows very many members, and what can happen to it: for benchmarks and tests.

The members exist in its table alone. They are put there through its own door, page by page, as if
each had been heard just now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from math import ceil, log2
from typing import Any, TypeAlias

from gossipmm.core.node import Node
from gossipmm.core.sending.packing import digest_row
from gossipmm.core.table.buckets import MAX_BITS
from gossipmm.core.table.member import Member
from gossipmm.core.table.publishing import BURST
from gossipmm.core.values.evidence_time import first_hand
from gossipmm.core.values.types import (
    NO_METADATA,
    Address,
    NodeState,
    Registration,
)
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import Page, encode_entry, encode_page, encode_page_zero
from tests.helpers import NodePair, held, key_of
from tests.puppets import datagram

Thunk: TypeAlias = Callable[[], object]

GENERATION = 1 << 16
#: Topics that all members share; each has some of them.
TOPICS = 100
#: What can happen, in an order in which the deaths come last.
OPERATIONS = (
    "tick",
    "tick after a newcomer",
    "tick that begins a round",
    "SYN heard and answered",
    "digest sent (hashes)",
    "hashes heard, 20 records differ",
    "hashes heard, all differ",
    "digest heard, full",
    "digest heard, empty",
    "records wanted, 60",
    "pull of a newcomer",
    "pull of the gone",
    "page 0 changed",
    "registrations changed",
    "member suspected",
    "member dead",
    "tick, half of them dead",
    "reaping, nothing due",
    "push while all wait",
)
#: Members that differ where two tables are compared.
ODD = 20


def member_name(number: int) -> str:
    return f"host-{number:05}.example.org"


def address_of(number: int) -> Address:
    return f"10.{number // 62500}.{number // 250 % 250}.{number % 250 + 1}", 7946


def page_zero(number: int, version: int = 1, state: NodeState = NodeState.UP) -> Page:
    """Build page 0 of one of many members."""
    addresses = (address_of(number),)
    return encode_page_zero(member_name(number), GENERATION, version, state, addresses, NO_METADATA)


def page_one(number: int, topics: int, version: int = 2) -> Page:
    """Build its registrations: the host itself under so many of the topics."""
    name = member_name(number)
    entries = [
        Registration(f"service-{(number + step * 7) % TOPICS:03}", name) for step in range(topics)
    ]
    return encode_page(
        name, GENERATION, 1, version, [(entry, encode_entry(entry)) for entry in entries]
    )


class LargeScene:
    """Node ``a``, which has met ``b``, with so many members more."""

    def __init__(self, members: int, topics: int, **fields: int) -> None:
        self.pair = NodePair(**{"max_members": 4 * max(members, 1000), **fields})
        self.topics = topics
        self.node: Node = self.pair.a
        self.count = 0
        self.fill(range(members))
        self._turn = 0
        self._version = 10
        owners = {
            type(owner).__name__: owner
            for _, _, token in self.node._local.timers._heap
            if (owner := getattr(token.function, "__self__", None)) is not None
        }
        self._round, self.reaper = owners["GossipRound"], owners["Reaper"]
        self.settle()

    def fill(self, numbers: Iterable[int]) -> None:
        """Put members into the table, alive."""
        node = self.node
        for number in numbers:
            _, member = node.table.put(page_zero(number), node._local.now)
            assert member is not None
            if self.topics:
                node.table.put(page_one(number, self.topics), node._local.now)
            member.hear_alive(1, first_hand(node._local.now))
            node.table.refresh(member, node._local.now)
            self.count = max(self.count, number + 1)
        node.table.publish()

    def settle(self) -> None:
        """Throw away what the node says, and let a moment pass in which nothing is due."""
        self.node.datagrams_to_send()
        while self.node.next_event() is not None:
            pass
        # An unspent budget each time: what is measured is the cost, not the refusal.
        for budget in self.node._admission.proved.values():
            budget.left = 1e6
        self.node._local.last_heard = self.node._local.now
        self.node._local._publishing._left = BURST

    @property
    def now(self) -> float:
        return self.node._local.now

    def member(self, number: int) -> Member:
        return held(self.node, member_name(number))

    def next(self) -> int:
        """Return another member each time."""
        self._turn += 1
        return self._turn * 37 % self.count

    def hearing(self, **said: Any) -> Thunk:
        """Return what lets ``a`` hear something that ``b`` says."""
        b = self.pair.b
        data = datagram(
            **{"sender": key_of(b), "target": key_of(self.node), "heartbeat": b.heartbeat, **said}
        )
        source = b.addresses[0]
        return lambda: self.node.receive_datagram(data, source, self.now)

    # -- operations ------------------------------------------------------------------------------

    def operations(self) -> dict[str, Callable[[], Thunk]]:
        """Return what prepares each operation, by name, as in ``OPERATIONS``."""
        return {
            "tick": lambda: self.tick,
            "tick after a newcomer": self.newcomer,
            "tick that begins a round": self.new_round,
            "SYN heard and answered": lambda: self.hearing(kind=wire.SYN, known=1),
            "digest sent (hashes)": lambda: self.send_digest,
            "hashes heard, 20 records differ": lambda: self.hashes(ODD),
            "hashes heard, all differ": lambda: self.hashes(self.count),
            "digest heard, full": self.full_digest,
            "digest heard, empty": self.empty_digest,
            "records wanted, 60": self.wants,
            "pull of a newcomer": lambda: self.hearing(options={wire.OPT_PULL: [0, 1 << 63]}),
            "pull of the gone": lambda: self.hearing(options={wire.OPT_PULL: [0, 1, True]}),
            "page 0 changed": self.flip,
            "registrations changed": self.register,
            "member suspected": self.suspect,
            "member dead": self.die,
            "tick, half of them dead": self.after_deaths,
            "reaping, nothing due": lambda: partial(self.reaper._reap, None),
            "push while all wait": self.crowd_of_changes,
        }

    def tick(self) -> None:
        self._round._tick(None)

    def newcomer(self) -> Thunk:
        self.fill([self.count])
        return self.tick

    def new_round(self) -> Thunk:
        self.node._local.peers._round.clear()
        return self.tick

    def send_digest(self) -> None:
        self.node._parts.anti_entropy.send_digest(held(self.node, "b"))

    def hashes(self, odd: int) -> Thunk:
        """``b`` sends the hashes of its buckets; so many of its records differ."""
        buckets = self.node.table.buckets
        members = len(buckets)
        bits = MAX_BITS if members > 4096 else min(MAX_BITS - 1, ceil(log2(members / 16)))
        hashes = bytearray(buckets.hashes(bits))
        for number in range(min(odd, self.count)):
            place = 4 * (self.member(number * 7919 % self.count).key >> 64 - bits)
            hashes[place : place + 4] = bytes(4)
        return self.hearing(options={wire.OPT_BUCKETS: [bits, 0, bytes(hashes), 2]})

    def full_digest(self) -> Thunk:
        """``b`` sends the rows of a bucket, all as they are here."""
        local = self.node._local
        members = [self.member(self.next()) for _ in range(52)]
        rows = b"".join(digest_row(local, member) for member in members)
        return self.hearing(options={wire.OPT_DIGEST: [8, b"", rows, 2]})

    def empty_digest(self) -> Thunk:
        """``b`` says that it knows nobody at all: 58 bytes."""
        return self.hearing(options={wire.OPT_DIGEST: [0, b"\0", b""]})

    def wants(self) -> Thunk:
        wants = [[self.member(self.next()).key, b""] for _ in range(60)]
        return self.hearing(options={wire.OPT_WANT: wants})

    def flip(self) -> Thunk:
        """A member drains, or takes that back."""
        self._version += 1
        state = NodeState.DRAINING if self._version % 2 else NodeState.UP
        return self.hearing(options={wire.OPT_PAGES: [page_zero(7, self._version, state).raw]})

    def register(self) -> Thunk:
        """A member has one registration less, or one more."""
        self._version += 1
        topics = max(1, self.topics - self._version % 2)
        return self.hearing(options={wire.OPT_PAGES: [page_one(7, topics, self._version).raw]})

    def suspect(self) -> Thunk:
        member = self.member(self.next())
        return self.hearing(rows=wire.row(member.key, max(member.k, 1), wire.SUSPECT))

    def die(self) -> Thunk:
        """The timer of a suspicion ends."""
        member = self.member(self.next())
        member.merge(s=member.k)

        def end() -> None:
            self.node._parts.detector._declare_dead(member)
            self.node._local.publish()

        return end

    def after_deaths(self) -> Thunk:
        """Half of the members have been dead for a while."""
        for number in range(self.count // 2):
            member = self.member(number)
            if member.key in self.node.table.peers:
                member.merge(s=member.k)
                member.declare_dead(self.now - 100.0)
                self.node._parts.detector._end_suspicion(member)
                self.node.table.refresh(member, self.now)
        self.node._local.publish()
        self.settle()
        return self.tick

    def crowd_of_changes(self) -> Thunk:
        """Something changed about everybody at once."""
        broadcasts = self.node._parts.broadcasts
        for member in self.node.table.peers.values():
            broadcasts.claim(member)
        return partial(broadcasts._push, None)
