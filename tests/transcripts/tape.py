"""Records what nodes in a mesh say to each other and conclude, as lines of text.

    tape = Tape(Mesh("a", "b"))     # a mesh that exists already; nothing is recorded yet
    tape.begin("c joins by a")
    tape.mesh.add("c")
    tape.mesh.run(0.1)
    print(tape.text())

Times are milliseconds since ``begin``. A datagram is recorded when it is sent; one that never
arrives has an x in its arrow. What ``show`` is false of is counted, not recorded.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable
from typing import Any

from gossipmm.core.sealing.envelope import CoseEnvelope
from gossipmm.core.sealing.keyring import Key
from gossipmm.core.values.types import Address
from gossipmm.core.wire import frame as wire
from tests.helpers import Mesh, Packet
from tests.puppets import frame_of
from tests.transcripts.decoding import (
    CLUSTER,
    Names,
    event_parts,
    frame_parts,
    is_ordinary,
    opened,
)

__all__ = ("Tape",)

WIDTH = 110
#: Columns before what is said: time, who, kind.
INDENT = 31


class Tape:
    """Listens to a mesh. ``keys`` are those that its datagrams may be sealed with."""

    def __init__(self, mesh: Mesh, *, keys: tuple[Key, ...] = ()) -> None:
        self.mesh = mesh
        self.names = Names()
        #: Which frames are recorded; tells by sender, receiver (labels) and frame.
        self.show: Callable[[str, str, wire.Frame], bool] = lambda *_: True
        #: Which events are recorded; tells by node (label) and event.
        self.tell: Callable[[str, Any], bool] = lambda *_: True
        #: Leave out what a node said before in the same words (a second push).
        self.once = False
        #: Leave out the one ordinary heartbeat that a SYN has when there is nothing to tell.
        self.terse = False
        #: Of a sealed datagram, say which boot id it is marked for.
        self.marks = True
        self._entries: list[tuple[str, str, str, str]] = []
        self._said: set[tuple[str, str, str]] = set()
        self._keys = keys
        self._began: float | None = None
        self._hidden = 0
        self._labels: dict[Address, str] = {}
        self._flush, self._deliver = mesh.flush, mesh.deliver
        mesh.flush = self._listen  # type: ignore[method-assign]
        mesh.deliver = self._hand_over  # type: ignore[method-assign]
        self._learn()

    def begin(self, what: str = "") -> None:
        """Record from now on."""
        if self._began is None:
            self._began = self.mesh.now
        self._learn()
        if what:
            self.note(what)

    def note(self, what: str) -> None:
        """Say what the test does, or what has come of it."""
        self._entries.append((self._ms(), "--", "", what))

    def catch_up(self, packet: Packet) -> None:
        """Record a datagram that was sent just before ``begin``."""
        self._datagram(self._labels[packet.source], packet)

    def about(self, name: str, frame: wire.Frame) -> bool:
        """Return whether a frame is of, to or about a member, or brings a page of it."""
        keys = {frame.sender, frame.target, *(row[0] for row in wire.rows_in(frame.rows))}
        return any(self.names.key(key).partition("#")[0] == name for key in keys if key)

    def label(self, address: Address) -> str:
        """Who is, or was, at an address."""
        return self._labels[address]

    def text(self) -> str:
        """All lines, and how much is not shown."""
        lines: list[str] = []
        for ms, who, what, said in self._entries:
            head = f"{ms:>8}  {who:<12}  {what:<6} " if what else f"{ms:>8}  -- "
            rest = " " * (INDENT if what else len(head))
            wrapped = textwrap.wrap(
                said, WIDTH, initial_indent=head, subsequent_indent=rest, break_on_hyphens=False
            )
            lines += wrapped or [head.rstrip()]
        if self._hidden:
            lines.append(f"(not shown: {self._hidden} other datagrams)")
        return "\n".join(lines) + "\n"

    # -- listening ---------------------------------------------------------------------------

    def _ms(self) -> str:
        assert self._began is not None, "begin() first"
        return f"{1000 * (self.mesh.now - self._began):.1f}"

    def _learn(self) -> None:
        for label, member in self.mesh._members.items():
            self._labels[member.addresses[0]] = label
            self.names.learn(member.name, member.generation)

    def _listen(self, label: str) -> None:
        mesh = self.mesh
        member = mesh._members[label]
        self._labels[member.addresses[0]] = label
        events, packets = len(mesh.events[label]), len(mesh.sent)
        self._flush(label)
        if self._began is None:
            self._learn()
            return
        for event in mesh.events[label][events:]:
            if self.tell(label, event):
                said = event_parts(event, self.names, member.name)
                self._say(f"* {label}", type(event).__name__, said)
        self._learn()
        for packet in mesh.sent[packets:]:
            self._datagram(label, packet)

    def _hand_over(self, data: bytes, source: Address, to: str) -> list[Packet]:
        """A puppet speaks: outside of the flow of time."""
        if self._began is not None:
            mesh = self.mesh
            packet = Packet(mesh.now, 0, data, source, mesh[to].addresses[0])
            self._datagram(self._labels[source], packet)
        return self._deliver(data, source, to)

    def _datagram(self, label: str, packet: Packet) -> None:
        to = self._labels.get(packet.target, "?")
        data, sealed = packet.data, []
        if self._keys:
            inside = opened(data, self._keys)
            assert inside is not None
            if inside.challenge:
                self._say(self._arrow(label, to, packet), "CHALLENGE", ["say it again, with this"])
                return
            data = inside.frame
            if inside.proof:
                sealed.append("with the cookie")
            elif self.marks:
                mark = f"marked for {self._boot(inside.mark)}" if any(inside.mark) else "unmarked"
                sealed.append(mark)
            sealed.append(f"[key {inside.kid.hex()}]")
        frame = frame_of(data, CLUSTER)
        if frame.half:
            target = self.names.whole(frame.target) if frame.kind == wire.SYN else 0
            frame = frame._replace(target=target)
            sealed.append("slim")
        if not self.show(label, to, frame):
            self._hidden += 1
            return
        if self.terse and frame.kind == wire.SYN and is_ordinary(frame.rows):
            frame = frame._replace(rows=b"")
        said = frame_parts(frame, self.names, self._life(packet.target) or to)
        kind = wire.KIND_NAMES[frame.kind].upper()
        self._say(self._arrow(label, to, packet), kind, [*said, *sealed])

    def _arrow(self, label: str, to: str, packet: Packet) -> str:
        arrives = packet not in self.mesh.lost and self._life(packet.target)
        return f"{label} -> {to}" if arrives else f"{label} -x {to}"

    def _life(self, address: Address) -> str:
        """The life at an address; empty: nobody is there."""
        label = self.mesh._by_address.get(address)
        if label is None:
            return ""
        member = self.mesh._members[label]
        return self.names.life(member.name, member.generation)

    def _boot(self, mark: bytes) -> str:
        for label, member in self.mesh._members.items():
            envelope = member._envelope
            if isinstance(envelope, CoseEnvelope) and envelope.boot.startswith(mark):
                return label
        return "an earlier life"

    def _say(self, who: str, what: str, said: Iterable[str]) -> None:
        """Add an entry, or one more receiver to the last one if it says the same."""
        text, ms = "; ".join(said), self._ms()
        sender, arrow, to = who.split(" ") if " -" in who else (who, "", "")
        last = self._entries[-1] if self._entries else ("", "", "", "")
        same = (last[0], last[2], last[3]) == (ms, what, text)
        if arrow and same and last[1].startswith(f"{sender} {arrow} "):
            self._entries[-1] = (ms, f"{last[1]},{to}", what, text)
        elif arrow and self.once and what == "NEWS" and (sender, what, text) in self._said:
            self._hidden += 1
        else:
            self._said.add((sender, what, text))
            self._entries.append((ms, who, what, text))
