"""The table: which pages count, what the fingerprint says, what stays closed, what is too much."""

from __future__ import annotations

import random
from typing import Any

import pytest

from gossipmm.config import Config
from gossipmm.core.table.member import Member
from gossipmm.core.table.table import Put, Table
from gossipmm.core.values.evidence_time import first_hand
from gossipmm.core.values.stats import Drop, Stats
from gossipmm.core.values.types import NodeState, Registration, Status
from gossipmm.core.wire.pages import Page, encode_entry, encode_page, encode_page_zero

BORN = 1 << 40


def table(**fields: Any) -> Table:
    return Table(Config(**fields), Stats())


def zero(
    name: str = "x",
    version: int = 1,
    *,
    generation: int = BORN,
    state: NodeState = NodeState.UP,
) -> Page:
    return encode_page_zero(name, generation, version, state, (("127.0.0.1", 7946),), {})


def page(
    name: str, number: int, version: int, *topics: str, generation: int = BORN, host: str = "h"
) -> Page:
    entries = [Registration(topic, host) for topic in topics]
    pairs = [(entry, encode_entry(entry)) for entry in entries]
    return encode_page(name, generation, number, version, pairs)


def alive(table: Table, name: str, beat: int = 1) -> Member:
    member = table.by_name[name]
    member.hear_alive(beat, first_hand(0.0))
    table.refresh(member, 0.0)
    return member


def outcome(table: Table, page: Page) -> Put:
    return table.put(page, 0.0)[0]


def picked(table: Table, topic: str) -> tuple[str, ...]:
    return table.topics[topic].picks


def test_the_highest_version_of_each_page_counts() -> None:
    """[P3]."""
    held = table()
    assert outcome(held, zero()) is Put.NEW
    assert outcome(held, page("x", 1, 5, "t")) is Put.NEW
    assert outcome(held, page("x", 1, 5, "t")) is Put.KNOWN
    assert outcome(held, page("x", 1, 4, "u")) is Put.KNOWN
    assert outcome(held, page("x", 2, 3, "v")) is Put.NEW
    assert held.by_name["x"].versions == {0: 1, 1: 5, 2: 3}


def test_a_higher_generation_takes_the_old_registrations_out_at_once() -> None:
    """Even before anything else of the new life is here [P15]."""
    held = table()
    held.put(zero(), 0.0)
    held.put(page("x", 1, 2, "t"), 0.0)
    alive(held, "x")
    held.publish()
    assert picked(held, "t") == ("h",)
    assert outcome(held, page("x", 3, 9, "u", generation=BORN + 1)) is Put.NEW
    held.publish()
    assert "t" not in held.topics
    assert picked(held, "u") == ()
    assert held.by_name["x"].status is Status.UNKNOWN
    assert held.fingerprint == 0
    assert outcome(held, page("x", 1, 99, "t")) is Put.OLDER
    assert held.by_name["x"].generation == BORN + 1


def test_a_record_without_page_zero_is_in_no_lookup_and_in_no_fingerprint() -> None:
    """[P7]."""
    held = table()
    held.put(page("x", 1, 2, "t"), 0.0)
    alive(held, "x")
    held.publish()
    assert picked(held, "t") == ()
    assert (held.fingerprint, len(held.peers)) == (0, 0)
    held.put(zero(), 0.0)
    held.publish()
    assert picked(held, "t") == ("h",)
    assert len(held.peers) == 1


# -- the fingerprint ---------------------------------------------------------------------------


def full(order: list[int], **fields: Any) -> Table:
    held = table(**fields)
    pages = [zero("x"), page("x", 1, 2, "t"), zero("y"), page("y", 1, 2, "t"), zero("z")]
    for index in order:
        held.put(pages[index], 0.0)
    for name in "xyz":
        alive(held, name)
    return held


def test_the_fingerprint_does_not_depend_on_the_order_of_arrival() -> None:
    prints = set()
    for seed in range(20):
        order = list(range(5))
        random.Random(seed).shuffle(order)
        prints.add(full(order).fingerprint)
    assert len(prints) == 1
    assert 0 not in prints


def test_the_fingerprint_is_keyed_by_the_cluster() -> None:
    """[P52]."""
    assert full([0, 1, 2, 3, 4]).fingerprint != full([0, 1, 2, 3, 4], cluster="b").fingerprint


def test_the_fingerprint_has_the_state_of_a_member_and_not_its_heartbeat() -> None:
    """Else it would differ all the time, and tell nothing [P52]."""
    held = full([0, 1, 2, 3, 4])
    first = held.fingerprint
    x = alive(held, "x", beat=50)
    assert held.fingerprint == first
    x.hear_suspect(50)
    held.refresh(x, 1.0)
    suspect = held.fingerprint
    assert suspect != first
    x.hear_suspect(60)
    held.refresh(x, 2.0)
    assert held.fingerprint == suspect
    alive(held, "x", beat=61)
    assert held.fingerprint == first


def test_draining_is_in_the_fingerprint() -> None:
    """[P52]."""
    held = full([0, 1, 2, 3, 4])
    first = held.fingerprint
    held.put(zero("x", 7, state=NodeState.DRAINING), 1.0)
    assert held.fingerprint != first


