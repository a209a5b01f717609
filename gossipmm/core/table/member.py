"""What a holder keeps about one generation of a node: its pages, its liveness, its trail."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final, NamedTuple

from gossipmm.core.table.liveness import LONG_AGO, Liveness
from gossipmm.core.table.memory import A_MEMBER, of_metadata, of_pages
from gossipmm.core.table.path import Path
from gossipmm.core.values.timers import Token
from gossipmm.core.values.trail import EvidenceKind
from gossipmm.core.values.types import (
    NO_FACTS,
    NO_METADATA,
    Address,
    Evidence,
    Fact,
    Generation,
    MemberView,
    Metadata,
    NodeId,
    NodeState,
    Registration,
    Status,
    StatusReason,
)
from gossipmm.core.wire.pages import MAX_PAGE_NUMBER, Page

#: Lines kept of a member's evidence trail. It is a tuple: a deque takes 600 bytes for the one line
#: that most members have.
TRAIL: Final = 32
#: No accusers. Lists of accusers are replaced, never changed.
_NOBODY: Final[list[int]] = []


class PastLife(NamedTuple):
    """What is kept of a life when a higher generation of its name ends it."""

    generation: Generation
    addresses: tuple[Address, ...]
    #: True if it said that it was leaving.
    left: bool
    #: Times of returns and crashes of the name.
    returns: tuple[float, ...]
    #: True while the name is announced to be in a crash loop.
    looping: bool


class Member(Liveness):
    """A record (set of pages) with its liveness. Only the core writes it."""

    __slots__ = (
        "accusers",
        "addresses",
        "alone",
        "asked_at",
        "barred",
        "complete",
        "contribution",
        "contribution_of_versions",
        "differs_since",
        "doubted",
        "forgotten",
        "generation",
        "gone_at",
        "hashed",
        "hashed_state",
        "held_since",
        "helped_at",
        "helped_by",
        "hidden",
        "joining",
        "key",
        "looping",
        "metadata",
        "metadata_memory",
        "name",
        "node_state",
        "page_hash",
        "pages",
        "path",
        "peer_fingerprint",
        "peer_half",
        "place",
        "probation",
        "probation_until",
        "reads",
        "registered",
        "returns",
        "seen_at",
        "since",
        "size",
        "slow_until",
        "source",
        "status",
        "suspect_since",
        "suspicion_timer",
        "trail",
        "vanished_at",
        "versions_hash",
    )

    def __init__(self, name: NodeId, generation: Generation, key: int) -> None:
        super().__init__()
        self.name, self.generation, self.key = name, generation, key
        self.place = key  # on the ring, by its zone and key
        self.alone = (name,)  # for the hosts that it alone registers
        self.pages: dict[int, Page] = {}
        #: Page 0 is here: before, it is neither probed nor suspected nor hashed [P7].
        self.complete = False
        #: XOR over all pages of 6 bytes of their digests: equal when the pages' bytes are.
        self.page_hash = 0
        #: XOR of a hash of (number, version) over all pages: what wire version 1 compares.
        self.versions_hash = 0
        self.reads = 1  # the highest wire version that it announces
        #: Bytes of all pages, their entries, and the memory that their metadata takes.
        self.size = self.registered = self.metadata_memory = 0
        self.addresses: tuple[Address, ...] = ()
        #: What was measured of them; None: nothing yet, or there is one and nothing wrong with it.
        self.path: Path | None = None
        self.node_state = NodeState.UP
        self.metadata: Metadata = NO_METADATA
        #: Cached verdict, kept by ``Table.refresh``, and its beginning.
        self.status = Status.UNKNOWN
        self.since: float = LONG_AGO
        #: While dead, returning or left: since when, as far as anybody knows. Reaping and the ages
        #: that travel go by it; evidence of a return goes by ``declared_dead_at``.
        self.gone_at: float = LONG_AGO
        #: Current contributions to the table's fingerprints (0: nothing), and of what they are.
        self.contribution = self.contribution_of_versions = self.hashed_state = 0
        self.hashed: int | None = None
        #: Keys of distinct accusers at the current suspicion, in order of arrival.
        self.accusers: list[int] = _NOBODY
        self.suspect_since: float = 0.0
        self.suspicion_timer: Token | None = None
        #: Time since which this node's accusation waits for its own health; None when it does not.
        self.held_since: float | None = None
        #: Core times of returns from the dead, within the flap window, and of starts of the name
        #: after lives that had not left.
        self.returns: tuple[float, ...] = ()
        self.barred: StatusReason | None = None  # why it is in no lookup, by what it signed
        self.looping = False  # while the name is announced to be in a crash loop
        self.probation: Token | None = None
        self.probation_until: float | None = None
        #: True while a caller of this node has reported a failure whose probe has not ended.
        self.doubted = False
        #: Registrations hidden here by ``expire``, each at the page version that it had.
        self.hidden: dict[tuple[str, str], int] | None = None
        self.forgotten = False  # until it is no longer in the table
        #: Where its datagrams came from, when the last one did, and when a helper reached it.
        self.source: Address | None = None
        self.seen_at = self.helped_at = LONG_AGO
        #: When a probe by it was last counted (``life/reply_loss.py``).
        self.asked_at: float = LONG_AGO
        self.slow_until: float = LONG_AGO
        #: Whether it said in its last exchange that it has not joined yet; None before the first.
        self.joining: bool | None = None
        self.peer_fingerprint = self.peer_half = self.helped_by = 0
        self.differs_since: float | None = None
        #: When it died within the window that may mean that this node is the one cut off.
        self.vanished_at: float | None = None
        self.trail: tuple[Evidence, ...] = ()

    @property
    def indirect(self) -> bool:
        """True if it was last reached by a helper, and was not heard by this node since [P61]."""
        return self.helped_at > self.seen_at

    @property
    def memory(self) -> int:
        """Bytes that the record takes here, by what is counted of it; kept, it took 32 more."""
        pages = of_pages(len(self.pages), self.size, self.registered)
        return A_MEMBER + pages + self.metadata_memory

    @property
    def versions(self) -> dict[int, int]:
        """Page number -> version held."""
        return {number: page.version for number, page in self.pages.items()}

    def page_hash_bytes(self, *, of_versions: bool = False) -> bytes:
        """Return the hash of the pages, or of their versions, as digests carry it."""
        return (self.versions_hash if of_versions else self.page_hash).to_bytes(6, "big")

    def put(self, page: Page) -> Page | None:
        """Replace a page by a higher version of itself; return the one replaced [P3]."""
        old = self.pages.get(page.number)
        if old is not None:
            self.page_hash ^= old.digest >> 16
            self.versions_hash ^= _hash_version(page.number, old.version)
            self.size -= len(old.raw)
            self.registered -= len(old.entries)
            self.metadata_memory -= of_metadata(old)
        self.size += len(page.raw)
        self.registered += len(page.entries)
        self.metadata_memory += of_metadata(page)
        self.page_hash ^= page.digest >> 16
        self.versions_hash ^= _hash_version(page.number, page.version)
        self.pages[page.number] = page
        if page.number == 0:
            self.complete = True
            self.reads = page.reads
            self.addresses = page.addresses
            self.node_state = page.state
            self.metadata = page.metadata
        return old

    @property
    def first_pages(self) -> list[bytes]:
        """Return page 0 as it travels, behind the certificate that tells its key [P155]."""
        certificate = self.pages.get(MAX_PAGE_NUMBER)
        zero = self.pages[0].raw
        return [zero] if certificate is None else [certificate.raw, zero]

    @property
    def any_page(self) -> Page:
        """Return page 0, or without that the first page held: it tells the generation as well."""
        return self.pages[min(self.pages)]

    def registrations(self) -> list[Registration]:
        """Return all entries of all pages held, in order of page."""
        return [entry for number in sorted(self.pages) for entry in self.pages[number].entries]

    def forget_hidden(self, topic: str, host: str) -> None:
        """Forget that a registration was hidden, unless one of its pages still lists it."""
        if self.hidden is None or (topic, host) not in self.hidden:
            return
        if not any((topic, host) == (one.topic, one.host) for one in self.registrations()):
            del self.hidden[topic, host]

    def note(self, at: float, kind: EvidenceKind, reporter: NodeId, **facts: Fact) -> None:
        """Add a line to the evidence trail, with the facts that ``trail.FACTS`` names."""
        one = Evidence(at, kind, reporter, max(self.k, 0), facts or NO_FACTS)
        self.trail = (*self.trail[1 - TRAIL :], one)

    def past(self) -> PastLife:
        """Return what is kept of this life once a higher generation ends it."""
        left = self.status is Status.LEFT
        return PastLife(self.generation, self.addresses, left, self.returns, self.looping)

    def judged(self) -> Status:
        """Return the status for readers: the verdict, unless the record says otherwise [P26]."""
        if self.node_state is NodeState.LEFT:
            return Status.LEFT
        if not self.complete:
            return Status.UNKNOWN
        result = super().judged()
        damped = self.probation_until is not None or self.node_state is NodeState.IMPAIRED
        damped = damped or self.barred is not None
        if damped and (result is Status.ALIVE or result is Status.SUSPECT):
            return Status.PROBATION
        return result

    def view(self) -> MemberView:
        """Return an immutable picture for readers."""
        return MemberView(
            self.name,
            self.generation,
            self.status,
            self.node_state,
            self.addresses,
            max(self.k, 0),
            self.since,
            self.heard,
            self.registered,
            self.metadata,
            self._reason(),
            len(self.returns),
            self.reads,
            sum([entry.state.unhealthy for page in self.pages.values() for entry in page.entries]),
        )

    def _reason(self) -> StatusReason:
        if self.status is Status.PROBATION:
            if self.barred is not None:
                return self.barred
            if self.node_state is NodeState.IMPAIRED:
                return StatusReason.IMPAIRED
            return StatusReason.CRASHES if self.looping else StatusReason.RETURNS
        if self.status is Status.RETURNING:
            return StatusReason.OLD_EVIDENCE
        if self.status is Status.UNKNOWN:
            return StatusReason.NEVER_ALIVE if self.complete else StatusReason.NO_RECORD
        if self.trail and self.status in (Status.SUSPECT, Status.DEAD):
            return StatusReason.EVIDENCE
        return StatusReason.NONE


def _hash_version(number: int, version: int) -> int:
    data = number.to_bytes(2, "big") + version.to_bytes(4, "big")
    return int.from_bytes(blake2b(data, digest_size=6, person=b"gossipmm-page").digest(), "big")
