"""The table: one record per name, the fingerprint over them, closed generations, readers' views.

Only the core writes; readers may be in any thread: they use only ``topics``, ``topic``, ``is_up``,
``zone`` and ``joined``, which read one attribute at a time and need no lock.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping
from enum import Enum
from hashlib import blake2b
from typing import Final

from gossipmm.config import Config
from gossipmm.core.table.buckets import Buckets
from gossipmm.core.table.index import Index
from gossipmm.core.table.member import Member, PastLife
from gossipmm.core.table.memory import A_CLOSED, A_MEMBER, A_PAGE, A_TOPIC, of_page
from gossipmm.core.table.order import PageOrder
from gossipmm.core.table.ring import Ring
from gossipmm.core.table.round_trips import RoundTrips
from gossipmm.core.values.events import HostChanged
from gossipmm.core.values.stats import Drop, Stats
from gossipmm.core.values.types import (
    Generation,
    NodeId,
    NodeState,
    Registration,
    Status,
    TopicView,
)
from gossipmm.core.wire.frame import HIGH_HALF, record_key
from gossipmm.core.wire.pages import MAX_PAGE_NUMBER, Page, is_later
from gossipmm.mechanisms import Mechanism
from gossipmm.names import zone_of


class Put(Enum):
    """The effect of a page on the table."""

    NEW = "accepted"
    KNOWN = "held already, at this version or a higher one"
    OLDER = "of a generation below the one held"
    CLOSED = "of a generation that was reaped"
    REFUSED = "beyond a limit; counted"
    NO_ROOM = "beyond max_table; counted"


class Table:
    """Records by name and by key. ``me`` is the record of this node, always alive here."""

    def __init__(self, config: Config, stats: Stats) -> None:
        self._config = config
        self._stats = stats
        self._hash_key = blake2b(config.cluster.encode(), digest_size=16).digest()
        self._jump = config.jump
        self._reads_bytes = Mechanism.WIRE_VERSION not in config.without
        self._index = Index(stats)
        #: Topic -> its current view, for readers. An attribute, which is read for each message of a
        #: program; do not change it, and look a topic up again to see changes.
        self.topics: Mapping[str, TopicView] = self._index.views
        self.by_name: dict[NodeId, Member] = {}
        self.by_key: dict[int, Member] = {}
        #: Members to talk to: alive, suspected or on probation, complete, and not this node itself.
        self.peers: dict[int, Member] = {}
        self.ring = Ring(by_zone=config.zone_exchanges)  #: The same, in another order.
        #: Keys of the peers that say that they are impaired.
        self.impaired: set[int] = set()
        #: Members that are dead, returning or left.
        self.gone: dict[int, Member] = {}
        #: (since when, record key) of these, sorted: the first is to be reaped first.
        self.gone_since: list[tuple[float, int]] = []
        #: Members never heard alive, in order of arrival.
        self.unheard: dict[int, Member] = {}
        #: Closed generations: name -> the highest one, in order of closing.
        self.minimum_generations: dict[NodeId, Generation] = {}
        self._minimum_keys: dict[int, NodeId] = {}
        self.me: Member | None = None
        #: This node's zone, by its metadata; empty: none.
        self.zone = ""
        #: How far others are, for those who pick hosts.
        self.round_trips: RoundTrips | None = None
        #: Places of all pages, by (page number, record key), sorted: the order of transfers.
        self._order = PageOrder()
        self.order = self._order.pages
        #: Complete records by ranges of keys: what digests go by.
        self.buckets = Buckets()
        #: Bytes of all records as sent, and the memory that they take.
        self.size = self._memory = 0
        #: XOR over the members that are not dead or left, and when it last changed; and the same
        #: over the versions of pages, for members that read no other [P122].
        self.fingerprint = 0
        self.fingerprint_of_versions = 0
        self.changed_at = 0.0
        #: Name -> life that a higher generation replaced, until that one is alive here.
        self.superseded: dict[NodeId, PastLife] = {}
        #: True once this table agreed with a peer's, or when there is nobody to agree with.
        self.joined = not config.join
        #: True once it agreed with a peer's: a node that is alone afterwards still has joined.
        self.agreed = False
        #: True once a transfer brought what a peer remembers of dead and left members: fingerprints
        #: leave them out, so agreement says nothing about them.
        self.knows_gone = False
        #: Increased whenever ``peers`` changes, so that caches of it can be dropped.
        self.peers_version = 0

    # -- for readers -----------------------------------------------------------------------

    def topic(self, name: str) -> TopicView | None:
        """Return the current view of a topic; None when no record, dead ones included, has it."""
        return self._index.views.get(name)

    def is_up(self, name: str) -> bool:
        """Return whether a host is up in any topic, or a member of that name is."""
        if name in self._index.hosts:
            return True
        member = self.by_name.get(name)
        return member is not None and member.status in _TALKS

    def owners(self, topic: str, host: str) -> list[Member]:
        """Return the members whose records register the host (for the core's own thread)."""
        return self._index.owners(topic, host)

    # -- for the core ----------------------------------------------------------------------

    def agrees(self, fingerprint: int, half: int = 0) -> bool:
        """Return whether a fingerprint is that of this table, over bytes or over versions [P122].

        A peer sends the second one to whoever it does not know to read the first; of the first it
        may be a half.
        """
        if half:
            mine = self.fingerprint
            return fingerprint == (mine >> 32 if half == HIGH_HALF else mine & 0xFFFFFFFF)
        if fingerprint == self.fingerprint_of_versions:
            return True
        return fingerprint == self.fingerprint and self._reads_bytes

    def live_count(self) -> int:
        """Return the number of live members, this node included."""
        return len(self.peers) + 1

    @property
    def memory(self) -> int:
        """Return the bytes of memory that all records take, nearly (``table/memory.py``)."""
        closed = A_CLOSED * len(self.minimum_generations)
        return self._memory + A_TOPIC * self._index.topics + closed

    @property
    def full(self) -> bool:
        """True when there is no room for another name."""
        config = self._config
        return len(self.by_name) >= config.max_members or self.memory + _SMALLEST > config.max_table

    @property
    def nearly_full(self) -> bool:
        """True while there is hardly room for anything else."""
        return self.full or self.memory > _NEARLY * self._config.max_table

    def put(self, page: Page, now: float) -> tuple[Put, Member | None]:
        """Take a page from anybody. A higher generation replaces the record held [P3]."""
        if page.generation <= self.minimum_generations.get(page.name, -1):
            self._stats.drop(Drop.CLOSED_GENERATION)
            return Put.CLOSED, None
        member = self.by_name.get(page.name)
        if member is not None and page.generation < member.generation:
            self._stats.drop(Drop.OLD_GENERATION)
            return Put.OLDER, member
        if member is None or page.generation > member.generation:
            if member is None and self.full:
                self._stats.drop(Drop.MAX_MEMBERS)
                return Put.REFUSED, None
            if member is not None:
                self.remove(member, now)
            key = record_key(self._config.cluster, page.name, page.generation)
            member = self.insert(Member(page.name, page.generation, key), now)
            self._stats.work += _INSERTED
        held = member.pages.get(page.number)
        if held is not None and not is_later(page, held):
            self._stats.pages_known += 1
            return Put.KNOWN, member
        beyond = self._beyond(member, page, held)
        if beyond is not None:
            self._stats.drop(beyond)
            return Put.NO_ROOM if beyond is Drop.MAX_TABLE else Put.REFUSED, member
        self.replace_page(member, page, now)
        self._stats.work += 1 + len(page.entries)
        self._stats.pages_accepted += 1
        return Put.NEW, member

    def _beyond(self, member: Member, page: Page, held: Page | None) -> Drop | None:
        """Return which limit a page exceeds, if any [P20, P105]."""
        config = self._config
        if held is not None and page.version - held.version > self._jump:
            return Drop.COUNTER_JUMP
        grows = of_page(page) - (of_page(held) if held is not None else 0)
        if grows > 0:
            if member.memory + grows > config.max_record:
                return Drop.MAX_RECORD
            new = {entry.topic for entry in page.entries if not self._index.has(entry.topic)}
            if self.memory + grows + A_TOPIC * len(new) > config.max_table:
                return Drop.MAX_TABLE
        limit = config.max_registrations
        if len(page.entries) <= (len(held.entries) if held else 0):
            within = len(member.pages) - (MAX_PAGE_NUMBER in member.pages) <= limit
        else:
            grown = len(page.entries) - (len(held.entries) if held else 0)
            within = member.registered + grown <= limit
        return None if within else Drop.MAX_REGISTRATIONS

    def insert(self, member: Member, now: float) -> Member:
        """Add a record whose name and key are free."""
        self.by_name[member.name] = member
        self.by_key[member.key] = member
        self.unheard[member.key] = member
        self._memory += member.memory
        member.since = now
        return member

    def replace_page(self, member: Member, page: Page, now: float) -> None:
        """Put a page and move the index from its old entries to its new ones."""
        state, zone = member.node_state, zone_of(member.metadata)
        self.size -= member.size
        self._memory -= member.memory
        page = self._index.shared(member, page)
        old = member.put(page)
        self.size += member.size
        self._memory += member.memory
        if old is None:
            self._order.add(page.number, member)
            if page.number == 0:
                self.buckets.add(member)
        before = {(entry.topic, entry.host): entry for entry in old.entries} if old else {}
        for entry in page.entries:
            same = _same(before.pop((entry.topic, entry.host), None), entry)
            if not same or self._index.is_elsewhere(member, entry):
                self._index.add(member, entry, page.number, now)
        for entry in before.values():
            self._index.discard(member, entry, page.number, now)
            if member.hidden:
                member.forget_hidden(entry.topic, entry.host)
        if member.hidden:
            for entry in page.entries:
                name = (entry.topic, entry.host)
                if member.hidden.get(name, page.version) < page.version:
                    del member.hidden[name]
                    self._index.add(member, entry, page.number, now)
        if member is self.me:
            self.zone = zone_of(member.metadata)
        if moved := zone_of(member.metadata) != zone:
            self.ring.move(member)
        before_status, after = self.refresh(member, now)
        if (member.node_state is not state or moved) and after is before_status:
            self._index.rejudge(member, now)

    def refresh(self, member: Member, now: float) -> tuple[Status, Status]:
        """Judge a member again; keep fingerprint, peers and index in step. (before, after)."""
        before = member.status
        after = member.judged()
        if after is not before:
            member.status = after
            member.since = now
            self._regroup(member, before, after, now)
        if (member.node_state is NodeState.IMPAIRED) != (member.key in self.impaired):
            self._count_impaired(member)
        self._hash(member, now)
        if after is not before:
            self._index.rejudge(member, now)
        return before, after

    def rejudge(self, member: Member, now: float) -> None:
        """Judge the member's entries again (doubt, hiding, vanishing); its verdict stays."""
        self._index.rejudge(member, now)

    def _regroup(self, member: Member, before: Status, after: Status, now: float) -> None:
        talks = after in _TALKS
        if member is not self.me and talks != (before in _TALKS):
            if talks:
                self.peers[member.key] = member
                self.ring.add(member)
                self.peers_version += 1
            else:
                self._no_peer(member)
        if before is Status.UNKNOWN:
            self.unheard.pop(member.key, None)
        elif after is Status.UNKNOWN:
            self.unheard[member.key] = member
        if (after in _GONE) != (before in _GONE):
            if after in _GONE:
                self.gone[member.key] = member
                member.gone_at = (
                    now if member.declared_dead_at is None else min(now, member.declared_dead_at)
                )
                insort(self.gone_since, (member.gone_at, member.key))
            else:
                self._not_gone(member)

    def _no_peer(self, member: Member) -> None:
        if self.peers.pop(member.key, None) is not None:
            self.ring.discard(member)
            self.impaired.discard(member.key)
            self.peers_version += 1

    def _not_gone(self, member: Member) -> None:
        if self.gone.pop(member.key, None) is not None:
            del self.gone_since[bisect_left(self.gone_since, (member.gone_at, member.key))]

    def _count_impaired(self, member: Member) -> None:
        if member.node_state is NodeState.IMPAIRED and member.key in self.peers:
            self.impaired.add(member.key)
        else:
            self.impaired.discard(member.key)

    def went(self, member: Member, at: float) -> None:
        """Note that a member that is gone was so already at ``at``; later changes nothing [P46]."""
        if at < member.gone_at and member.key in self.gone:
            del self.gone_since[bisect_left(self.gone_since, (member.gone_at, member.key))]
            member.gone_at = at
            insort(self.gone_since, (at, member.key))

    def _hash(self, member: Member, now: float) -> None:
        """Put the member's current contribution into the fingerprints [P52]."""
        hashed: int | None = None
        state = 0
        if member.status in _TALKS:
            state = 1 if member.accused_aloud else 0
            if member.node_state is NodeState.DRAINING:
                state += 2
            hashed = member.page_hash
        if hashed == member.hashed and state == member.hashed_state:
            return
        member.hashed, member.hashed_state = hashed, state
        of_bytes = of_versions = 0
        if hashed is not None:
            of_bytes = self._contribution(member.key, member.page_hash, state)
            of_versions = self._contribution(member.key, member.versions_hash, state)
        self._contribute(member, of_bytes, of_versions, now)

    def _contribution(self, key: int, page_hash: int, state: int) -> int:
        data = key.to_bytes(8, "big") + page_hash.to_bytes(6, "big") + bytes((state,))
        digest = blake2b(data, digest_size=8, key=self._hash_key).digest()
        return int.from_bytes(digest, "big")

    def _contribute(self, member: Member, of_bytes: int, of_versions: int, now: float) -> None:
        change = member.contribution ^ of_bytes
        change_of_versions = member.contribution_of_versions ^ of_versions
        member.contribution = of_bytes
        member.contribution_of_versions = of_versions
        self.fingerprint ^= change
        self.fingerprint_of_versions ^= change_of_versions
        self.buckets.change(member.key, change, change_of_versions)
        self.changed_at = now

    def remove(self, member: Member, now: float) -> None:
        """Forget a record (superseded, reaped or forgotten): its entries leave the index."""
        self._index.forget(member, now)
        if self.by_key.pop(member.key, None) is not None:
            self.size -= member.size
            self._memory -= member.memory
            self._order.discard(member)
        self.by_name.pop(member.name, None)
        self.unheard.pop(member.key, None)
        self._not_gone(member)
        self._no_peer(member)
        self.buckets.discard(member)
        if member.hashed is not None:
            member.hashed = None
            self._contribute(member, 0, 0, now)

    # -- closed generations ----------------------------------------------------------------

    def close(self, name: NodeId, generation: Generation) -> bool:
        """Never accept ``generation`` of ``name``, or a lower one, again. False: it was closed.

        [P47]
        """
        if (
            self._config.max_closed_generations == 0
            or self.minimum_generations.get(name, -1) >= generation
        ):
            return False
        lower = self.minimum_generations.pop(name, None)
        if lower is not None:
            self._minimum_keys.pop(record_key(self._config.cluster, name, lower), None)
        self.minimum_generations[name] = generation
        self._minimum_keys[record_key(self._config.cluster, name, generation)] = name
        while len(self.minimum_generations) > self._config.max_closed_generations:
            oldest = next(iter(self.minimum_generations))
            closed = self.minimum_generations.pop(oldest)
            self._minimum_keys.pop(record_key(self._config.cluster, oldest, closed), None)
            self._stats.drop(Drop.CLOSED_FORGOTTEN)
        return True

    def minimum_of_key(self, key: int) -> tuple[NodeId, Generation] | None:
        """Return the closed generation that a record key names, if it is remembered."""
        name = self._minimum_keys.get(key)
        if name is None or name not in self.minimum_generations:
            return None
        generation = self.minimum_generations[name]
        if record_key(self._config.cluster, name, generation) != key:
            del self._minimum_keys[key]
            return None
        return name, generation

    # -- publishing ------------------------------------------------------------------------

    @property
    def unpublished(self) -> bool:
        """True while readers do not see everything yet."""
        return self._index.waiting or self._order.waiting

    def publish(self) -> list[HostChanged]:
        """Let readers see all that changed, and return the changes."""
        self._order.tidy(_ALL)
        while self._index.waiting:
            self._index.publish(_ALL)
        return self._changes()

    def publish_some(self, most: int) -> tuple[int, list[HostChanged]]:
        """Let readers see so many changes of registrations; return how many those were, and them.

        [P9]
        """
        self._order.tidy()
        judged = self._index.publish(most)
        return judged, self._changes()

    def _changes(self) -> list[HostChanged]:
        changes = self._index.changes
        if changes:
            self._index.changes = []
        return changes


def _same(old: Registration | None, new: Registration) -> bool:
    """Return True when nothing changed. 1 and True are equal to Python, not to readers."""
    return old == new and (not new.metadata or str(old) == str(new))


#: Memory of a record with no more than a page 0.
_SMALLEST: Final = A_MEMBER + A_PAGE
#: Share of ``max_table`` from which on pages may find no room.
_NEARLY: Final = 15 / 16
#: Steps of work that a new record is, beside its page.
_INSERTED: Final = 5
#: More registrations than there can be.
_ALL: Final = 1 << 60
_TALKS: Final = frozenset((Status.ALIVE, Status.SUSPECT, Status.PROBATION))
_GONE: Final = frozenset((Status.DEAD, Status.RETURNING, Status.LEFT))
