"""A node's own record: one page a change, entries that stay where they are, nothing lost."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossipmm.config import Config
from gossipmm.core.table.self_record import SelfRecord
from gossipmm.core.values.types import EntryState, NodeState, Registration
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import MAX_PAGE, Page, page_untrusted
from tests.helpers import Mesh, held, picks

UP, DRAINING = EntryState.UP, EntryState.DRAINING
HERE = (("127.0.0.1", 7946),)


def record(name: str = "a") -> SelfRecord:
    return SelfRecord(Config(), name, 1 << 50, HERE)


def test_a_typical_node_has_two_pages() -> None:
    """[P2]."""
    own = record()
    for topic in ("compute", "scheduler", "storage"):
        own.set(topic, "host-1", None, UP)
    assert [page.number for page in own.all_pages()] == [0, 1]


def test_a_thousand_registrations_take_about_fifty_pages_and_a_change_sends_one() -> None:
    """What a large record costs is a page a change [P2]."""
    own = record("host-17.rack-4.example")
    for index in range(1000):
        assert len(own.set(f"service-{index:04}", "worker-1.rack-4.example", {"v": 1}, UP)) == 1
    assert len(own.registrations()) == 1000
    pages = own.all_pages()
    assert 40 <= len(pages) <= 60
    assert all(len(page_untrusted(page.raw).raw) <= MAX_PAGE for page in pages)
    changed = own.set("service-0500", "worker-1.rack-4.example", {"v": 2}, UP)
    assert len(changed) == 1
    removed = own.remove("service-0501", "worker-1.rack-4.example")
    assert removed is not None
    assert own.remove("service-0501", "worker-1.rack-4.example") is None


def test_a_change_on_a_node_with_a_thousand_registrations_pushes_one_page() -> None:
    mesh = Mesh("a", "b", "c")
    for index in range(1000):
        mesh["a"].register(f"t{index}", "h", {"m": "x" * 30}, now=mesh.now)
    mesh.settle()
    mesh.run(2)
    assert held(mesh["c"], "a").versions == held(mesh["a"], "a").versions
    mesh.sent.clear()
    mesh["a"].register("t500", "h", {"m": "y" * 30}, now=mesh.now)
    mesh.run(0.2)
    own = {raw for packet in mesh.sent for raw in packet.pages}
    assert len(own) == 1
    for name in "bc":
        view = mesh[name].table.topic("t500")
        assert view is not None
        assert view.entries["h"].metadata == {"m": "y" * 30}


def test_the_same_registration_again_changes_nothing_on_the_wire() -> None:
    """A renewal is between a program and its own agent."""
    own = record()
    assert own.set("t", "h", {"b": 1, "a": "x"}, UP)
    assert own.set("t", "h", {"a": "x", "b": 1}, UP) == []
    assert own.set("t", "h", {"a": "x", "b": True}, UP) != []  # to Python 1 == True
    assert own.set("t", "h", {"a": "x", "b": True}, DRAINING) != []


def test_versions_rise_over_the_whole_record() -> None:
    """[P3]."""
    own = record()
    pages = [own.page_zero(), *own.set("t", "h", None, UP), own.set_state(NodeState.DRAINING)]
    last = own.remove("t", "h")
    assert last is not None
    versions = [page.version for page in (*pages, last)]
    assert versions == sorted(set(versions))


def test_an_emptied_page_stays_and_is_used_again() -> None:
    """Removing a page would need a tombstone; an empty one needs nothing [P4]."""
    own = record()
    own.set("t", "h", None, UP)
    emptied = own.remove("t", "h")
    assert emptied is not None
    assert (emptied.number, emptied.entries) == (1, ())
    assert [page.number for page in own.all_pages()] == [0, 1]
    again = own.set("u", "h", None, UP)
    assert [page.number for page in again] == [1]


def test_an_entry_that_outgrows_its_page_is_in_its_new_page_before_it_leaves_the_old_one() -> None:
    """[P4]."""
    own = record()
    for index in range(9):
        own.set(f"t{index}", "h", {"m": "x" * 80}, UP)
    first, second = own.set("t4", "h", {"m": "x" * 700}, UP)
    assert first.number != second.number == 1
    assert first.version < second.version
    names = [{(e.topic, e.host) for e in page.entries} for page in (first, second)]
    assert ("t4", "h") in names[0]
    assert ("t4", "h") not in names[1]
    assert len(own.registrations()) == 9


@pytest.mark.parametrize("loses", [0, 1, None])
def test_no_holder_ever_lacks_an_entry_that_moves(loses: int | None) -> None:
    """Whichever of the two pages is lost, a holder of either one still lists the entry [P4]."""
    mesh = Mesh("a")
    x = mesh.puppet("x").introduce("a")
    x.say("a", pages=[x.page(1, Registration("t", "h", UP, {"v": 1}), Registration("u", "h"))])
    moved = x.page(2, Registration("t", "h", UP, {"v": 2}))
    emptied = x.page(1, Registration("u", "h"))
    pages = [moved, emptied]
    if loses is not None:
        del pages[loses]
    for page in pages:
        x.say("a", pages=[page])
        if page is moved:
            view = mesh["a"].table.topic("t")
            assert view is not None
            assert view.entries["h"].metadata == {"v": 2}
    assert (mesh["a"].table.topic("t") is None) == (loses == 0)


def test_a_new_generation_has_the_same_registrations_at_new_versions() -> None:
    """[P18]."""
    own = record()
    own.set("t", "h", None, UP)
    own.heartbeat = 77
    own.acknowledged = True
    pages = own.begin((1 << 50) + 5)
    assert {page.generation for page in pages} == {(1 << 50) + 5}
    assert [entry.topic for page in pages for entry in page.entries] == ["t"]
    assert own.heartbeat == 1
    assert not own.acknowledged


def test_renewals_of_a_ttl_send_nothing_and_its_end_sends_one_page() -> None:
    """[P11]."""
    mesh = Mesh("a", "b")
    mesh.settle()
    mesh["a"].register("t", "h", ttl=2.0, now=mesh.now)
    mesh.run(1.5)
    mesh.sent.clear()
    mesh["a"].register("t", "h", ttl=2.0, now=mesh.now)
    mesh.run(1.5)
    assert mesh["a"].renew("t", "h", now=mesh.now)
    mesh.run(1.5)
    assert mesh["a"].ack_alive("t", "h", now=mesh.now)
    mesh.run(1.9)
    assert not [packet for packet in mesh.sent if packet.pages]
    assert picks(mesh["b"], "t") == ("h",)
    mesh.run(0.2)
    assert "t" not in mesh["b"].table.topics
    assert len({raw for packet in mesh.sent for raw in packet.pages}) == 1


CHANGES = st.lists(
    st.tuples(st.sampled_from("tuvw"), st.sampled_from("hijk"), st.integers(-1, 740)), max_size=40
)


@settings(max_examples=60)
@given(CHANGES)
def test_after_any_changes_the_pages_list_exactly_what_is_registered(
    changes: list[tuple[str, str, int]],
) -> None:
    """Also: no page above its limit, none ever goes away, only pages told as changed change."""
    own = record()
    wanted: dict[tuple[str, str], dict[str, object]] = {}
    pages: dict[int, Page] = {}
    for topic, host, size in changes:
        if size < 0:
            wanted.pop((topic, host), None)
            changed = [page] if (page := own.remove(topic, host)) else []
        else:
            wanted[topic, host] = {"m": "x" * size}
            changed = own.set(topic, host, wanted[topic, host], UP)
        assert len(changed) <= 2
        for page in changed:
            assert page.number not in pages or page.version > pages[page.number].version
            pages[page.number] = page_untrusted(page.raw)
        entries = [entry for page in pages.values() for entry in page.entries]
        assert {(e.topic, e.host): e.metadata for e in entries} == wanted
        assert len(entries) == len(wanted)
        assert {(e.topic, e.host) for e in own.registrations()} == set(wanted)


def test_what_the_node_says_of_itself_is_in_page_zero() -> None:
    mesh = Mesh("a", "b", metadata={"rack": "r7"})
    mesh.settle()
    member = mesh["b"].member("a")
    assert member is not None
    assert member.metadata == {"rack": "r7"}
    assert mesh["a"].drain(now=mesh.now) == 1
    assert mesh["a"].drain(now=mesh.now) == 0
    mesh.run(0.1)
    assert held(mesh["b"], "a").node_state is NodeState.DRAINING
    kinds = {p.frame.kind for p in mesh.sent if p.pages and p.source == mesh["a"].addresses[0]}
    assert wire.NEWS in kinds
