"""A puppet: a member of the cluster whose every word the test chooses.

Left alone it answers what it is asked, so that it stays alive, and agrees with everybody.

    x = mesh.puppet("x").introduce("a")               # now node "a" knows x
    x.say("a", rows=wire.row(key, 3, wire.SUSPECT))   # what "a" sends because of it
    x.answers = False                                 # from now on it is mute
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import cbor2

from gossipmm.core.values.types import Address, NodeState, Registration
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import Page, Seal, encode_entry, encode_page, encode_page_zero
from gossipmm.core.wire.slim import decode_slim_untrusted, is_slim

if TYPE_CHECKING:
    from tests.helpers import Mesh, Packet


def claims(rows: bytes, key: int | None = None) -> list[tuple[int, int]]:
    """(claim, heartbeat) of the rows about ``key``, or of all."""
    return [(claim, beat) for its, beat, claim, _ in wire.rows_in(rows) if key in (None, its)]


def datagram(
    kind: int = wire.NEWS,
    *,
    cluster: str = "gossipmm",
    sender: int = 77,
    target: int = 0,
    probe: int = 0,
    fingerprint: int = 0,
    heartbeat: int = 1,
    known: int = 0,
    rows: bytes = b"",
    options: Mapping[int, Any] | None = None,
) -> bytes:
    """A well-formed datagram from anybody."""
    encoded = cbor2.dumps(options) if options else b""
    tag = wire.cluster_tag(cluster)
    return wire.encode(
        tag, kind, sender, target, probe, fingerprint, heartbeat, known, rows, encoded
    )


def frame_of(data: bytes, cluster: str = "gossipmm") -> wire.Frame:
    """Read a datagram as somebody who looks on: who it is for cannot be told of a slim frame."""
    if is_slim(data):
        return decode_slim_untrusted(data, 0, _Everybody(), lambda _: False)
    return wire.decode_untrusted(data, wire.cluster_tag(cluster))


class _Everybody:
    """Knows every key."""

    def __contains__(self, key: object) -> bool:
        return True


class Puppet:
    """A member of the cluster that says what the test says."""

    def __init__(self, mesh: Mesh, name: str, address: Address, generation: int) -> None:
        self._mesh = mesh
        self.name = name
        self.addresses: tuple[Address, ...] = (address,)
        self.generation = generation
        self.key = wire.record_key(mesh.config.cluster, name, generation)
        self.heartbeat = 5
        self.version = 0
        #: What signs its pages; None: they are not signed.
        self.seal: Seal | None = None
        #: Whether it answers a SYN meant for it.
        self.answers = True
        #: What was said to it, in order.
        self.heard: list[wire.Frame] = []
        self._fingerprint = 0
        self._out: list[tuple[bytes, Address]] = []

    # -- the verbs that the mesh uses ------------------------------------------------------------

    def receive_datagram(self, data: bytes, source: Address, now: float) -> None:
        frame = wire.decode_untrusted(data, wire.cluster_tag(self._mesh.config.cluster))
        self.heard.append(frame)
        self._fingerprint = frame.fingerprint  # agrees with everybody, so that no digest follows
        if frame.kind == wire.SYN and self.answers and frame.target in (0, self.key):
            self.heartbeat = max(self.heartbeat, frame.known + 1)
            self._out.append((self.frame(wire.ACK, frame.sender, probe=frame.probe), source))

    def handle_timer(self, now: float) -> None:
        """It has none."""

    def next_timer(self) -> float:
        return float("inf")

    def datagrams_to_send(self) -> list[tuple[bytes, Address]]:
        out, self._out = self._out, []
        return out

    def next_event(self) -> None:
        return None

    # -- speaking ----------------------------------------------------------------------------------

    def frame(self, kind: int, target: int, **fields: Any) -> bytes:
        """A datagram of its own."""
        values = {
            "heartbeat": self.heartbeat,
            "fingerprint": self._fingerprint,
            "cluster": self._mesh.config.cluster,
        }
        return datagram(kind, sender=self.key, target=target, **{**values, **fields})

    def say(self, to: str, kind: int = wire.NEWS, **fields: Any) -> list[Packet]:
        """Speak to a node now; return what it sends because of that.

        ``fields`` are those of ``datagram``; ``pages`` (a list of Page) is short for the option.
        """
        source = fields.pop("source", self.addresses[0])
        pages: list[Page] | None = fields.pop("pages", None)
        if pages is not None:
            raws = [page.raw for page in pages]
            fields["options"] = {wire.OPT_PAGES: raws, **fields.get("options", {})}
        node = self._mesh[to]
        fields.setdefault(
            "target", wire.record_key(node.config.cluster, node.name, node.generation)
        )
        return self._mesh.deliver(self.frame(kind, **fields), source, to)

    def page_zero(
        self,
        state: NodeState = NodeState.UP,
        *,
        version: int | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Page:
        """Its page 0, at the next version unless one is given."""
        return encode_page_zero(
            self.name,
            self.generation,
            self._next(version),
            state,
            self.addresses,
            metadata or {},
            seal=self.seal,
        )

    def page(self, number: int, *entries: Registration, version: int | None = None) -> Page:
        """One of its pages of entries."""
        pairs = [(entry, encode_entry(entry)) for entry in entries]
        at = self._next(version)
        return encode_page(self.name, self.generation, number, at, pairs, self.seal)

    def _next(self, version: int | None) -> int:
        if version is None:
            version = self.version = self.version + 1
        return version

    def introduce(self, *names: str, entries: Iterable[Registration] = ()) -> Puppet:
        """Bring its record to these nodes, as reconciliation would: nothing is pushed on."""
        pages = [self.page_zero()]
        if entries := tuple(entries):
            pages.append(self.page(1, *entries))
        for name in names or self._mesh.names():
            self.say(name, pages=pages, options={wire.OPT_MORE: []})
            self.prove(name)
        return self

    def prove(self, name: str) -> None:
        """Let a node hold its address proved, as after an answered probe."""
        node = self._mesh[name]
        node._admission.prove(self.addresses[0], self._mesh.now)
