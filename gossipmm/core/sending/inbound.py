"""One datagram while it is read: what it says, who sent it, and the reply to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cbor2

from gossipmm.core.sending.outbox import Stranger
from gossipmm.core.sending.packing import want_size
from gossipmm.core.table.member import Member
from gossipmm.core.values.evidence_time import EvidenceTime, first_hand, hearsay, unknown
from gossipmm.core.values.types import Address, Generation, NodeId
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import Page

__all__ = ("Inbound", "Reply")


class Reply:
    """Gathers what a datagram makes this node say to its sender, into one reply."""

    __slots__ = ("ahead", "full", "life", "minimums", "pages", "rows", "to", "told", "wants")

    def __init__(self, to: Address) -> None:
        #: Where the datagram came from.
        self.to = to
        self.rows: list[bytes] = []
        self.wants: list[list[Any]] = []
        self.minimums: list[list[object]] = []
        self.pages: list[bytes] = []
        #: True: this node has no room for the sender.
        self.full = False
        #: True: the sender's life begins too far ahead of this node's clock.
        self.ahead = False
        #: The answer to a question.
        self.told: list[Any] | None = None
        #: A statement of life.
        self.life: list[Any] | None = None

    def __bool__(self) -> bool:
        said = self.rows or self.wants or self.minimums or self.pages or self.told or self.life
        return bool(said or self.full or self.ahead)

    def closed(self, name: NodeId, generation: Generation) -> None:
        """Tell that a generation is closed: once, though a page and its sender may both name it."""
        if [name, generation] not in self.minimums:
            self.minimums.append([name, generation])

    def larger_than(self, room: int) -> bool:
        """Return whether some of it may not fit (by the largest size of each part)."""
        size = sum(map(len, self.rows)) + sum(len(page) + 10 for page in self.pages)
        size += 90 * len(self.minimums) + 2 * (self.full + self.ahead)
        size += sum(map(want_size, self.wants))
        return size > room

    def fitting(self, room: int) -> tuple[bytes, dict[int, Any]]:
        """Return the rows and options that fit ``room`` bytes; the rest is dropped."""
        options: dict[int, Any] = {}
        rows: list[bytes] = []
        for said, option in ((self.full, wire.OPT_FULL), (self.ahead, wire.OPT_AHEAD)):
            if said and room >= 2:
                options[option] = True
                room -= 2
        for option, value in ((wire.OPT_TOLD, self.told), (wire.OPT_LIFE, self.life)):
            if value is not None and (size := len(cbor2.dumps(value)) + 2) <= room:
                options[option] = value
                room -= size
        for row in self.rows:
            if len(row) <= room:
                rows.append(row)
                room -= len(row)
        for key, items in ((wire.OPT_MINIMUMS, self.minimums), (wire.OPT_WANT, self.wants)):
            for item in items:
                size = len(cbor2.dumps(item))
                if size + 6 <= room:
                    options.setdefault(key, []).append(item)
                    room -= size + 6
        for page in dict.fromkeys(self.pages):
            if len(page) + 10 <= room:
                options.setdefault(wire.OPT_PAGES, []).append(page)
                room -= len(page) + 10
        return b"".join(rows), options


class Inbound:
    """One datagram that was admitted."""

    __slots__ = (
        "delayed",
        "frame",
        "introduced",
        "is_answer",
        "pages",
        "read_at",
        "said",
        "sender",
        "source",
        "waited",
    )

    def __init__(
        self, frame: wire.Frame, source: Address, pages: Sequence[Page], now: float
    ) -> None:
        self.frame = frame
        self.source = source
        #: Its readable pages.
        self.pages = pages
        #: The sender's record, once there is one: it may be in this very datagram.
        self.sender: Member | None = None
        #: True if it brought the record of a sender that was unknown before.
        self.introduced = False
        #: True if a later datagram of the same sender overtook this one (which may be a replay).
        self.delayed = False
        #: True if it answers a probe of this node.
        self.is_answer = False
        #: Core time at which it is read, and seconds that it may have waited here before.
        self.read_at = now
        self.waited = 0.0
        #: The reply; None: nothing so far.
        self.said: Reply | None = None

    @property
    def reply(self) -> Reply:
        """The reply, to be added to."""
        if self.said is None:
            self.said = Reply(self.source)
        return self.said

    def first_hand(self, sender: Member) -> EvidenceTime:
        """Return when the sender was heard: now; but from a dead one this may be a replay [P42]."""
        if sender.declared_dead_at is not None:
            return unknown(self.read_at, self.waited)
        return first_hand(self.read_at, self.waited)

    def hearsay(self, member: Member, age: float) -> EvidenceTime:
        """Return when evidence was had to which the sender gives that age, in a row [P42].

        In a datagram that was overtaken, from a stranger, and of what a sender says of itself, it
        proves no more than that it was sent once.
        """
        sender = self.sender
        if sender is None or self.delayed or member is sender:
            return unknown(self.read_at, self.waited)
        dead = member.declared_dead_at is not None
        return hearsay(self.read_at, self.waited, age, dead=dead)

    @property
    def answers_to(self) -> Member | Stranger:
        """The receiver of the reply, at ``source``."""
        return self.sender or Stranger(self.source, self.frame.sender)

    def take_reply(self, room: int) -> tuple[bytes, dict[int, Any] | None]:
        """Take the part of the reply that fits, as rows and options; the rest is dropped."""
        said, self.said = self.said, None
        return said.fitting(room) if said else (b"", None)
