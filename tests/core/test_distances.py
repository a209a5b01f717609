"""Coordinates: what they estimate, how they travel, and whom they believe."""

from __future__ import annotations

import random
from math import inf, isfinite, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossipmm.config import Config
from gossipmm.core.distances.coordinate import Coordinate, distance, pack, unpack
from gossipmm.core.distances.distances import Distances
from gossipmm.core.distances.vivaldi import Vivaldi
from gossipmm.core.life.asking import place_in
from gossipmm.core.values.questions import Answered, Outcome
from gossipmm.core.values.stats import Drop, Stats
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.slim import COORDINATES, decode_slim_untrusted, encode, is_slim
from gossipmm.core.wire.strict import Refused
from gossipmm.mechanisms import Mechanism
from tests.helpers import Mesh, Packet

NONE: frozenset[Mechanism] = frozenset()
#: Where eight hosts are, in seconds: two corners of a triangle, and some between.
PLACES = tuple(Coordinate(0.05 * (n % 3), 0.04 * (n // 3), 0.0, 0.001, 0.05) for n in range(8))

HERE = Coordinate(0.1, 0.1, 0.0, 0.001, 0.05)


def settled(without: frozenset[Mechanism] = NONE, rounds: int = 30) -> Vivaldi:
    """Return a node at (0.1, 0.1, 0), by the round trips to the others."""
    vivaldi = Vivaldi(random.Random(1), without)
    here = Coordinate(0.1, 0.1, 0.0, 0.001, 0.05)
    for turn in range(rounds):
        for key, place in enumerate(PLACES):
            vivaldi.sample(key, place, distance(here, place), turn + key / 8)
    return vivaldi


def off(vivaldi: Vivaldi, x: float = 0.1, y: float = 0.1) -> float:
    """Return the largest share by which an estimate is wrong."""
    here = Coordinate(x, y, 0.0, 0.001, 0.05)
    shares = [abs(distance(vivaldi.own, place) / distance(here, place) - 1.0) for place in PLACES]
    return max(shares)


def test_a_node_finds_its_place_by_the_round_trips_to_others() -> None:
    """[P178]."""
    assert off(settled()) < 0.05
    assert settled().own.error < 0.1


@given(data=st.binary(min_size=8, max_size=8))
def test_any_eight_bytes_are_a_place_on_earth(data: bytes) -> None:
    """[P179] Nobody can write infinity, no number, or a light year."""
    one = unpack(data)
    assert all(isfinite(value) for value in one)
    assert distance(one, one._replace(x=-one.x, y=-one.y, z=-one.z)) < 3.5
    again = unpack(pack(one))
    assert again.error == pytest.approx(one.error, abs=1e-9)
    assert again.height == pytest.approx(one.height)
    assert abs(again.x - one.x) <= 2e-5


def test_what_does_not_fit_is_the_nearest_that_does() -> None:
    far = unpack(pack(Coordinate(9.0, -9.0, 0.0, 9.0, 9.0)))
    assert (far.x, far.y) == (pytest.approx(0.65534), pytest.approx(-0.65534))
    assert far.height == pytest.approx(0.5)
    assert far.error == pytest.approx(1.5)


@pytest.mark.parametrize("on", [True, False])
def test_a_member_far_from_where_it_says_to_be_moves_nobody(on: bool) -> None:
    """A member that said to be somewhere else in each answer took others along [P181]."""
    vivaldi = settled(NONE if on else frozenset({Mechanism.DISTANCE_JURY}))
    lie = Coordinate(-0.6, -0.6, 0.6, 0.0, 0.0)
    found = [vivaldi.sample(99, lie, 0.03, 30.0 + turn / 10) for turn in range(50)]
    assert (found == [Drop.DISTANCE_FAR] * 50) is on
    assert (off(vivaldi) < 0.1) is on


def test_a_member_that_jumps_about_while_it_is_sure_of_itself_is_not_followed() -> None:
    """[P181]."""
    vivaldi = settled()
    there = PLACES[0]
    rtt = distance(vivaldi.own, there)
    jumped = there._replace(z=0.2)
    assert vivaldi.sample(0, jumped, rtt, 30.0) is not None
    assert vivaldi.neighbours[0].coordinate == there
    unsure = there._replace(x=0.02, error=0.9)
    assert vivaldi.sample(0, unsure, rtt, 31.0) is not Drop.DISTANCE_FAST


def test_a_node_whose_path_changed_is_found_again_within_two_minutes() -> None:
    """All neighbours at once differ from before: who contradicts whom turns round [P181]."""
    vivaldi = settled()
    moved = Coordinate(0.3, 0.3, 0.0, 0.001, 0.05)
    for turn in range(120):
        for key, place in enumerate(PLACES):
            vivaldi.sample(key, place, distance(moved, place), 30.0 + turn + key / 8)
    assert off(vivaldi, 0.3, 0.3) < 0.1


@pytest.mark.parametrize("on", [True, False])
def test_a_queue_on_the_way_is_not_taken_for_distance(on: bool) -> None:
    """[P180]."""
    vivaldi = settled(NONE if on else frozenset({Mechanism.DISTANCE_FILTER}))
    rtt = distance(vivaldi.own, PLACES[2])
    vivaldi.sample(2, PLACES[2], rtt + 0.015, 30.5)
    assert (vivaldi.neighbours[2].rtt == pytest.approx(rtt, rel=0.1)) is on


def test_without_heights_a_coordinate_is_a_point() -> None:
    """[P178]."""
    flat = settled(frozenset({Mechanism.DISTANCE_HEIGHT}))
    assert flat.own.height == pytest.approx(1e-4)
    one = settled(frozenset({Mechanism.DISTANCE_NEIGHBOURS}))
    assert len(one.neighbours) == 1


def folded() -> tuple[Vivaldi, Coordinate]:
    """Return a node at rest on the wrong side of nine hosts, and where one beside it is."""
    vivaldi = Vivaldi(random.Random(1), NONE)
    here = Coordinate(0.0, 0.0, 0.05, 0.001, 0.05)
    beside = here._replace(x=0.0005)
    far = [Coordinate(0.05 * (n % 3 - 1), 0.04 * (n // 3 - 1), 0.0, 0.001, 0.05) for n in range(9)]
    vivaldi.own = here._replace(z=-0.05, error=0.1)
    for turn in range(30):
        for key, place in enumerate([*far, beside]):
            vivaldi.sample(key, place, distance(here, place), turn + key / 10)
    return vivaldi, beside


def test_a_host_at_the_mirror_image_of_its_place_moves_to_its_neighbour() -> None:
    """Hosts of one room, 1 ms apart, were shown 30 ms apart, and others of elsewhere nearer [P178].

    All springs to hosts far away fit on either side of them: what pulled to the right one was the
    short spring to the neighbour alone, so a minute after a boot half of a host's nearest ones
    were of another region.
    """
    vivaldi, beside = folded()
    assert vivaldi.own.z > 0.045
    assert distance(vivaldi.own, beside) < 0.004


def test_who_moved_to_a_neighbour_says_that_it_does_not_know_where_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Others take who moves far while it is sure of itself for a liar [P178, P181]."""
    errors: list[float] = []
    move = Vivaldi._move_to_the_near

    def watched(self: Vivaldi, now: float) -> None:
        before = self.own
        move(self, now)
        if self.own is not before:
            errors.append(self.own.error)

    monkeypatch.setattr(Vivaldi, "_move_to_the_near", watched)
    folded()
    assert errors
    assert min(errors) >= 0.3


def test_one_who_is_near_and_lies_of_its_place_takes_nobody_there() -> None:
    """Its place is tried, and the round trips to all others do not fit it [P178]."""
    vivaldi = settled()
    lie = Coordinate(-0.6, -0.6, 0.6, 0.0, 0.0)
    for turn in range(50):
        vivaldi.sample(99, lie, 0.001, 30.0 + turn / 10)
    assert off(vivaldi) < 0.1


def test_a_few_that_agree_on_a_place_far_away_take_nobody_there() -> None:
    """Unbounded, five misfits of half a second outweighed the round trips to all others [P178]."""
    vivaldi = settled()
    lie = Coordinate(0.6, 0.6, 0.6, 0.001, 0.0)
    for turn in range(10):
        for key in range(5):
            vivaldi.sample(100 + key, lie, 0.02, 30.0 + turn + key / 30)
        for key, place in enumerate(PLACES):
            vivaldi.sample(key, place, distance(HERE, place), 30.0 + turn + (8 + key) / 30)
    assert off(vivaldi) < 0.1


@pytest.mark.parametrize(("rtt", "measured"), [(0.002, 16), (0.08, 32)])
def test_more_members_are_measured_at_once_where_they_are_far_apart(
    rtt: float, measured: int
) -> None:
    """[P180] In one room there is nothing to tell apart; on three continents 16 are too few."""
    distances = Distances(Config(distances=True), random.Random(1), Stats())
    place = pack(Coordinate(0.01, 0.0, 0.0, 0.001, 0.5))
    met = 0
    while distances.is_young(100):
        met += 1
        distances.measured(met, rtt, place, met)
    assert met == measured


def asks(packet: Packet) -> bool:
    return packet.frame.kind == wire.SYN and packet.frame.coordinate == b""


def brings(packet: Packet) -> bool:
    return packet.frame.kind == wire.ACK and bool(packet.frame.coordinate)


def test_exchanges_bring_coordinates_and_cost_eight_bytes_in_the_answer() -> None:
    """[P179]."""
    mesh = Mesh("a", "b", "c", distances=True)
    mesh.settle()
    mesh.run(20)
    questions = [packet for packet in mesh.sent if is_slim(packet.data) and asks(packet)]
    answers = [packet for packet in mesh.sent if is_slim(packet.data) and brings(packet)]
    assert questions
    assert answers
    assert {len(one.data) - 14 * (len(one.frame.rows) // 14) for one in questions} == {31}
    assert {len(one.data) - 14 * (len(one.frame.rows) // 14) for one in answers} == {35}
    a, b = mesh["a"], mesh["b"]
    assert a.distances.rtt(b._local.me.key, mesh.now) is not None
    # On the ring in each fourth exchange, once all are measured.
    mesh.sent.clear()
    mesh.run(60)
    slim = [one for one in mesh.sent if is_slim(one.data) and one.frame.kind == wire.SYN]
    assert 0.15 < sum(map(asks, slim)) / len(slim) < 0.45


def test_who_keeps_no_coordinate_is_asked_for_none_and_asks_for_none() -> None:
    """[P179]."""
    mesh = Mesh("a", "b")
    mesh.add("near", distances=True)
    mesh.settle()
    mesh.run(20)
    assert not any(asks(packet) or brings(packet) for packet in mesh.sent)
    assert mesh["near"].distances.own is None
    assert mesh["a"].distances.own_bytes() is None


@pytest.mark.parametrize("on", [True, False])
def test_a_newcomer_exchanges_with_another_one_in_each_interval(on: bool) -> None:
    """[P180]."""
    without = NONE if on else frozenset({Mechanism.DISTANCE_YOUNG})
    names = [f"n{number:02}" for number in range(24)]
    mesh = Mesh(*names, distances=True, without=without)
    mesh.settle()
    mesh.run(20)
    met = [mesh[name].distances._vivaldi.met for name in names]
    assert (min(met) >= 12) is on


def test_a_slim_answer_without_its_coordinate_is_refused() -> None:
    """Its rows would be read as a coordinate otherwise [P179]."""
    keys, beats = (5, 7), (1, 1)
    whole = encode(COORDINATES[wire.ACK], keys, 8, 0, beats, bytes(8))
    assert decode_slim_untrusted(whole, 7, (), lambda _: True).coordinate == bytes(8)
    for size in range(8):
        short = encode(COORDINATES[wire.ACK], keys, 8, 0, beats, bytes(size))
        with pytest.raises(Refused):
            decode_slim_untrusted(short, 7, (), lambda _: True)


@pytest.mark.parametrize("value", [nan, inf, 1e20, b"1234567", b"123456789", [1, 2, 3], None, "x"])
def test_anything_but_eight_bytes_is_refused_as_an_option(value: object) -> None:
    """[P179] As a light year is: there is no room for one."""
    import cbor2

    data = wire.encode(
        b"tag!", wire.ACK, 5, 7, 8, 0, 1, 1, b"", cbor2.dumps({wire.OPT_WHERE: value})
    )
    with pytest.raises(Refused) as caught:
        wire.decode_untrusted(data, b"tag!")
    assert caught.value.reason in (Drop.BAD_OPTION, Drop.MALFORMED)


def test_a_member_tells_its_coordinate_when_it_is_asked() -> None:
    """[P182] A member that is met once in an hour was not known; `rtt` asks it."""
    mesh = Mesh("a", "b", distances=True)
    mesh.add("none", distances=False)
    mesh.settle()
    mesh.run(10)
    found: list[Answered] = []
    a = mesh["a"]
    a.questions.asking.place(["b", "none", "nobody"], 1.0, found.append, mesh.now)
    mesh.run(1.5)
    by_name = {one.name: one for one in found}
    assert by_name["b"].outcome is Outcome.DONE
    told = place_in(by_name["b"].facts)
    known = a.distances.of(mesh["b"]._local.me.key, mesh.now)
    assert known is not None
    assert known[0] == unpack(told or b"")
    assert by_name["none"].outcome is Outcome.NOT_ALLOWED
    assert by_name["nobody"].outcome is Outcome.UNKNOWN_MEMBER


@pytest.mark.parametrize("facts", [[], [b"1234567"], [b"123456789"], [1.5], ["12345678"], [None]])
def test_an_answer_that_is_no_place_is_none(facts: list[object]) -> None:
    """[P182]."""
    assert place_in(facts) is None


class _Watched(dict[int, bytes]):
    """What a thread that reads at the worst moment sees: each time that a key goes."""

    def __init__(self) -> None:
        super().__init__()
        self.gone: list[int] = []

    def pop(self, key: int, *default: object) -> object:
        if key in self:
            self.gone.append(key)
        return super().pop(key, *default)

    def __delitem__(self, key: int) -> None:
        self.gone.append(key)
        super().__delitem__(key)


def told_to(most: int) -> Distances:
    return Distances(Config(distances=True, max_members=most), random.Random(1), Stats())


def test_a_coordinate_that_is_told_again_is_never_missing_meanwhile() -> None:
    """It was taken out and put back.

    A pick in another thread that looked between the two put the member's hosts last [P183].
    """
    distances, watched = told_to(16), _Watched()
    distances._told = watched
    for at in range(3):
        distances.told(7, pack(Coordinate(0.01 * at, 0.0, 0.0, 1e-5, 0.1)), float(at))
    assert watched.gone == []
    found = distances.of(7, 5.0)
    assert found is not None
    assert found[0].x == pytest.approx(0.02)
    assert found[1] == 3.0


def test_what_was_told_longest_ago_is_forgotten_first() -> None:
    """However many names come and go, no more coordinates are kept than members may be."""
    distances, place = told_to(16), pack(Coordinate(0.0, 0.0, 0.0, 1e-5, 0.1))
    for key in range(16):
        distances.told(key, place, float(key))
    distances.told(0, place, 20.0)
    before = distances._told
    for key in range(16, 40):
        distances.told(key, place, float(key + 10))
        assert len(distances._told) <= 16
        assert distances.of(key, 99.0) is not None
    assert 0 in before, "who reads the old ones goes on reading them"
    assert distances.of(1, 99.0) is None
    assert distances.of(39, 99.0) is not None
    distances = told_to(16)
    for key in range(17):
        distances.told(key, place, float(-key))
    assert distances.of(0, 99.0) is not None
    assert distances.of(15, 99.0) is None
