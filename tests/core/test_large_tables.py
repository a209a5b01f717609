"""Tables of ten thousand records agree again as small ones do."""

from __future__ import annotations

from math import inf

import pytest

from gossipmm.core.values.types import Address, NodeState
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import encode_page_zero
from tests.helpers import Mesh, key_of
from tests.puppets import datagram

#: Records that only one of the two has.
ODD = 20


class Crowd:
    """So many members behind one address; each answers what it is asked, in its own name."""

    def __init__(self, mesh: Mesh, size: int) -> None:
        self.addresses: tuple[Address, ...] = (mesh.new_address(),)
        generation = mesh.new_generation()
        names = [f"m{number}" for number in range(size)]
        self.keys = [wire.record_key(mesh.config.cluster, name, generation) for name in names]
        self.beats = dict.fromkeys(self.keys, 5)
        self.pages = [
            encode_page_zero(name, generation, 1, NodeState.UP, self.addresses, {}).raw
            for name in names
        ]
        self._out: list[tuple[bytes, Address]] = []

    def receive_datagram(self, data: bytes, source: Address, now: float) -> None:
        frame = wire.decode_untrusted(data, wire.cluster_tag("gossipmm"))
        if frame.kind == wire.SYN and frame.target in self.beats:
            beat = self.beats[frame.target] = max(self.beats[frame.target], frame.known + 1)
            answer = datagram(
                wire.ACK,
                sender=frame.target,
                target=frame.sender,
                probe=frame.probe,
                fingerprint=frame.fingerprint,
                heartbeat=beat,
            )
            self._out.append((answer, source))

    def handle_timer(self, now: float) -> None:
        """It has none."""

    def next_timer(self) -> float:
        return inf

    def datagrams_to_send(self) -> list[tuple[bytes, Address]]:
        out, self._out = self._out, []
        return out

    def next_event(self) -> None:
        return None

    def tell(self, mesh: Mesh, name: str, numbers: range) -> None:
        """Bring records to a node, as reconciliation would, with no time passing."""
        mesh[name]._admission.prove(self.addresses[0], mesh.now)
        for first in range(numbers.start, numbers.stop, 10):
            some = range(first, min(first + 10, numbers.stop))
            rows = b"".join(wire.row(self.keys[one], 5, wire.ALIVE) for one in some)
            options = {wire.OPT_PAGES: [self.pages[one] for one in some], wire.OPT_MORE: []}
            said = datagram(sender=self.keys[some[0]], heartbeat=5, rows=rows, options=options)
            mesh[name].receive_datagram(said, self.addresses[0], mesh.now)
            mesh.now += 0.001  # within what one peer may send


def tables(records: int, odd: int) -> Mesh:
    """Give two nodes that know so many members, and ``odd`` that only one of them knows."""
    mesh = Mesh("a", "b", max_members=2 * records)
    mesh.settle()
    crowd = Crowd(mesh, records + odd)
    mesh._put("crowd", crowd.addresses[0], crowd)  # type: ignore[arg-type]
    for name in ("a", "b"):
        crowd.tell(mesh, name, range(records))
    crowd.tell(mesh, "a", range(records, records + odd))
    for name in ("a", "b"):
        mesh[name].datagrams_to_send()
    return mesh


def exchange(mesh: Mesh, asker: str, asked: str) -> None:
    """Let one node hear another's fingerprint, and send its digest if it differs."""
    one, other = mesh[asker], mesh[asked]
    syn = datagram(
        wire.SYN,
        sender=key_of(one),
        target=key_of(other),
        fingerprint=one.table.fingerprint,
        heartbeat=one.heartbeat,
    )
    mesh.deliver(syn, one.addresses[0], asked)
    mesh.run(2.0)


def digests_needed(records: int, most: int) -> int:
    """Count the exchanges after which two tables agree; ``most`` + 1 when they still differ."""
    mesh = tables(records, ODD)
    a, b = mesh["a"], mesh["b"]
    assert a.table.live_count() - b.table.live_count() == ODD
    mesh.run(2.0)
    for count in range(1, most + 1):
        exchange(mesh, *(("a", "b") if count % 2 else ("b", "a")))
        if a.table.fingerprint == b.table.fingerprint:
            assert b.table.live_count() == a.table.live_count() == records + ODD + 2
            return count
    return most + 1


@pytest.mark.parametrize(
    "records",
    [500, 8_000, 10_000],
)
def test_records_that_one_of_two_lacks_are_had_within_six_digests(records: int) -> None:
    """Twenty of 10,000 differed, and five were still missing after 400 digests.

    A bucket of more rows than fit a datagram always showed its first ones.
    """
    assert digests_needed(records, 6) <= 6
