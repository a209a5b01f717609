"""The record that this node writes: where entries go, and how versions rise.

An entry goes where there is room and never moves; an emptied page stays, empty, for the generation.
So a change sends one page, and what a page no longer lists is removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from gossipmm.config import Config
from gossipmm.core.values.rotation_state import Told
from gossipmm.core.values.timers import Token
from gossipmm.core.values.types import (
    NO_METADATA,
    Address,
    EntryState,
    Generation,
    Heartbeat,
    Metadata,
    NodeId,
    NodeState,
    OwnRegistration,
    Registration,
)
from gossipmm.core.wire.frame import WIRE_VERSION, WIRE_VERSION_WITHOUT
from gossipmm.core.wire.pages import (
    MAX_ADDRESSES,
    MAX_ENTRIES_NUMBER,
    MAX_PAGE,
    Page,
    Seal,
    encode_certificate_page,
    encode_entry,
    encode_page,
    encode_page_zero,
    is_ip_literal,
    page_overhead,
)
from gossipmm.errors import ConfigError, LimitError
from gossipmm.mechanisms import Mechanism
from gossipmm.names import check_registration, check_weight, checked_metadata, why_not_name

_Name = tuple[str, str]

#: Bytes that a datagram needs beside a page: frame, envelope and two rows.
_BESIDE_PAGE = 200


@dataclass(slots=True)
class _Slot:
    """One page with room: its entries by (topic, host), and their bytes."""

    entries: dict[_Name, tuple[Registration, bytes]] = field(default_factory=dict)
    size: int = 0


@dataclass(slots=True)
class Lease:
    """A registration's time to live, between a program and its own agent."""

    ttl: float
    deadline: float
    timer: Token | None = None


