"""Views of large topics: what readers see is the same, and a change costs a part of it [P9]."""

from __future__ import annotations

import random
import threading
from itertools import islice

import pytest

from gossipmm.config import Config
from gossipmm.core.table.publishing import AT_ONCE, BURST, RATE
from gossipmm.core.table.table import Table
from gossipmm.core.values.events import HostChanged
from gossipmm.core.values.evidence_time import first_hand
from gossipmm.core.values.hosts import Entries, Hosts
from gossipmm.core.values.stats import Stats
from gossipmm.core.values.types import (
    NO_METADATA,
    EntryState,
    HostState,
    NodeState,
    Registration,
    TopicView,
)
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import Page, encode_entry, encode_page, encode_page_zero
from tests.bench.large_scene import LargeScene
from tests.helpers import Mesh

GENERATION = 1 << 16
EVERYTHING = Config(max_registrations=1_000_000, max_record=1 << 30, max_table=1 << 30)


def zero(name: str, version: int = 1, state: NodeState = NodeState.UP) -> Page:
    return encode_page_zero(name, GENERATION, version, state, (("127.0.0.1", 1),), NO_METADATA)


def page(name: str, number: int, version: int, entries: list[Registration]) -> Page:
    written = [(entry, encode_entry(entry)) for entry in entries]
    return encode_page(name, GENERATION, number, version, written)


def put(table: Table, *pages: Page) -> None:
    """Put pages into a table, their member alive."""
    for one in pages:
        _, member = table.put(one, 1.0)
        assert member is not None
        member.hear_alive(1, first_hand(1.0))
        table.refresh(member, 1.0)