@pytest.mark.parametrize("how", ["dead", "left", "removed"])
def test_the_dead_and_the_left_are_not_in_the_fingerprint(how: str) -> None:
    """Some remember them longer than others [P52]."""
    held = full([0, 1, 2, 3, 4])
    without = table()
    for one in (zero("y"), page("y", 1, 2, "t"), zero("z")):
        without.put(one, 0.0)
    alive(without, "y")
    alive(without, "z")
    x = held.by_name["x"]
    if how == "dead":
        x.hear_suspect(1)
        x.declare_dead(1.0)
        held.refresh(x, 1.0)
    elif how == "left":
        held.put(zero("x", 9, state=NodeState.LEFT), 1.0)
    else:
        held.remove(x, 1.0)
    assert held.fingerprint == without.fingerprint


def test_any_change_of_a_page_changes_the_fingerprint() -> None:
    held = full([0, 1, 2, 3, 4])
    seen = {held.fingerprint}
    for version, number in ((5, 1), (6, 1), (7, 2), (8, 0)):
        new = page("x", number, version, "t") if number else zero("x", version)
        held.put(new, 0.0)
        assert held.fingerprint not in seen
        seen.add(held.fingerprint)
    assert held.changed_at == 0.0


def test_an_emptied_page_is_told_from_one_that_never_was() -> None:
    one, two = table(), table()
    for held in (one, two):
        held.put(zero(), 0.0)
        alive(held, "x")
    two.put(page("x", 1, 2), 0.0)
    assert one.fingerprint != two.fingerprint


# -- limits ------------------------------------------------------------------------------------


def test_members_beyond_the_limit_are_refused_and_counted() -> None:
    """[P105]."""
    held = table(max_members=2)
    assert [outcome(held, zero(name)) for name in "xyz"] == [Put.NEW, Put.NEW, Put.REFUSED]
    assert held._stats.dropped == {Drop.MAX_MEMBERS: 1}
    assert outcome(held, zero("x", generation=BORN + 1)) is Put.NEW  # a restart is no new member
    held.remove(held.by_name["y"], 0.0)
    assert outcome(held, zero("z")) is Put.NEW


def test_registrations_beyond_the_limit_are_refused_page_by_page() -> None:
    """[P105]."""
    held = table(max_registrations=3)
    held.put(zero(), 0.0)
    assert outcome(held, page("x", 1, 2, "t", "u")) is Put.NEW
    assert outcome(held, page("x", 2, 3, "v", "w")) is Put.REFUSED
    assert outcome(held, page("x", 1, 4, "t", "u", "v", "w")) is Put.REFUSED
    assert held._stats.dropped == {Drop.MAX_REGISTRATIONS: 2}
    assert outcome(held, page("x", 2, 5, "v")) is Put.NEW
    assert outcome(held, page("x", 1, 6, "t")) is Put.NEW
    assert held.by_name["x"].versions == {0: 1, 1: 6, 2: 5}


def test_pages_without_entries_are_bounded_too() -> None:
    """Else one sender could make a holder keep 65,535 empty pages of each name."""
    held = table(max_registrations=3)
    held.put(zero(), 0.0)
    results = [outcome(held, page("x", number, number + 1)) for number in range(1, 10)]
    assert results[0] is Put.NEW
    assert results[-1] is Put.REFUSED
    assert len(held.by_name["x"].pages) <= 5


# -- closed generations ------------------------------------------------------------------------


def test_a_closed_generation_and_every_lower_one_is_refused_for_good() -> None:
    """Promise 3: reaping closes generations [P47]."""
    held = table()
    held.put(zero(generation=BORN + 5), 0.0)
    key = held.by_name["x"].key
    held.remove(held.by_name["x"], 0.0)
    assert held.close("x", BORN + 5)
    assert not held.close("x", BORN + 5)
    assert not held.close("x", BORN)
    for generation in (BORN, BORN + 5):
        assert outcome(held, zero(generation=generation)) is Put.CLOSED
    assert held._stats.dropped == {Drop.CLOSED_GENERATION: 2}
    assert held.minimum_of_key(key) == ("x", BORN + 5)
    assert outcome(held, zero(generation=BORN + 6)) is Put.NEW
    assert held.close("x", BORN + 6)
    assert held.minimum_of_key(key) is None  # the higher one says it all
    assert held.minimum_generations == {"x": BORN + 6}


def test_closed_generations_are_bounded_the_oldest_goes_first_and_is_counted() -> None:
    """[P47]."""
    held = table(max_closed_generations=3)
    for index in range(5):
        held.close(f"n{index}", BORN)
    assert list(held.minimum_generations) == ["n2", "n3", "n4"]
    assert held._stats.dropped == {Drop.CLOSED_FORGOTTEN: 2}
    held.close("n2", BORN + 1)
    held.close("n5", BORN)
    assert list(held.minimum_generations) == ["n4", "n2", "n5"]


def test_no_floors_means_none() -> None:
    held = table(max_closed_generations=0)
    assert not held.close("x", BORN)
    assert held.minimum_generations == {}


# -- joined ------------------------------------------------------------------------------------


def test_a_table_with_nobody_to_agree_with_is_joined() -> None:
    """[P80]."""
    assert table().joined
    assert not table(join=("seed:7946",)).joined
