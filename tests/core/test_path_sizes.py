"""Paths that carry less than others: found out, told, and used for what they carry [P127].

Datagrams of 1,200 bytes were sent again and again, 20 to 33 kB a second, to members that answered
every probe, because those are small: tables were never equal, and nobody said a word.
"""

from __future__ import annotations

import itertools

import pytest

from gossipmm.config import Config
from gossipmm.config_ranges import RANGES
from gossipmm.core.sending.size_tests import _BETWEEN_TRIES, _BURST, _EVERY, _LONGEST_WAIT
from gossipmm.core.values.events import PathTrouble
from gossipmm.core.values.trail import EvidenceKind
from gossipmm.core.values.types import PathFault
from gossipmm.core.wire import frame as wire
from gossipmm.mechanisms import Mechanism
from tests.helpers import Mesh, Packet

#: Names of topics that fill pages of 1,000 bytes.
TOPICS = 60


def register(mesh: Mesh, name: str, word: str = "topic") -> None:
    for number in range(TOPICS):
        mesh[name].register(f"{word}-{number:03d}-of-{name}", name, now=mesh.now)


def small(mesh: Mesh, size: int, *, source: str = "", to: str = "") -> None:
    """Lose what is larger: everywhere, or on the paths from or to one member."""

    def loses(packet: Packet) -> bool:
        if len(packet.data) <= size:
            return False
        if not source and not to:
            return True
        first = {name: mesh[name].addresses[0] for name in (source, to) if name}
        return packet.source == first.get(source) or packet.target == first.get(to)

    mesh.rules["size"] = loses


def told(mesh: Mesh, name: str) -> list[tuple[str, bool]]:
    said = [one for one in mesh.told(name, PathTrouble) if one.fault is PathFault.SIZE]
    return [(one.name, one.active) for one in said]


def told_of(mesh: Mesh, name: str) -> set[str]:
    return {who for who, _ in told(mesh, name)}


def bytes_sent(mesh: Mesh, seconds: float) -> float:
    """Let time pass; return the bytes that a node sent in a second."""
    before = len(mesh.sent)
    mesh.run(seconds)
    sent = sum(len(packet.data) + 28 for packet in mesh.sent[before:])
    return sent / seconds / len(mesh.names())


@pytest.mark.parametrize("size", [1000, 600, wire.LEAST_DATAGRAM])
@pytest.mark.parametrize("where", [{}, {"to": "c"}, {"source": "c"}, {"source": "c", "to": "c"}])
def test_tables_agree_over_paths_that_lose_what_is_large(size: int, where: dict[str, str]) -> None:
    """[P127, P128]."""
    mesh = Mesh("a", "b", "c")
    small(mesh, size, **where)
    for name in "abc":
        register(mesh, name)
    mesh.settle(within=8)
    assert len(mesh["c"].table.topics) == 3 * TOPICS
    mesh.run(3)
    assert bytes_sent(mesh, 30) < 200  # 115 on a good path; 20 to 33 kB for ever before


def test_both_ends_say_once_whom_it_concerns_and_what_passes() -> None:
    """Nobody said a word of it."""
    mesh = Mesh("a", "b", "c")
    small(mesh, 600, source="c", to="c")
    for name in "abc":
        register(mesh, name)
    mesh.settle(within=8)
    mesh.until(lambda: told_of(mesh, "c") == {"a", "b"} and mesh["a"].paths())
    mesh.run(20)
    assert told(mesh, "a") == [("c", True)]
    (view,) = mesh["a"].paths()
    at = mesh["c"].addresses
    assert view == ("c", PathFault.SIZE, at, 548, 1200)
    assert mesh["a"].health(mesh.now).small_paths == 1
    assert EvidenceKind.SMALL_PATH in {line.kind for line in mesh["a"].why("c")}
    mesh.crash("c")
    mesh.until(lambda: mesh["a"].paths() == (), within=20)


def test_who_only_hears_over_the_small_path_has_nothing_to_say() -> None:
    mesh = Mesh("a", "b", "c")
    small(mesh, 600, to="c")
    for name in "abc":
        register(mesh, name)
    mesh.settle(within=8)
    mesh.run(5)
    assert told(mesh, "c") == []
    assert told_of(mesh, "a") | told_of(mesh, "b") == {"c"}