def table_of(hosts: int, owners: int = 4) -> Table:
    """Give a table with so many hosts of topic ``t``, by a few members."""
    table = Table(EVERYTHING, Stats())
    for owner in range(owners):
        name = f"owner-{owner}"
        put(table, zero(name))
        mine = [Registration("t", f"host-{one:06}") for one in range(owner, hosts, owners)]
        for number in range(0, len(mine), 40):
            put(table, page(name, number // 40 + 1, 2, mine[number : number + 40]))
    table.publish()
    return table


def expected(table: Table) -> TopicView:
    """Work the view of ``t`` out anew, from what the records say."""
    states: dict[str, list[HostState]] = {}
    for member in table.by_name.values():
        pages = sorted(member.pages.values(), key=lambda one: (one.version, one.number))
        for entry in {one.host: one for page in pages for one in page.entries}.values():
            draining = NodeState.DRAINING in (member.node_state, int(entry.state))
            state = HostState.DRAINING if draining else HostState.LIVE
            if member.suspected and not draining:
                state = HostState.SUSPECT
            states.setdefault(entry.host, []).append(state)
    best = {host: min(those) for host, those in sorted(states.items())}
    live = tuple(host for host, state in best.items() if state is HostState.LIVE)
    fanout = tuple(host for host, state in best.items() if state <= HostState.SUSPECT)
    return TopicView("t", live or fanout, fanout, best)  # type: ignore[arg-type]


def states(view: TopicView) -> dict[str, HostState]:
    return {host: entry.state for host, entry in sorted(view.entries.items())}


@pytest.mark.parametrize("seed", range(4))
def test_readers_of_a_large_topic_see_what_its_records_say(seed: int) -> None:
    """Hosts come and go in sections that are divided and dropped, in every state that there is."""
    rng = random.Random(seed)
    table = table_of(600)
    for version in range(3, 60):
        owner = f"owner-{rng.randrange(4)}"
        member = table.by_name[owner]
        if rng.random() < 0.2:
            draining = rng.random() < 0.5
            put(table, zero(owner, version, NodeState.DRAINING if draining else NodeState.UP))
        elif rng.random() < 0.2:
            member.merge(**{rng.choice("ks"): version})
            table.refresh(member, 1.0)
        else:
            first = rng.randrange(900)
            many = rng.choice((0, 1, 30, 40))
            entries = [
                Registration("t", f"host-{one:06}", EntryState(rng.random() < 0.2))
                for one in range(first, first + many)
            ]
            put(table, page(owner, rng.randrange(1, 5), version, entries))
        table.publish()
        view, wanted = table.topics["t"], expected(table)
        assert states(view) == wanted.entries
        assert view.fanout == wanted.fanout
        assert view.picks == wanted.picks
        assert len(view.entries) == len(wanted.entries)
        assert all(view.entries[host].host == host for host in view.entries)


def test_hosts_of_a_large_topic_are_a_tuple_to_their_readers() -> None:
    view = table_of(1000).topics["t"]
    names = tuple(f"host-{one:06}" for one in range(1000))
    hosts = view.picks
    assert isinstance(hosts, Hosts)
    assert isinstance(view.entries, Entries)
    assert hosts == names
    assert names == hosts
    assert hash(hosts) == hash(names)
    assert hosts != names[1:]
    assert (hosts[0], hosts[-1], hosts[500]) == (names[0], names[-1], names[500])
    assert [hosts[one] for one in range(1000)] == list(hosts) == list(names)
    assert hosts[3:7] == names[3:7]
    assert repr(hosts) == repr(names)
    for place in (1000, -1001):
        with pytest.raises(IndexError, match="of 1000 hosts"):
            hosts[place]
    assert all(name in hosts for name in names)
    assert not {"", "host-0000005", "z", 7} & {
        name for name in ("", "host-0000005", "z", 7) if name in hosts
    }  # type: ignore[comparison-overlap]
    assert dict(view.entries) == {name: view.entries[name] for name in names}
    assert view.entries.get("z") is None
    assert view.entries.get("", 7) == 7  # type: ignore[call-overload]
    with pytest.raises(KeyError):
        view.entries["z"]


def sections(view: TopicView) -> tuple[object, ...]:
    return view.entries._sections if isinstance(view.entries, Entries) else (view,)


def test_a_change_in_a_topic_of_thousands_of_hosts_copies_a_hundred_of_them() -> None:
    """One registration more in a topic of 182,000 hosts cost 154 ms: all of them were copied."""
    table = table_of(8_000)
    before = table.topics["t"]
    put(table, page("owner-0", 1, 3, [Registration("t", "host-000000-a")]))
    table.publish()
    after = table.topics["t"]
    same = set(map(id, sections(before))) & set(map(id, sections(after)))
    # 39 hosts of every fourth number went, all of them neighbours.
    assert len(sections(before)) - len(same) <= 3
    assert all(len(one.entries) <= 128 for one in sections(after))  # type: ignore[attr-defined]
    assert len(before.entries) == 8_000
    assert "host-000000-a" in after.picks


def test_a_topic_that_loses_its_hosts_loses_its_sections() -> None:
    table = table_of(5000, owners=1)
    for number in range(1, 125):
        put(table, page("owner-0", number, 3, []))
    table.publish()
    assert len(sections(table.topics["t"])) <= 4
    assert table.topics["t"].picks == tuple(f"host-{one:06}" for one in range(4960, 5000))
    put(table, page("owner-0", 125, 3, []))
    table.publish()
    assert "t" not in table.topics


# -- what is bounded -------------------------------------------------------------------------


def scene_with_a_large_owner(registrations: int) -> LargeScene:
    """Give a node that knows a member with so many registrations."""
    scene = LargeScene(1, 0, max_registrations=100_000)
    mine = [Registration("t", f"host-{one:06}") for one in range(registrations)]
    for number in range(0, registrations, 40):
        written = [(one, encode_entry(one)) for one in mine[number : number + 40]]
        scene.node.table.put(
            encode_page("host-00000.example.org", GENERATION, number // 40 + 1, 2, written),
            scene.now,
        )
    scene.node.table.publish()
    scene.settle()
    return scene


def live(scene: LargeScene) -> int:
    return len(scene.node.table.topics["t"].picks)


def go_on(scene: LargeScene, seconds: float) -> int:
    """Let the timers run for so long; return how often the node was called."""
    calls = 0
    node, end = scene.node, scene.now + seconds
    while node.next_timer() <= end:
        node.handle_timer(max(scene.now, node.next_timer()))
        calls += 1
        assert calls < 1000
    return calls


def drain(scene: LargeScene, version: int) -> None:
    """Let the member say, in 91 bytes, that it drains, or that it does no more."""
    state = NodeState.DRAINING if version % 2 else NodeState.UP
    one = encode_page_zero(
        "host-00000.example.org", GENERATION, version, state, (("10.0.0.1", 7946),), NO_METADATA
    )
    scene.hearing(options={wire.OPT_PAGES: [one.raw]})()


def test_a_datagram_about_thousands_of_registrations_shows_some_of_them_at_a_time() -> None:
    """A page 0 of 91 bytes had each of 7,000 registrations judged before the next datagram."""
    scene = scene_with_a_large_owner(2000)
    drain(scene, 11)
    assert live(scene) == 2000 - AT_ONCE
    go_on(scene, 0.01)
    assert live(scene) == 0
    # An unspent allowance of moments ago is used up; from then on it takes its time.
    drain(scene, 12)
    drain(scene, 13)
    begin = scene.now
    drain(scene, 14)
    go_on(scene, 0.2)
    assert live(scene) == 2000
    assert not scene.node.table.unpublished
    assert scene.now - begin <= (2000 + BURST) / RATE + 1.0


def test_a_member_that_changes_faster_than_it_is_shown_is_shown_all_over() -> None:
    """Each change began with its first registration again: the last ones would never be shown."""
    scene = scene_with_a_large_owner(2000)
    # From the second change on, what is shown follows the latest state; each goes on where the
    # one before stopped.
    for version in range(11, 11 + 2 * (2000 // AT_ONCE) + 3, 2):
        drain(scene, version)
    assert live(scene) == 0


def test_a_member_that_is_removed_takes_its_registrations_along_bit_by_bit() -> None:
    """A new life of a name, 100 bytes, had all registrations of the old one removed at once."""
    scene = scene_with_a_large_owner(2000)
    table = scene.node.table
    old = table.by_name["host-00000.example.org"]
    table.remove(old, scene.now)
    scene.node._local.publish()
    assert live(scene) == 2000 - AT_ONCE
    assert table.owners("t", "host-001999") == []
    go_on(scene, 0.1)
    assert "t" not in table.topics


def test_changes_of_a_host_within_a_datagram_are_one() -> None:
    """18 versions of one page in a datagram were 18 changes of each host to watchers [P9]."""
    mesh = Mesh("a")
    x = mesh.puppet("x").introduce("a", entries=[Registration("t", "h"), Registration("t", "i")])
    mesh.run(0.01)
    mesh.events["a"].clear()
    x.say(
        "a",
        pages=[
            x.page_zero(version=version, state=NodeState.DRAINING if version % 2 else NodeState.UP)
            for version in range(10, 20)
        ],
    )
    changes = [one for one in mesh.events["a"] if isinstance(one, HostChanged)]
    assert [(one.host, one.state) for one in changes] == [
        ("h", HostState.DRAINING),
        ("i", HostState.DRAINING),
    ]


def test_threads_that_walk_a_view_are_not_disturbed_by_changes() -> None:
    table = table_of(2000)
    wrong: list[str] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            view = table.topics["t"]
            if len(list(view.picks)) != len(view.picks) or any(
                host not in view.entries for host in islice(view.picks, 0, 2000, 97)
            ):
                wrong.append("a view that changed")

    thread = threading.Thread(target=read)
    thread.start()
    try:
        for version in range(3, 200):
            put(table, page("owner-0", 1 + version % 9, version, []))
            table.publish()
    finally:
        done.set()
        thread.join()
    assert not wrong
