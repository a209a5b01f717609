"""Members that are nothing but an attack: they answer for names of their own choice.

A process beside the hosts of the cast has an address and any number of names, and answers whoever
asks for one of them, as if their tables agreed. So its address is proved everywhere, and it is held
alive, whatever else it says.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import cbor2

from gossipmm.core.values.types import NodeState
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import Page, Seal, encode_page_zero
from gossipmm.core.wire.slim import SHORT, decode_slim_untrusted, is_slim
from gossipmm.core.wire.strict import Refused
from gossipmm_sim.engine.peer import Peer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gossipmm.core.values.types import Address
    from gossipmm_sim.engine.host import Host
    from gossipmm_sim.faults.base import Context

__all__ = ("Puppet",)

#: Bits of a generation below the milliseconds of the wall clock.
_SHIFT = 16


class _Everybody:
    """Knows every key: whoever has forged a name knows which it forged."""

    def __contains__(self, key: object) -> bool:
        return True


class Puppet(Peer):
    """An address that answers for names, and from which anything can be said."""

    def __init__(
        self, run: Context, label: str, answers: float = 1.0, address: Address | None = None
    ) -> None:
        """``answers``: the share of questions that it answers. ``address``: None for a new one."""
        cluster = run.cluster
        self.run = run
        self.label = label
        self.index = -1 - run.stream(f"puppet/{label}").getrandbits(30)
        self.address: Address = address or cluster.new_address()
        self.socket = None
        self.unsent = []
        self.up = True
        self.sent_datagrams = self.sent_bytes = 0
        self.received_datagrams = self.received_bytes = 0
        self.draw = cluster.streams(f"latency/{label}").random
        self.loss_draw = cluster.streams(f"loss/{label}").random
        self.cluster_name = cluster.config.cluster
        self.heartbeat = 5
        self._answers = answers
        #: Keys that it answers for, by their lower half: that is all that a slim SYN has.
        self._keys: dict[int, int] = {}
        self._fingerprint = 0
        cluster.network.attach(self)

    # -- names -------------------------------------------------------------------------------------

    def generation(self, ahead: float = 0.0) -> int:
        """Return a generation that begins now, or so many seconds later."""
        wall = self.run.cast[0].wall_ms()
        return (wall + int(ahead * 1000)) << _SHIFT | self.run.stream("puppets").getrandbits(16)

    def take(self, name: str, generation: int) -> int:
        """Answer for a name from now on; return its key."""
        key = wire.record_key(self.cluster_name, name, generation)
        self._keys[key & SHORT] = key
        return key

    def page_zero(
        self,
        name: str,
        generation: int,
        version: int = 1,
        state: NodeState = NodeState.UP,
        seal: Seal | None = None,
    ) -> Page:
        """Return a page 0 with its address."""
        where = (self.address,)
        return encode_page_zero(name, generation, version, state, where, {}, seal=seal)

    # -- what it says ------------------------------------------------------------------------------

    def say(
        self,
        target: Host,
        key: int,
        *,
        kind: int = wire.NEWS,
        rows: bytes = b"",
        options: dict[int, Any] | None = None,
        probe: int = 0,
    ) -> None:
        """Say something in the name of a key."""
        encoded = cbor2.dumps(options) if options else b""
        self._send([(self._frame(kind, key, 0, probe, rows, encoded), target.address)])

    def say_all(self, target: Host, key: int, said: Iterable[dict[int, Any]]) -> None:
        """Say many things at once, each the options of a datagram."""
        frames = (self._frame(wire.NEWS, key, 0, 0, b"", cbor2.dumps(one)) for one in said)
        self._send([(data, target.address) for data in frames])

    def _frame(
        self, kind: int, key: int, target: int, probe: int, rows: bytes, options: bytes
    ) -> bytes:
        tag = wire.cluster_tag(self.cluster_name)
        beat = self.heartbeat
        return wire.encode(tag, kind, key, target, probe, self._fingerprint, beat, 0, rows, options)

    def _send(self, out: list[tuple[bytes, Address]]) -> None:
        self.run.cluster.network.send(self, out)

    def close(self) -> None:
        """Go away."""
        self.run.cluster.network.detach(self)

    # -- what it hears -----------------------------------------------------------------------------

    def hears(self) -> tuple[Address, ...]:
        """Return its address."""
        return (self.address,)

    def source(self, target: Address) -> Address | str:
        """Return its address, whoever it is for."""
        return self.address

    def deliver(self, data: bytes, source: Address) -> None:
        """Answer a question for one of its names."""
        self.received_datagrams += 1
        self.received_bytes += len(data)
        with suppress(Refused):
            if is_slim(data):
                frame = decode_slim_untrusted(data, 0, _Everybody(), lambda _: False)
            else:
                frame = wire.decode_untrusted(data, wire.cluster_tag(self.cluster_name))
                self._fingerprint = frame.fingerprint
            key = self._keys.get(frame.target & SHORT)
            if frame.kind != wire.SYN or key is None:
                return
            if self._answers < 1.0 and self.loss_draw() >= self._answers:
                return
            self.heartbeat = max(self.heartbeat, frame.known) + 1
            ack = self._frame(wire.ACK, key, frame.sender, frame.probe, b"", b"")
            self._send([(ack, source)])