def test_a_path_that_shrinks_under_a_running_cluster_and_grows_again() -> None:
    """It is tried again after a minute, and then ever more rarely."""
    mesh = Mesh("a", "b", "c")
    for name in "abc":
        register(mesh, name)
    mesh.settle()
    mesh.run(30)
    small(mesh, 600, source="c", to="c")
    register(mesh, "a", "later")
    register(mesh, "c", "later")
    mesh.settle(within=8)
    mesh.until(lambda: told_of(mesh, "c") == {"a", "b"})
    assert bytes_sent(mesh, 300) < 200
    mesh.rules.clear()
    mesh.until(lambda: not mesh["c"].paths(), within=_LONGEST_WAIT * 1.2)
    assert {who for who, active in told(mesh, "c") if not active} == {"a", "b"}
    assert len(told(mesh, "c")) == 4
    assert EvidenceKind.LARGE_PATH in {line.kind for line in mesh["c"].why("a")}
    cut = mesh["c"].stats.frames_cut
    register(mesh, "c", "last")
    mesh.settle()
    assert mesh["c"].stats.frames_cut == cut


def test_what_the_system_refuses_for_its_size_goes_in_parts_at_once() -> None:
    """EMSGSIZE was counted, and the same bytes were sent again."""
    mesh = Mesh("a", "b")
    b = mesh["b"].addresses[0]
    mesh.refused = lambda packet: packet.source == b and len(packet.data) > 872
    mesh.refused_size = 1200
    for name in "ab":
        register(mesh, name)
    mesh.settle(within=5)
    assert told(mesh, "b") == [("a", True)]
    assert told(mesh, "a") == []
    assert mesh["b"].stats.dropped["send_too_large"] <= 2  # the first, and one on its way with it


def test_a_newcomer_whose_hello_is_too_large_for_the_path_joins() -> None:
    """It shows pages beside page 0: all of its first 32 questions would be lost."""
    mesh = Mesh("a")
    small(mesh, 600)
    mesh.add("b", seeds=())
    register(mesh, "b")
    mesh["b"].join(mesh["a"].addresses, mesh.now)
    mesh.settle(within=3)


def test_nothing_is_tested_where_all_is_well() -> None:
    """A test is 1,350 bytes. Tables that differ for other reasons bring about few."""
    mesh = Mesh("a", "b", "c")
    for name in "abc":
        register(mesh, name)
    mesh.settle()
    mesh.run(60)
    assert sum(mesh[name].stats.size_tests for name in "abc") <= 3
    for number in range(600):
        mesh["a"].register(f"more-{number:03d}", "a", now=mesh.now)
        mesh.run(0.1)
    for name in "abc":
        assert mesh[name].stats.size_tests <= _BURST + 60 / 10 + 1
        assert told(mesh, name) == []


@pytest.mark.parametrize("seed", range(3))
def test_loss_alone_makes_no_path_small(seed: int) -> None:
    """A large question fails as often as a small one [P127]."""
    mesh = Mesh("a", "b", seed=seed)
    mesh.settle()
    mesh.lose(0.25)
    mesh.run(30)
    for _ in range(100):
        mesh["a"]._parts.size_tests.doubt(mesh["a"].table.by_name["b"], mesh["b"].addresses[0])
        mesh.run(11)
    assert told(mesh, "a") == []
    assert mesh["a"].stats.size_tests > 80


def test_nothing_large_goes_to_an_address_that_is_not_proved() -> None:
    """Else whoever names somebody's address in a record has him sent 1,200 bytes [P97, P127]."""
    mesh = Mesh("a")
    x = mesh.puppet("x").introduce("a")
    tests = mesh["a"]._parts.size_tests
    mesh["a"]._parts.admission.proved.pop(x.addresses[0], None)
    before = len(mesh.sent)
    tests.doubt(mesh["a"].table.by_name["x"], x.addresses[0])
    mesh.flush("a")
    assert mesh.sent[before:] == []