class SelfRecord:
    """The pages of this node, as it writes them. Knows nothing of the network [P2]."""

    def __init__(
        self,
        config: Config,
        name: NodeId,
        generation: Generation,
        addresses: tuple[Address, ...],
        seal: Seal | None = None,
    ) -> None:
        _check_identity(name, addresses)
        self._config = config
        #: What signs its pages; None: they are not signed [P150].
        self.seal = seal
        self.name = name
        self.generation = generation
        self.addresses = addresses
        self.metadata = _metadata(f"node {name!r}", config.metadata)
        self.state = NodeState.UP
        #: True once it has said that it leaves.
        self.leaving = False
        #: True once its leave is confirmed, or the time for that is over.
        self.left = False
        #: True while its replies are being lost (``life/reply_loss.py``).
        self.impaired = False
        #: Its certificate and the issue number of that; None: it has none [P155].
        self.certificate: tuple[int, bytes] | None = None
        #: What it announces about its keys; None: it does not encrypt.
        self.keys: Told | None = None
        #: The wire version that it announces [P122].
        self.reads = WIRE_VERSION if config.distances else WIRE_VERSION_WITHOUT
        if Mechanism.WIRE_VERSION in config.without:
            self.reads = 1
        self.heartbeat: Heartbeat = 1
        #: True once somebody holds this generation's record: from then on a higher one is a
        #: conflict.
        self.acknowledged = False
        self.leases: dict[_Name, Lease] = {}
        #: A member is here that refuses a page for a state above draining: none is written [P123].
        self.plainly = False
        self._version = 0
        self._slots: list[_Slot] = []
        self._where: dict[_Name, int] = {}
        #: Most bytes of a page: it has to leave room for the rest of a datagram.
        self._page_limit = min(MAX_PAGE, config.max_datagram - _BESIDE_PAGE)
        self._room = self._page_limit - page_overhead(name, signed=seal is not None)

    def registrations(self) -> tuple[Registration, ...]:
        """Return all entries, in order of page."""
        return tuple(entry for slot in self._slots for entry, _ in slot.entries.values())

    def leased(self, now: float) -> tuple[OwnRegistration, ...]:
        """All entries with the time that each still lives at core time ``now``."""
        return tuple([self._leased(entry, now) for entry in self.registrations()])

    def leased_one(self, topic: str, host: str, now: float) -> OwnRegistration | None:
        """Return one entry, or None if it is not registered."""
        entry = self.find(topic, host)
        return self._leased(entry, now) if entry is not None else None

    def _leased(self, entry: Registration, now: float) -> OwnRegistration:
        lease = self.leases.get((entry.topic, entry.host))
        ttl = left = None
        if lease is not None:
            ttl, left = lease.ttl, max(0.0, lease.deadline - now)
        return OwnRegistration(entry.topic, entry.host, entry.metadata, entry.state, ttl, left)

    def find(self, topic: str, host: str) -> Registration | None:
        """Return the entry, or None if it is not registered."""
        number = self._where.get((topic, host))
        return self._slots[number].entries[topic, host][0] if number is not None else None

    def set(
        self, topic: str, host: str, metadata: Mapping[str, object] | None, state: EntryState
    ) -> list[Page]:
        """Add or replace an entry; return the pages that changed (none if it is the same) [P4].

        Raises RegistrationError or LimitError and then changes nothing.
        """
        entry = _registration(topic, host, metadata, state)
        raw = encode_entry(self._announced(entry))
        if len(raw) > self._room:
            raise LimitError(
                f"{topic!r} of {host!r} takes {len(raw)} bytes, more than the {self._room} that "
                f"max_datagram = {self._config.max_datagram} leaves: shorten its metadata"
            )
        name = (topic, host)
        number = self._where.get(name)
        if number is None:
            limit = self._config.max_registrations
            if len(self._where) >= limit:
                raise LimitError(
                    f"{topic!r} of {host!r}: this node has {len(self._where)} registrations, "
                    f"max_registrations is {limit}"
                )
            return [self._place(self._slot_for(entry, raw), name, entry, raw)]
        slot = self._slots[number]
        old, old_raw = slot.entries[name]
        if old_raw == raw:
            slot.entries[name] = (entry, raw) if old.state is not entry.state else (old, raw)
            return []
        if slot.size - len(old_raw) + len(raw) <= self._room:
            slot.entries[name] = (entry, raw)
            slot.size += len(raw) - len(old_raw)
            return [self._page(number)]
        # It no longer fits where it is: first into its new page, then out of the old one, so that a
        # holder of either sees it.
        place = self._slot_for(entry, raw)
        del slot.entries[name]
        slot.size -= len(old_raw)
        return [self._place(place, name, entry, raw), self._page(number)]

    def _slot_for(self, entry: Registration, raw: bytes) -> int:
        """Return the first slot with room, perhaps a new one. Raises LimitError."""
        size = len(raw)
        roomy = (n for n, slot in enumerate(self._slots) if slot.size + size <= self._room)
        number = next(roomy, len(self._slots))
        if number >= MAX_ENTRIES_NUMBER:
            raise LimitError(
                f"{entry.topic!r} of {entry.host!r}: this node's record has {number} pages, and "
                "there are no more: register less, or with less metadata"
            )
        return number

    def _place(self, number: int, name: _Name, entry: Registration, raw: bytes) -> Page:
        if number == len(self._slots):
            self._slots.append(_Slot())
        slot = self._slots[number]
        slot.entries[name] = (entry, raw)
        slot.size += len(raw)
        self._where[name] = number
        return self._page(number)

    def remove(self, topic: str, host: str) -> Page | None:
        """Remove an entry; return its page, or None when it was not registered."""
        number = self._where.pop((topic, host), None)
        if number is None:
            return None
        slot = self._slots[number]
        _, raw = slot.entries.pop((topic, host))
        slot.size -= len(raw)
        return self._page(number)

    def speak(self, *, plainly: bool) -> list[Page]:
        """Write states above draining as such, or as draining; return the pages that changed."""
        self.plainly = plainly
        changed = []
        for number, slot in enumerate(self._slots):
            above = [entry for entry, _ in slot.entries.values() if entry.state.unhealthy]
            for entry in above:  # one byte either way: the entry stays where it is
                raw = encode_entry(self._announced(entry))
                slot.entries[entry.topic, entry.host] = entry, raw
            if above:
                changed.append(self._page(number))
        return changed

    def _announced(self, entry: Registration) -> Registration:
        """Return an entry as it is written."""
        if entry.state.unhealthy and self.plainly:
            return entry._replace(state=EntryState.DRAINING)
        return entry

    def touch(self, topic: str, host: str) -> Page | None:
        """Write an entry's page again, unchanged, at a higher version (an answer to expire)."""
        number = self._where.get((topic, host))
        return self._page(number) if number is not None else None

    def set_state(self, state: NodeState) -> Page:
        """Change what this node says about itself; return page 0."""
        self.state = state
        self.leaving = state is NodeState.LEFT
        return self.page_zero()

    def set_metadata(self, metadata: Mapping[str, object]) -> Page:
        """Change the metadata of the node; return page 0.

        Raises RegistrationError or LimitError and then changes nothing.
        """
        previous, self.metadata = self.metadata, _metadata(f"node {self.name!r}", metadata)
        try:
            return self.page_zero()
        except LimitError:
            self.metadata = previous
            raise

    def move(self, addresses: tuple[Address, ...]) -> Page:
        """Change the addresses announced; return page 0.

        Raises ConfigError or LimitError and then changes nothing.
        """
        _check_identity(self.name, addresses)
        previous, self.addresses = self.addresses, addresses
        try:
            return self.page_zero()
        except LimitError:
            self.addresses = previous
            raise

    def page_zero(self) -> Page:
        """Write page 0 again, at a higher version. Raises LimitError."""
        self._version += 1
        hides = self.impaired and self.state is not NodeState.LEFT
        page = encode_page_zero(
            self.name,
            self.generation,
            self._version,
            NodeState.IMPAIRED if hides else self.state,
            self.addresses,
            self.metadata,
            self.keys,
            self.reads,
            self.seal,
        )
        if len(page.raw) > self._page_limit:
            raise LimitError(
                f"addresses and metadata of {self.name!r} take {len(page.raw)} bytes, more than "
                f"the {self._page_limit} that max_datagram = {self._config.max_datagram} leaves: "
                "shorten the metadata"
            )
        return page

    def _page(self, number: int) -> Page:
        self._version += 1
        held = self._slots[number].entries.values()
        entries = [(self._announced(entry), raw) for entry, raw in held]
        place = number + 1
        return encode_page(self.name, self.generation, place, self._version, entries, self.seal)

    def first_pages(self) -> list[Page]:
        """Write page 0 again, and the certificate that goes before it."""
        if self.certificate is None:
            return [self.page_zero()]
        page = encode_certificate_page(self.name, self.generation, *self.certificate)
        return [page, self.page_zero()]

    def all_pages(self) -> list[Page]:
        """Write every page again (a new generation begins with them)."""
        return [*self.first_pages(), *(self._page(number) for number in range(len(self._slots)))]

    def begin(self, generation: Generation) -> list[Page]:
        """Begin a new generation with the same registrations; return its pages."""
        self.generation = generation
        self.heartbeat = 1
        self.acknowledged = False
        self._version = 0
        return self.all_pages()


