"""Dial-back at join: a seed tries the address that a newcomer announces, and reports what it sees.

A node that cannot join usually gets no answer at all: a datagram of another cluster or version, or
one under another key, is counted and dropped. So, besides joining, a newcomer asks each seed in a
small protocol of its own, and can then say what is wrong: nobody listens there, no answer, another
cluster, another version, other keys; or, although it joined, that others cannot reach the address
it announces (a wrong one, or a port that lets only answers in).

The messages have fixed layouts behind a magic number with which no gossip datagram begins (its
first byte is CBOR's 0). They are neither sealed nor signed, and change nothing but messages to
people: what a stranger learns is a hash of the cluster's name, and the id of the key in use, which
every sealed datagram shows as well.

    ASK     newcomer -> seed      nonce, protocol, cluster tag, key id, announced address; padded
    REPORT  seed -> source        nonce, its own protocol, tag and key id, the source as it sees it
    TRY     seed -> announced     nonce; once from the seed's port, once from a fresh one

An ASK is as large as everything that it can cause, and answers per second are few: nobody gains
from making a seed send to somebody else. Nothing is taken from an address outside ``allow``,
or sent to one. ``Config.dial_back`` turns asking and answering off.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, NamedTuple

import trio

from gossipmm.addresses import format_address
from gossipmm.agent.network import Network, Port
from gossipmm.core.sealing.keyring import Keyring
from gossipmm.core.values.events import Event, MemberJoined, MemberRestarted
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import Address
from gossipmm.core.wire.frame import PROTOCOL, cluster_tag

__all__ = ("MAGIC", "DialBack", "Identity")

#: No gossip datagram begins like this: those are CBOR arrays.
MAGIC = b"\x00GMD"
_ASK, _REPORT, _TRY = 1, 2, 3
#: magic, kind, nonce
_HEAD = struct.Struct(">4sB16s")
#: protocol, cluster tag, length of the key id, key id
_IDENTITY = struct.Struct(">B4sB4s")
#: family, IP address, port
_ADDRESS = struct.Struct(">B16sH")
_REPORT_SIZE = _HEAD.size + _IDENTITY.size + _ADDRESS.size
_TRY_SIZE = _HEAD.size + 1
_ASK_SIZE = _REPORT_SIZE + 2 * _TRY_SIZE

#: Pauses before each ASK that is sent while something is missing: five of them find out what can be
#: found out at 25 % loss. And the seconds after which what has not arrived is taken not to arrive.
_AGAIN = (0.0, 0.15, 0.25, 0.3, 0.4)
PATIENCE = 1.5
#: Addresses asked, of however many: one name may stand for all addresses of a large cluster.
_MOST = 16
#: Seconds until seeds are asked again by a node that is still alone.
_WHILE_ALONE = 30.0
#: Answers a second, and at once.
_RATE, _BURST = 10.0, 20.0

_LIVE = (MemberJoined, MemberRestarted)
_MYSELF = (
    "is this node itself, by another address: with no other seed, it is a cluster of one until "
    "others join it"
)

_log = logging.getLogger(__name__)


class Identity(NamedTuple):
    """What two nodes must share to talk: protocol, cluster, key (empty: not encrypted)."""

    protocol: int
    tag: bytes
    kid: bytes

    def pack(self) -> bytes:
        """Return the bytes that travel."""
        return _IDENTITY.pack(self.protocol, self.tag, len(self.kid), self.kid.ljust(4, b"\0"))


@dataclass(slots=True)
class _Asked:
    """What became of one question. ``tried``: 1 came from a fresh port, 0 from the seed's own."""

    address: Address
    identity: Identity | None = None
    seen: Address | None = None
    tried: frozenset[int] = frozenset()
    refused: bool = False
    #: The question came back here: this node is at that address itself.
    myself: bool = False

    @property
    def complete(self) -> bool:
        return self.refused or self.myself or (self.identity is not None and 1 in self.tried)