def test_many_small_paths_are_tried_again_one_after_the_other() -> None:
    """Each try is 1,200 bytes: a host behind a tunnel has as many paths as there are members."""
    mesh = Mesh(*"abcdefgh", "z")
    small(mesh, 600, source="z")
    register(mesh, "z")
    mesh.settle()
    for name in "abcdefgh":
        tests = mesh["z"]._parts.size_tests
        tests.refused(mesh["z"].table.by_name[name], mesh[name].addresses[0], 1200)
    mesh.run(50)
    began: list[float] = []
    for _ in range(120):
        before = mesh["z"].stats.size_tests
        mesh.run(0.5)
        began += [mesh.now] * (mesh["z"].stats.size_tests - before)
    assert len(began) >= 6
    assert min(later - early for early, later in itertools.pairwise(began)) >= _BETWEEN_TRIES - 0.5


def test_tests_have_a_budget() -> None:
    """Where something changes all the time, tables differ for other reasons all the time."""
    mesh = Mesh("a", "b")
    mesh.settle()
    mesh.run(5)
    for _ in range(60):
        mesh["a"]._paths.sizes._carried.clear()
        mesh["a"]._parts.size_tests.doubt(mesh["a"].table.by_name["b"], mesh["b"].addresses[0])
        mesh.run(0.5)
    assert _BURST <= mesh["a"].stats.size_tests <= _BURST + 30 / _EVERY + 1


def test_the_smallest_datagram_that_can_be_set_is_what_every_path_carries() -> None:
    """With it there is nothing to find out."""
    assert RANGES["max_datagram"].low == wire.LEAST_DATAGRAM
    assert Config().max_datagram > wire.LEAST_DATAGRAM
    mesh = Mesh("a", "b", max_datagram=wire.LEAST_DATAGRAM)
    for name in "ab":
        register(mesh, name)
    mesh.settle()
    mesh.run(10)
    assert mesh["a"].stats.size_tests == mesh["a"].stats.frames_cut == 0


def test_without_it_tables_never_agree() -> None:
    """What it is for: see ``Mechanism.PATH_SIZES``."""
    mesh = Mesh("a", "b", without=frozenset({Mechanism.PATH_SIZES}))
    small(mesh, 600)
    register(mesh, "a")
    mesh.run(20)
    assert not mesh.agreed()


def test_a_path_that_carries_not_even_parts_is_told_and_costs_little() -> None:
    """Parts of 548 bytes were said to arrive, and tables were compared every half second."""
    mesh = Mesh("a", "b")
    small(mesh, 400)
    for name in "ab":
        register(mesh, name)
    mesh.run(40)
    assert not mesh.agreed()
    said = mesh.told("a", PathTrouble)
    assert [(one.name, one.active, one.carries, one.loses) for one in said] == [
        ("b", True, 0, wire.LEAST_DATAGRAM)
    ]
    assert bytes_sent(mesh, 60) < 4000
    small(mesh, 600)
    mesh.settle(within=20)
    mesh.until(lambda: mesh["a"].paths()[0].carries == wire.LEAST_DATAGRAM, within=200)
    assert [one.carries for one in mesh.told("a", PathTrouble)] == [0, wire.LEAST_DATAGRAM]


def test_what_never_arrives_is_asked_for_ever_more_rarely() -> None:
    """[P53, P58]. Nothing can be done about such a path, but it needs not cost 20 kB/s for ever."""
    mesh = Mesh("a", without=frozenset({Mechanism.PATH_SIZES}))
    small(mesh, 600)
    register(mesh, "a")
    mesh.add("b", without=frozenset({Mechanism.PATH_SIZES}))
    mesh.run(60)
    assert not mesh.agreed()
    assert bytes_sent(mesh, 60) < 3000  # 9,600 each before
    mesh.rules.clear()
    mesh.settle(within=20)


def test_digests_that_change_neither_table_come_ever_more_rarely() -> None:
    """[P53]. 236 in a minute before."""
    mesh = Mesh("a", "b", without=frozenset({Mechanism.PATH_SIZES}))
    mesh.settle()
    mesh.run(5)
    mesh.rules["news"] = lambda packet: len(packet.data) > 90
    mesh["a"].register("topic", "host-a", now=mesh.now)
    mesh.run(30)
    before = sum(mesh[name].stats.digests_sent for name in "ab")
    mesh.run(60)
    assert sum(mesh[name].stats.digests_sent for name in "ab") - before <= 2 * 60 / 8 + 2
    assert not mesh.agreed()
    mesh.rules.clear()
    mesh.settle(within=10)