def latest(pages: Iterable[Page]) -> list[Page]:
    """Return the last one of each number, in the order in which those were written."""
    last: dict[int, Page] = {}
    for page in pages:
        last.pop(page.number, None)
        last[page.number] = page
    return list(last.values())


def _registration(
    topic: str, host: str, metadata: Mapping[str, object] | None, state: EntryState
) -> Registration:
    """Build a registration from a program's arguments. Raises RegistrationError, LimitError."""
    check_registration(topic, host)
    items = _metadata(repr(topic), metadata)
    check_weight(repr(topic), items)
    return Registration(topic, host, state, items)


def _metadata(of: str, metadata: Mapping[str, object] | None) -> Metadata:
    """Check and copy metadata. Raises RegistrationError, LimitError."""
    items = checked_metadata(of, metadata)
    return MappingProxyType(items) if items else NO_METADATA


def _check_identity(name: NodeId, addresses: tuple[Address, ...]) -> None:
    """Refuse what every other node would refuse. Raises ConfigError."""
    if reason := why_not_name("node name", name):
        raise ConfigError(reason, path="name")
    if not 0 < len(addresses) <= MAX_ADDRESSES:
        raise ConfigError(
            f"{len(addresses)} addresses are announced, not 1 to {MAX_ADDRESSES}", path="advertise"
        )
    for host, port in addresses:
        if not is_ip_literal(host) or not 0 < port < 65536:
            raise ConfigError(
                f"{host!r} port {port} is not an IP address and a port of 1 to 65535",
                path="advertise",
            )