class DialBack:
    """Asks and answers for one agent. ``send`` sends from its port, ``keys`` gives its keys."""

    def __init__(
        self,
        network: Network,
        *,
        bound: Address,
        send: Callable[[bytes, Address], None],
        cluster: str,
        announced: Callable[[], tuple[Address, ...]],
        keys: Callable[[], Keyring | None],
        alone: Callable[[], bool],
        allows: Callable[[str], bool] = lambda _host: True,
        refused: Callable[[Drop], None] = lambda _drop: None,
        enabled: bool = True,
    ) -> None:
        self._allows = allows
        self._refused = refused
        self._network = network
        self._bound = bound
        self._send = send
        self._tag = cluster_tag(cluster)
        self._cluster = cluster
        self._announced = announced
        self._keys = keys
        self._alone = alone
        self._enabled = enabled
        self._rng = network.random()
        self._fresh: Port | None = None
        self._asked: dict[bytes, _Asked] = {}
        self._came = trio.Event()
        self._wanted = trio.Event()
        self._seeds: tuple[Address, ...] = ()
        self._tokens, self._refilled = _BURST, network.now()
        self._said: dict[Address, str] = {}
        #: Seeds that became live members, to be asked again if something was wrong with them.
        self._came_alive: set[Address] = set()
        #: Seeds about which nothing more can be found out.
        self._settled: frozenset[Address] = frozenset()
        #: Seed -> what is wrong, in words; empty: nothing. A seed that was not asked is missing.
        self.found: dict[Address, str] = {}

    @property
    def myself(self) -> frozenset[Address]:
        """Seeds at which this node found itself."""
        return frozenset(seed for seed, words in self.found.items() if words == _MYSELF)

    def close(self) -> None:
        """Close the second port, if one was needed. Idempotent."""
        if self._fresh is not None:
            self._fresh.close()

    # -- answering -----------------------------------------------------------------------------

    def take(self, data: bytes, source: Address) -> None:
        """Take a datagram that begins with the magic. Never raises on its bytes."""
        if not self._enabled:
            return
        if not self._allows(source[0]):
            self._refused(Drop.NOT_ALLOWED)
            return
        if len(data) < _HEAD.size:
            return
        _, kind, nonce = _HEAD.unpack_from(data)
        asked = self._asked.get(nonce)
        if kind == _ASK and len(data) == _ASK_SIZE and asked is None:
            self._answer(nonce, data[_HEAD.size :], source)
            return
        if asked is None:
            return
        if kind == _ASK:
            asked.myself = True
        elif kind == _REPORT and len(data) == _REPORT_SIZE:
            asked.identity = _identity(data, _HEAD.size)
            asked.seen = _address(data, _HEAD.size + _IDENTITY.size)
        elif kind == _TRY and len(data) == _TRY_SIZE:
            asked.tried |= {data[-1]}
        self._came.set()

    def _answer(self, nonce: bytes, rest: bytes, source: Address) -> None:
        now = self._network.now()
        self._tokens = min(_BURST, self._tokens + _RATE * (now - self._refilled))
        self._refilled = now
        announced = _address(rest, _IDENTITY.size)
        if announced is None:
            self._refused(Drop.MALFORMED)
            return
        if not self._allows(announced[0]):
            self._refused(Drop.NOT_ALLOWED)
            return
        if self._tokens < 1:
            self._refused(Drop.SOURCE_RATE)
            return
        self._tokens -= 1
        report = _HEAD.pack(MAGIC, _REPORT, nonce) + self.identity().pack() + _pack(source)
        self._send(report, source)
        self._send(_HEAD.pack(MAGIC, _TRY, nonce) + b"\0", announced)
        with suppress(OSError):
            # As any other member would begin a conversation: the newcomer never sent anything to
            # this port, so a firewall does not take it for an answer.
            if self._fresh is None:
                self._fresh = self._network.bind(self._bound[0], 0)
            self._fresh.send(_HEAD.pack(MAGIC, _TRY, nonce) + b"\1", announced)

    def identity(self) -> Identity:
        """Return what others must share with this node."""
        ring = self._keys()
        return Identity(PROTOCOL, self._tag, b"" if ring is None else ring.sending.kid)

    # -- asking --------------------------------------------------------------------------------

    def seeds(self, addresses: Iterable[Address]) -> None:
        """Take the seeds as they resolve now; new ones are asked soon."""
        seeds = tuple(address for address in addresses if address not in self._announced())
        if set(seeds) - set(self._seeds):
            self._wanted.set()
        self._seeds = seeds

    def tell(self, event: Event) -> None:
        """Ask a seed again that has become a live member: what was wrong with it may be over."""
        if isinstance(event, _LIVE):
            self._came_alive.update(set(event.addresses).intersection(self._seeds))
            self._look()

    def _look(self) -> None:
        if any(self.found.get(address) for address in self._came_alive):
            self._wanted.set()

    def done(self, addresses: Iterable[Address]) -> bool:
        """Return whether all of these have been asked (or need not be)."""
        announced = self._announced()
        return not self._enabled or all(
            address in self._settled or address in announced for address in addresses
        )

    async def run(self) -> None:
        """Ask new seeds once, and all again for as long as this node is alone."""
        while self._enabled:
            with trio.move_on_after(_WHILE_ALONE):
                await self._wanted.wait()
            again = not self._wanted.is_set()
            self._wanted = trio.Event()
            seeds = considered = self._seeds
            if again and not self._alone():
                continue
            if not again:
                alive, self._came_alive = self._came_alive, set()
                seeds = tuple(
                    seed
                    for seed in seeds
                    if seed not in self.found or (seed in alive and self.found[seed])
                )
            if len(seeds) > _MOST:
                seeds = tuple(self._rng.sample(seeds, _MOST))
            await self._ask(seeds)
            self._settled = frozenset(considered)

    async def _ask(self, addresses: tuple[Address, ...]) -> None:
        asked = {self._rng.randbytes(16): _Asked(address) for address in addresses}
        self._asked = asked
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._send_asks, asked)
            refuses = getattr(self._network, "refuses", None)
            if refuses is not None:
                for each in asked.values():
                    nursery.start_soon(self._ask_system, refuses, each)
            with trio.move_on_after(PATIENCE):
                while not all(each.complete for each in asked.values()):
                    self._came = trio.Event()
                    await self._came.wait()
            nursery.cancel_scope.cancel()
        self._asked = {}
        for each in asked.values():
            self.found[each.address] = self._words(each)
        for address in set(self.found) - set(self._seeds):  # a name that is something else now
            del self.found[address]
            self._said.pop(address, None)
        self._say()
        self._look()

    async def _send_asks(self, asked: dict[bytes, _Asked]) -> None:
        identity = self.identity().pack()
        for pause in _AGAIN:
            await trio.sleep(pause)
            for nonce, each in asked.items():
                if not each.complete:
                    announced = _pack(self._announced_to(each.address))
                    data = _HEAD.pack(MAGIC, _ASK, nonce) + identity + announced
                    self._send(data.ljust(_ASK_SIZE, b"\0"), each.address)

    async def _ask_system(self, refuses: Any, asked: _Asked) -> None:
        """Find out whether the system there says that nobody listens."""
        if await refuses(asked.address, MAGIC) and asked.identity is None:
            asked.refused = True
            self._came.set()

    def _announced_to(self, seed: Address) -> Address:
        """Return the address by which a seed would reach this node: one of the seed's family."""
        announced = self._announced()
        same = (one for one in announced if (":" in one[0]) == (":" in seed[0]))
        return next(same, announced[0])

    # -- saying --------------------------------------------------------------------------------

    def _words(self, asked: _Asked) -> str:
        """Say what is wrong with a seed, or with this node as that seed sees it; empty: nothing."""
        if asked.myself:
            return _MYSELF
        if asked.refused:
            return "nothing listens there: the address is wrong, or its agent is not running"
        theirs, ours = asked.identity, self.identity()
        if theirs is None:
            return "does not answer: it is down, the address is wrong, or its port is blocked"
        if theirs.protocol != ours.protocol:
            return (
                f"speaks another version of the protocol: {theirs.protocol}, "
                f"this node {ours.protocol}"
            )
        if theirs.tag != ours.tag:
            return f"belongs to another cluster than this node's, {self._cluster!r}"
        if theirs.kid and not ours.kid:
            return "encrypts, and this node has no keyring"
        if ours.kid and not theirs.kid:
            return "does not encrypt, and this node has a keyring"
        ring = self._keys()
        if ring is not None and theirs.kid not in {key.kid for key in ring.keys}:
            return f"uses key {theirs.kid.hex()}, which is not in this node's keyring"
        return self._words_of_tries(asked)

    def _words_of_tries(self, asked: _Asked) -> str:
        announced, seen = self._announced_to(asked.address), asked.seen
        if 1 in asked.tried:
            return ""
        shown = format_address(announced)
        if 0 in asked.tried:
            return (
                f"reaches this node at {shown} only with answers: others may not reach it "
                f"at all, UDP port {announced[1]} seems to be blocked"
            )
        if (":" in announced[0]) != (":" in asked.address[0]):
            family = "IPv6" if ":" in asked.address[0] else "IPv4"
            return (
                f"cannot reach this node at {shown}: this node announces no {family} address, by "
                "which that seed is reached; set advertise, or bind to [::]"
            )
        if seen is not None and seen[0] != announced[0]:
            return (
                f"cannot reach this node at {shown}, the address that it announces, and sees it "
                f"at {format_address(seen)}: set advertise"
            )
        return (
            f"cannot reach this node at {shown}, the address that it announces: "
            f"UDP port {announced[1]} seems to be blocked"
        )

    def _say(self) -> None:
        """Log what is wrong, once, until it is something else."""
        for address, words in self.found.items():
            if words and self._said.get(address) != words:
                _log.warning("seed %s %s", format_address(address), words)
            elif not words and self._said.get(address):
                _log.info("seed %s: all is well now", format_address(address))
            self._said[address] = words


def _pack(address: Address) -> bytes:
    ip = ip_address(address[0])
    return _ADDRESS.pack(ip.version, ip.packed.ljust(16, b"\0"), address[1])


def _address(data: bytes, offset: int) -> Address | None:
    family, packed, port = _ADDRESS.unpack_from(data, offset)
    if family not in (4, 6) or not port:
        return None
    return str(ip_address(packed[: 4 if family == 4 else 16])), port


def _identity(data: bytes, offset: int) -> Identity:
    protocol, tag, size, kid = _IDENTITY.unpack_from(data, offset)
    return Identity(protocol, tag, kid[: min(size, 4)])
