"""What one member changes of its own record all the time is taken now and then [P148]."""

from __future__ import annotations

from gossipmm.core.table.changes import Changes
from gossipmm.core.table.member import Member
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import NodeState, Registration, Status
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import Page, encode_page_zero
from tests.helpers import Mesh, dropped, held
from tests.puppets import Puppet

#: As in ``changes.py``.
FLOOR, RECORDS, REFILL = 65_536, 4, 30.0
#: Hosts in a page, 900 bytes.
HOSTS = 40


def _page(x: Puppet, number: int, version: int) -> Page:
    hosts = [f"h{version:04d}-{number}-{place}" for place in range(HOSTS)]
    return x.page(number, *(Registration("topic", host) for host in hosts), version=version)


def _write(x: Puppet, pages: int, version: int) -> None:
    """Say as many pages again, each with other hosts."""
    for number in range(1, pages + 1):
        x.say("a", pages=[_page(x, number, version)])


def _mesh() -> tuple[Mesh, Puppet, list[Puppet]]:
    mesh = Mesh("a")
    x, *others = mesh.puppets("x", "y0", "y1", "y2", "y3", "y4")
    mesh.run(1)
    mesh.sent.clear()
    return mesh, x, others


def test_who_writes_its_record_again_and_again_has_others_send_little() -> None:
    """115 kB/s of tables from one insider had the first that heard it send 416 kB/s."""
    mesh, x, _ = _mesh()
    began = mesh.now
    said = 0
    for version in range(1000, 1400):
        _write(x, 4, version)
        said += 4 * 900
        mesh.run(0.05)
    member = held(mesh["a"], "x")
    taken = FLOOR + RECORDS * member.size
    taken *= 1 + (mesh.now - began) / REFILL
    told = sum(len(one.data) for one in mesh.sent)
    assert said > 1_400_000
    assert dropped(mesh["a"], Drop.CHANGES) > 1000
    assert told <= 8 * 1.3 * taken
    assert member.status is Status.ALIVE


def test_the_latest_state_comes_once_it_has_stopped() -> None:
    """It is asked for when tables are compared, and only once all of it can be taken."""
    mesh, x, others = _mesh()
    for version in range(1000, 1100):
        _write(x, 4, version)
    member = held(mesh["a"], "x")
    wanted = [_page(x, number, 9000) for number in range(1, 5)]
    told = Member("x", x.generation, x.key)
    for page in (x.page_zero(), *wanted):
        told.put(page)
    row = wire.digest_row(x.key, 9, wire.ALIVE, 0, told.page_hash_bytes())
    asked: list[int] = []
    for second in range(30):
        before = len(others[0].heard)
        others[0].say("a", options={wire.OPT_DIGEST: [0, b"", row, 2]})
        mesh.run(1)
        if any(wire.OPT_WANT in frame.options for frame in others[0].heard[before:]):
            asked.append(second)
            break
    assert asked
    assert 0 < asked[0] <= 8
    for page in wanted:
        others[0].say("a", pages=[page], options={wire.OPT_MORE: []})
    assert member.pages[4].version == 9000


def test_that_it_left_is_believed_of_who_changed_too_much() -> None:
    mesh, x, _ = _mesh()
    for version in range(1000, 1100):
        _write(x, 4, version)
    page = encode_page_zero("x", x.generation, 2000, NodeState.DRAINING, x.addresses, {})
    x.say("a", pages=[page])
    assert held(mesh["a"], "x").node_state is NodeState.UP
    page = encode_page_zero("x", x.generation, 2001, NodeState.LEFT, x.addresses, {})
    x.say("a", pages=[page])
    assert held(mesh["a"], "x").status is Status.LEFT


def test_a_record_is_written_four_times_at_once_however_large_it_is() -> None:
    """1,000 registrations one by one write each page several times: nothing of that waits."""
    mesh, x, _ = _mesh()
    for version in range(1000, 1004):
        _write(x, 40, version)
    assert dropped(mesh["a"], Drop.CHANGES) == 0
    assert held(mesh["a"], "x").pages[40].version == 1003


def test_what_changed_is_forgiven_with_time_and_remembered_of_so_many() -> None:
    changes = Changes()
    mesh, x, _ = _mesh()
    page = _page(x, 1, 5)
    member = held(mesh["a"], "x")
    most = FLOOR + RECORDS * member.size
    while changes.may_be_taken(member, page, 100.0):
        changes.taken(member, page, 100.0)
    later = 100.0 + REFILL * 1.5 * len(page.raw) / most
    assert changes.may_be_taken(member, page, later)
    changes.taken(member, page, later)
    assert not changes.may_be_taken(member, page, later)
    assert not changes.has_room(member, later)
    assert changes.has_room(member, later + REFILL)
    for key in range(1, 1100):
        changes.taken(Member("other", 1, key), page, later)
    assert changes.may_be_taken(member, page, later)
