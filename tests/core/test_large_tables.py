"""Tables of ten thousand records agree again as small ones do, and cost no more to keep."""

from __future__ import annotations

import sys
from math import inf
from types import FrameType
from typing import Any

import pytest

from gossipmm.core.values.timers import Token
from gossipmm.core.values.types import Address, NodeState
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import encode_page_zero, page_untrusted
from gossipmm.mechanisms import Mechanism
from tests.bench.large_scene import OPERATIONS, LargeScene, Thunk, member_name
from tests.helpers import START, Mesh, NodePair, held, key_of
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


def test_a_large_table_names_no_more_buckets_than_a_member_of_wire_version_1_reads() -> None:
    """Above 4,096 records it was shown 256 buckets, and refused each such digest: 128 is its limit.

    During an upgrade nothing that got lost was found any more between old and new members [P54].
    """
    mesh = tables(4_200, 0)
    mesh.add("old", without=frozenset({Mechanism.WIRE_VERSION}))
    mesh.add("new")
    mesh.until(lambda: all(mesh["a"].member(name) for name in ("old", "new")), within=2)
    for name, most in (("old", 7), ("new", 8)):
        mesh.sent.clear()
        mesh["a"]._parts.anti_entropy.send_digest(held(mesh["a"], name))
        mesh.flush("a")
        options = [packet.frame.options for packet in mesh.sent]
        (told,) = [one[wire.OPT_BUCKETS] for one in options if wire.OPT_BUCKETS in one]
        assert (told[0], len(told[2])) == (most, 4 << most)


#: Four times the members may cost so much more, by chance.
NO_MORE = 1.4
#: Steps of the interpreter that say nothing: another branch of one function.
FEW = 150
ROUNDS = 6
TAG = wire.cluster_tag("gossipmm")


@pytest.fixture(scope="module")
def scenes() -> tuple[LargeScene, LargeScene]:
    """Give two nodes, one of which knows four times the members; both go by 256 buckets."""
    return LargeScene(4_200, 2), LargeScene(16_800, 2)


def steps(run: Thunk) -> int:
    """Count the instructions of Python that a call takes: the same each time, on any machine."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        run()
    finally:
        sys.settrace(before)
    return count


def most_steps(scene: LargeScene, operation: str) -> int:
    """Count the instructions of an operation at its worst."""
    most = 0
    for _ in range(ROUNDS):
        run = scene.operations()[operation]()
        most = max(most, steps(run))
        scene.settle()
    return most


@pytest.mark.parametrize("operation", OPERATIONS)
def test_four_times_the_members_cost_one_datagram_or_tick_no_more(
    scenes: tuple[LargeScene, LargeScene], operation: str
) -> None:
    """An empty digest of 58 bytes cost 22 ms at 9,900 members: nothing visits all of them [P55].

    A tick went through all the dead, the search for what to reap through everybody [P44, P47], a
    push through all that waited [P75], and a round was shuffled as a whole [P61].
    """
    small, large = (most_steps(scene, operation) for scene in scenes)
    assert large <= NO_MORE * small + FEW


@pytest.mark.parametrize(
    ("operation", "datagrams"), [("hashes heard, all differ", 4), ("digest heard, empty", 6)]
)
def test_an_answer_to_a_digest_is_a_few_datagrams_whatever_differs(
    scenes: tuple[LargeScene, LargeScene], operation: str, datagrams: int
) -> None:
    """Rows or records of 12 datagrams took 0.7 ms at 10,000 members [P54, P55]."""
    for scene in scenes:
        scene.operations()[operation]()()
        answers = scene.node.datagrams_to_send()
        assert len(answers) == datagrams
        assert all(len(data) <= 1200 for data, _ in answers)
        scene.settle()


def test_who_is_offered_the_first_pages_of_some_is_told_the_rest() -> None:
    """What is left out of an offer for want of room comes with the next digests [P55]."""
    pair = LargeScene(400, 2).pair
    exchange_until_equal(pair, 12)


def exchange_until_equal(pair: NodePair, most: int) -> None:
    for _ in range(most):
        pair.b._parts.anti_entropy.send_digest(held(pair.b, "a"))
        pair.run(0.05)
        if pair.a.table.fingerprint == pair.b.table.fingerprint:
            return
    raise AssertionError(f"{most} digests were not enough")


def test_a_transfer_of_the_gone_goes_on_behind_thousands_that_are_not() -> None:
    """One request looked at everybody, 3.6 ms at 10,000 members, for the dead among them [P58]."""
    scene = LargeScene(2_000, 1)
    kill(scene, range(0, 2_000, 50))
    had: set[str] = set()
    cursor = [0, 0]
    for _ in range(20):
        scene.hearing(options={wire.OPT_PULL: [*cursor, True]})()
        told = [wire.decode_untrusted(data, TAG) for data, _ in scene.node.datagrams_to_send()]
        for frame in told:
            had.update(page_untrusted(raw).name for raw in frame.options.get(wire.OPT_PAGES, ()))
        cursor = [*told[-1].options[wire.OPT_MORE]]
        if cursor == [0, 0]:
            break
    assert cursor == [0, 0]
    assert had == {member_name(number) for number in range(0, 2_000, 50)}


def test_many_that_died_in_one_moment_are_reaped_some_at_a_time() -> None:
    """A day after half of a cluster died, one timer would forget thousands [P47]."""
    scene = LargeScene(500, 1, reap_after=60)
    node = scene.node
    kill(scene, range(300))
    node._local.now += 61
    left = []
    while node.table.gone:
        scene.reaper._reap(None)
        left.append(len(node.table.gone))
        soon = min(token.when for _, _, token in node._local.timers._heap if is_reaping(token))
        assert soon - scene.now < (0.1 if node.table.gone else 4)
    assert left == [236, 172, 108, 44, 0]
    assert node.stats.reaped == 300


def is_reaping(token: Token) -> bool:
    return getattr(token.function, "__name__", "") == "_reap" and token.when > START + 61


def kill(scene: LargeScene, numbers: range) -> None:
    """Let the suspicions of so many members end now."""
    for number in numbers:
        member = scene.member(number)
        member.merge(s=member.k)
        member.declare_dead(scene.now)
        scene.node.table.refresh(member, scene.now)
