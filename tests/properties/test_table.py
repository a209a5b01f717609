"""One holder's table under any history: pages late, lost, doubled, from anybody, in any order.

The owners write records as nodes do (``SelfRecord``); everything that they ever wrote may reach the
table at any time. After every step the table must equal a model that is as simple as can be.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gossipmm.config import Config
from gossipmm.core.table.liveness import NEVER
from gossipmm.core.table.member import Member
from gossipmm.core.table.self_record import SelfRecord
from gossipmm.core.table.table import Put, Table
from gossipmm.core.values.evidence_time import first_hand
from gossipmm.core.values.stats import Stats
from gossipmm.core.values.types import (
    EntryState,
    HostState,
    NodeState,
    Registration,
    Status,
    TopicView,
)
from gossipmm.core.wire.pages import Page, page_untrusted

OWNERS = ("a", "b", "c")
owners = st.sampled_from(OWNERS)
topics = st.sampled_from(("t", "u", "v"))
hosts = st.sampled_from(("h1", "h2", "h3"))
#: Some entries fill a page, so that they move when they grow.
sizes = st.sampled_from((0, 10, 400, 700))


class Record:
    """What the model holds of one life: its maxima, and the newest page of each number."""

    def __init__(self, generation: int) -> None:
        self.generation = generation
        self.pages: dict[int, Page] = {}
        self.k = self.s = self.d = NEVER

    def hear(self, kind: str, beat: int) -> None:
        """Three maxima: heard alive, suspected, declared dead."""
        if kind == "alive":
            self.k = max(self.k, beat)
        elif kind == "suspect" and beat >= self.k and not self.dead:
            self.s = max(self.s, beat)
        elif kind == "bury" and self.s >= self.k > NEVER and not self.dead:
            self.d = max(self.s, self.k)

    @property
    def dead(self) -> bool:
        return self.d >= self.k and self.d > NEVER

    @property
    def liveness(self) -> Status:
        if self.dead:
            return Status.DEAD
        if self.k == NEVER:
            return Status.UNKNOWN
        return Status.SUSPECT if self.s >= self.k else Status.ALIVE

    @property
    def status(self) -> Status:
        if 0 not in self.pages:
            return Status.UNKNOWN
        if self.pages[0].state is NodeState.LEFT:
            return Status.LEFT
        found = self.liveness
        if self.pages[0].state is NodeState.IMPAIRED and found in (Status.ALIVE, Status.SUSPECT):
            return Status.PROBATION
        return found

    def entries(self) -> dict[tuple[str, str], Registration]:
        """Of an entry in two pages the one in the newer page counts."""
        found: dict[tuple[str, str], Registration] = {}
        for page in sorted(self.pages.values(), key=lambda page: page.version):
            found.update({(entry.topic, entry.host): entry for entry in page.entries})
        return found

    def state_of(self, entry: Registration) -> HostState | None:
        if self.status not in (Status.ALIVE, Status.SUSPECT):
            return None
        if EntryState.DRAINING is entry.state or self.pages[0].state is NodeState.DRAINING:
            return HostState.DRAINING
        return HostState.SUSPECT if self.status is Status.SUSPECT else HostState.LIVE


class OneHolder(RuleBasedStateMachine):
    """Owners write, pages arrive, claims are heard; the invariants hold in between."""

    @initialize()
    def begin(self) -> None:
        config = Config()
        self.now = 0.0
        self.table = Table(config, Stats())
        self.owners = {
            name: SelfRecord(config, name, 1 << 40, (("127.0.0.1", 7946),)) for name in OWNERS
        }
        self.written: list[Page] = []
        for own in self.owners.values():
            self.written.append(own.page_zero())
        self.model: dict[str, Record] = {}
        self.seen: list[tuple[TopicView, str]] = []

    # -- owners write ----------------------------------------------------------------------------

    @rule(owner=owners, topic=topics, host=hosts, size=sizes, draining=st.booleans())
    def register(self, owner: str, topic: str, host: str, size: int, draining: bool) -> None:
        state = EntryState.DRAINING if draining else EntryState.UP
        metadata = {"m": "x" * size} if size else None
        self.written += self.owners[owner].set(topic, host, metadata, state)

    @rule(owner=owners, topic=topics, host=hosts)
    def unregister(self, owner: str, topic: str, host: str) -> None:
        page = self.owners[owner].remove(topic, host)
        if page is not None:
            self.written.append(page)

    @rule(owner=owners, state=st.sampled_from(NodeState))
    def say_of_itself(self, owner: str, state: NodeState) -> None:
        self.written.append(self.owners[owner].set_state(state))

    @rule(owner=owners)
    def restart(self, owner: str) -> None:
        own = self.owners[owner]
        own.state = NodeState.UP
        self.written += own.begin(own.generation + 1)

    # -- the holder hears ------------------------------------------------------------------------

    @rule(data=st.data(), again=st.booleans())
    def a_page_arrives(self, data: st.DataObject, again: bool) -> None:
        """Any page ever written, old or new, perhaps twice."""
        page = data.draw(st.sampled_from(self.written))
        for _ in range(1 + again):
            self.deliver(page)

    def deliver(self, page: Page) -> None:
        self.now += 1.0
        put, member = self.table.put(page_untrusted(page.raw), self.now)
        record = self.model.get(page.name)
        if record is None or page.generation > record.generation:
            record = self.model[page.name] = Record(page.generation)
        if page.generation < record.generation:
            assert put is Put.OLDER
            return
        held = record.pages.get(page.number)
        if held is not None and held.version >= page.version:
            assert put is Put.KNOWN
            return
        assert put is Put.NEW
        assert member is not None
        record.pages[page.number] = page

    @rule(owner=owners, kind=st.sampled_from(["alive", "suspect", "bury"]), beat=st.integers(1, 5))
    def a_claim_is_heard(self, owner: str, kind: str, beat: int) -> None:
        member = self.table.by_name.get(owner)
        if member is None:
            return
        self.now += 1.0
        if kind == "alive":
            member.hear_alive(
                beat, first_hand(self.now)
            )  # evidence is always younger than any burial
        elif kind == "suspect":
            member.hear_suspect(beat)
        elif member.suspected:
            member.declare_dead(self.now)
        self.model[owner].hear(kind, beat)
        self.table.refresh(member, self.now)

    # -- what must hold --------------------------------------------------------------------------

    @property
    def topics(self) -> Mapping[str, TopicView]:
        """What readers see, as after every call of a node."""
        self.table.publish()
        return self.table.topics

    @invariant()
    def every_record_has_the_newest_pages_that_arrived(self) -> None:
        assert self.table.by_name.keys() == self.model.keys()
        for name, record in self.model.items():
            member = self.table.by_name[name]
            assert member.generation == record.generation
            assert member.pages == record.pages
            assert member.status is record.status
            assert self.table.by_key[member.key] is member
        assert len(self.table.by_key) == len(self.model)

    @invariant()
    def the_index_lists_a_host_while_a_live_record_has_it(self) -> None:
        best: dict[tuple[str, str], tuple[HostState, list[str]]] = {}
        for name, record in sorted(self.model.items()):
            for key, entry in record.entries().items():
                state = record.state_of(entry)
                if state is not None:
                    known, nodes = best.get(key, (state, []))
                    best[key] = (min(known, state), [*nodes, name])
        listed = {
            (topic, host): (entry.state, list(entry.nodes))
            for topic, view in self.topics.items()
            for host, entry in view.entries.items()
        }
        assert listed == best

    @invariant()
    def a_listed_entry_is_exactly_as_its_best_owner_wrote_it(self) -> None:
        for topic, view in self.topics.items():
            for host, listed in view.entries.items():
                written = [
                    record.entries()[topic, host]
                    for name, record in self.model.items()
                    if name in listed.nodes
                ]
                assert listed.metadata in [entry.metadata for entry in written]
                if len(written) == 1:
                    assert listed.metadata == written[0].metadata

    @invariant()
    def views_are_sorted_and_agree_with_their_entries(self) -> None:
        known = {entry.topic for r in self.model.values() for entry in r.entries().values()}
        assert self.topics.keys() == known  # also those that nobody live serves
        for view in self.topics.values():
            those = {state: sorted_hosts(view, state) for state in HostState}
            assert view.picks == (those[HostState.LIVE] or those[HostState.SUSPECT])
            reachable = those[HostState.LIVE] + those[HostState.SUSPECT]
            assert view.fanout == tuple(sorted(reachable))
            assert not view.stale

    @invariant()
    def what_a_reader_took_never_changes(self) -> None:
        for view, printed in self.seen:
            assert repr(view) == printed
        self.seen = [(view, repr(view)) for view in self.topics.values()]

    @invariant()
    def the_fingerprint_is_what_it_would_be_from_scratch(self) -> None:
        fresh = Table(Config(), Stats())
        order = list(self.model.values())
        random.Random(len(self.written)).shuffle(order)
        for record in order:
            for page in reversed(record.pages.values()):
                fresh.put(page, 0.0)
            member = fresh.by_name[next(iter(record.pages.values())).name]
            copy_liveness(self.table.by_name[member.name], member)
            fresh.refresh(member, 0.0)
        assert fresh.fingerprint == self.table.fingerprint
        assert self.table.peers.keys() == fresh.peers.keys()

    def teardown(self) -> None:
        """In the end everything of the present lives arrives, in any order: the exact records."""
        if not hasattr(self, "table"):
            return
        pages = list(self.written)
        random.Random(7).shuffle(pages)
        for page in pages:
            self.deliver(page)
        for name, own in self.owners.items():
            member = self.table.by_name[name]
            assert member.generation == own.generation
            entries = self.model[name].entries()
            assert sorted(entries) == sorted((e.topic, e.host) for e in own.registrations())
            assert sorted(map(str, member.registrations())) == sorted(map(str, own.registrations()))
        fingerprint = self.table.fingerprint
        for page in pages:
            self.deliver(page)  # nothing that was removed comes back
        assert self.table.fingerprint == fingerprint
        self.the_index_lists_a_host_while_a_live_record_has_it()


def sorted_hosts(view: TopicView, state: HostState) -> tuple[str, ...]:
    return tuple(sorted(host for host, entry in view.entries.items() if entry.state is state))


def copy_liveness(source: Member, target: Member) -> None:
    target.k, target.s, target.d = source.maxima
    target.declared_dead_at = source.declared_dead_at


OneHolder.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
TestOneHolder: Any = OneHolder.TestCase
