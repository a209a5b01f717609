"""Pages with something in them that a later version wrote: kept, passed on, and never in a pick."""

from __future__ import annotations

import random
from typing import Any

import cbor2
import pytest

from gossipmm.core.table.self_record import SelfRecord
from gossipmm.core.values.types import EntryState, HostState
from gossipmm.core.wire.pages import (
    MAX_ENTRIES_NUMBER,
    MAX_OWN_PAGE_ZERO,
    MAX_PAGE_NUMBER,
    MAX_PAGE_ZERO,
    Page,
    page_untrusted,
)
from gossipmm.errors import LimitError
from tests.helpers import Mesh, held, picks
from tests.puppets import Puppet


def later_page(x: Puppet, number: int, *fields: Any) -> Page:
    version = x.page(1).version
    return page_untrusted(cbor2.dumps([x.name, x.generation, number, version, *fields]))


@pytest.mark.parametrize("code", [4, 5, 7, 255, 2**40])
def test_an_entry_state_that_is_not_known_takes_no_other_entry_out_of_lookups(code: int) -> None:
    """The whole page was refused, and with it all registrations in it [P123]."""
    mesh = Mesh("a", "b", "c")
    mesh.settle()
    (x,) = mesh.puppets("x")
    page = later_page(x, 1, [["t", "h1"], ["t", "h2", code], ["u", "h3", code, {"m": 1}]])
    assert [entry.state for entry in page.entries] == [
        EntryState.UP,
        EntryState.UNKNOWN,
        EntryState.UNKNOWN,
    ]
    x.say("a", pages=[page])
    mesh.run(0.5)
    for name in mesh.names():
        assert held(mesh[name], "x").pages[1].raw == page.raw
        assert picks(mesh[name], "t") == ("h1",)
        assert picks(mesh[name], "u") == ()
        topic = mesh[name].table.topics["t"]
        assert topic.fanout == ("h1",)
        assert topic.entries["h2"].state is HostState.UNKNOWN
    assert mesh.agreed()


def test_what_another_owner_says_of_the_host_counts_before_a_state_that_is_not_known() -> None:
    """[P8, P123]."""
    mesh = Mesh("a")
    x, y = mesh.puppets("x", "y")
    x.say("a", pages=[later_page(x, 1, [["t", "h", 4]])])
    y.say("a", pages=[later_page(y, 1, [["t", "h"]])])
    mesh.run(0.1)
    assert picks(mesh["a"], "t") == ("h",)
    y.say("a", pages=[later_page(y, 1, [])])
    mesh.run(0.1)
    assert picks(mesh["a"], "t") == ()
    assert mesh["a"].table.topics["t"].entries["h"].state is HostState.UNKNOWN


@pytest.mark.parametrize("fields", [([],), ([], {"key": b"k" * 32}, 7), ({"no": "list"},), (1, 2)])
def test_the_page_kept_free_is_passed_on_unread(fields: tuple[Any, ...]) -> None:
    """[P124]."""
    mesh = Mesh("a", "b", "c")
    mesh.settle()
    (x,) = mesh.puppets("x")
    page = later_page(x, MAX_PAGE_NUMBER, *fields)
    assert page.entries == ()
    x.say("a", pages=[page])
    mesh.run(0.5)
    assert all(held(mesh[name], "x").pages[MAX_PAGE_NUMBER].raw == page.raw for name in "abc")
    assert mesh.agreed()
    mesh.add("late")
    mesh.until(lambda: "x" in mesh["late"].table.by_name, within=5)
    mesh.settle()
    assert held(mesh["late"], "x").pages[MAX_PAGE_NUMBER].raw == page.raw


def test_the_page_kept_free_makes_no_record_complete() -> None:
    """[P124, P7]."""
    mesh = Mesh("a")
    x = mesh.puppet("x")
    x.say("a", pages=[later_page(x, MAX_PAGE_NUMBER, [])])
    assert not held(mesh["a"], "x").complete


def test_the_page_kept_free_counts_as_no_registration() -> None:
    """[P124]."""
    mesh = Mesh("a", max_registrations=2)
    (x,) = mesh.puppets("x")
    for page in (later_page(x, 1, [["t", "h"]]), later_page(x, MAX_PAGE_NUMBER, [])):
        x.say("a", pages=[page])
    last = later_page(x, MAX_PAGE_NUMBER, [], 1)
    x.say("a", pages=[last, x.page_zero(version=x.page(1).version)])
    member = held(mesh["a"], "x")
    assert member.pages[MAX_PAGE_NUMBER].raw == last.raw
    assert member.pages[0].version == last.version + 1
    assert picks(mesh["a"], "t") == ("h",)


def test_a_large_record_with_the_page_kept_free_is_repaired_too() -> None:
    """Parts of it went by page numbers: nearly all of 656 of them would have been empty [P56]."""
    mesh = Mesh("a", "b", "c")
    mesh.settle()
    (x,) = mesh.puppets("x")
    pages = [later_page(x, number, [[f"t{number}", "h"]]) for number in range(1, 250)]
    pages.append(later_page(x, MAX_PAGE_NUMBER, []))
    for name in "abc":
        for start in range(0, len(pages), 10):
            x.say(name, pages=pages[start : start + 10], options={7: []})
    newer = [later_page(x, number, [[f"u{number}", "h"]]) for number in (3, 120, 249, 65535)]
    for page in random.Random(1).sample(newer, len(newer)):
        x.say("a", pages=[page], options={7: []})
    mesh.settle(within=20)
    assert all(picks(mesh[name], "u249") == ("h",) for name in "abc")


def test_page_zero_is_read_up_to_500_bytes_and_written_up_to_400() -> None:
    """Wire version 1 refuses more than that [P124, P104]."""
    mesh = Mesh("a", "b")
    mesh.settle()
    (x,) = mesh.puppets("x")
    page = later_page(x, 0, 0, [["10.9.9.9", 7946]], {}, None, 2, b"signature" * 50)
    assert MAX_OWN_PAGE_ZERO < len(page.raw) <= MAX_PAGE_ZERO
    x.say("a", pages=[page])
    mesh.run(0.2)
    assert held(mesh["b"], "x").pages[0].raw == page.raw
    with pytest.raises(LimitError, match="more than the 400 allowed"):
        Mesh("z", metadata={"m": "x" * 380})


def test_registrations_never_reach_the_page_kept_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """[P2, P124]."""
    assert MAX_ENTRIES_NUMBER == MAX_PAGE_NUMBER - 1
    monkeypatch.setattr("gossipmm.core.table.self_record.MAX_ENTRIES_NUMBER", 3)
    own = SelfRecord(Mesh().config, "a", 1 << 40, (("127.0.0.1", 7946),))
    large = {"m": "x" * 700}
    for number in range(3):
        own.set("t", f"h{number}", large, EntryState.UP)
    own.set("t", "small", None, EntryState.UP)
    before = own.registrations()
    for host, metadata in (("h3", large), ("small", large)):
        with pytest.raises(LimitError, match="there are no more"):
            own.set("t", host, metadata, EntryState.UP)
    assert own.registrations() == before
    assert [page.number for page in own.all_pages()] == [0, 1, 2, 3]
