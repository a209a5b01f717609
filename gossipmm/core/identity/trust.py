"""Which key speaks for which name: pins, conflicts about them, and whether a signature holds.

Knows no table: who asks says what is held. Bounded: pins by the names that a table remembers,
everything else by a number of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import blake2b
from math import inf
from typing import Final, NamedTuple

from gossipmm.core.identity.certified import Certified
from gossipmm.core.identity.clocks import Clocks
from gossipmm.core.identity.keys import Identity, IdentityMode, key_id
from gossipmm.core.identity.signed import Life, Texts
from gossipmm.core.values.stats import Stats
from gossipmm.core.values.types import Generation, NodeId
from gossipmm.core.wire.pages import Page

__all__ = ("Claimant", "Pin", "Trust")

#: Steps of work (2.5 us) of a verification, and how many of those a bad one is charged as.
VERIFIED: Final = 23
_BAD: Final = 10
#: Pages seen to be forged that are remembered: 8 bytes of hash each.
_REMEMBERED: Final = 4096
#: Seconds of life after which a key counts as that of its name, though it never answered here.
_FIRM_AFTER: Final = 60.0
#: Names with another claimant, or refused as unsigned, that are remembered, and seconds after which
#: that is over.
_CLAIMANTS: Final = 1024
_OVER_AFTER: Final = 60.0
#: Seconds for which a name is refused before that is told.
_MOMENT: Final = 5.0
#: Clocks that are wanted of a node that has just begun.
_CLOCKS: Final = 3
#: Keys of one name that did not answer, remembered.
_SILENT: Final = 4


class Pin:
    """The key of a name, since when, and whether it is firm: never replaced [P152]."""

    __slots__ = ("again_at", "asked_at", "firm", "key", "silent", "since")

    def __init__(self, key: bytes, since: float, *, firm: bool = False) -> None:
        self.key = key
        self.since = since
        self.firm = firm
        #: When its owner was asked to show that it lives, because of another key; None: never.
        self.asked_at: float | None = None
        #: From when on it is asked once more.
        self.again_at = 0.0
        #: Other keys of the name whose owners were asked and did not answer.
        self.silent: tuple[bytes, ...] = ()


class Claimant(NamedTuple):
    """Another key under which somebody used a name, and when that was last seen."""

    key: bytes
    at: float


class Trust:
    """The keys of names, as one node believes them."""

    def __init__(self, identity: Identity, cluster: str, stats: Stats, most: int) -> None:
        """``most``: names that pins are kept for, unless the table remembers more of them."""
        self.identity = identity
        self.require = identity.mode is IdentityMode.REQUIRE
        self.texts = Texts(cluster)
        self._stats = stats
        #: What authorities say of names; None: there is no authority, names are pinned.
        self.certified: Certified | None = None
        self.clocks = Clocks()
        if identity.authorities:
            self.certified = Certified(identity, cluster, self.verify, most)
        self._most = most
        self._bad: dict[int, None] = {}
        self._claimants: dict[NodeId, Claimant] = {}
        self.pins: dict[NodeId, Pin] = {
            name: Pin(key, -inf, firm=True)
            for name, key in ({} if identity.authorities else identity.pins).items()
        }
        #: Counts changes of firm pins, so that the shell knows when to write them.
        self.version = 0
        self._unsigned: dict[NodeId, tuple[float, float]] = {}
        #: New names that have to answer first: generation and key, by page 0 [P189].
        self.candidates: dict[NodeId, tuple[Generation, bytes]] = {}

    # -- signatures --------------------------------------------------------------------------

    def holds(self, page: Page, key: bytes) -> bool:
        """Return whether a key signed a page; each look at a signature is charged as work [P151].

        One that was seen to be bad is known again by its hash, together with the key.
        """
        seen = page.digest ^ int.from_bytes(key[:8], "big")
        if seen in self._bad:
            return False
        if self.verify(key, self.texts.of_page(page), page.signature):
            return True
        if len(self._bad) >= _REMEMBERED:
            del self._bad[next(iter(self._bad))]
        self._bad[seen] = None
        return False

    def states(self, life: Life, signature: bytes, key: bytes) -> bool:
        """Return whether a key signed a statement of life [P156]."""
        return self.verify(key, self.texts.of_life(life), signature)

    def verify(self, key: bytes, text: bytes, signature: bytes) -> bool:
        """Look at a signature, and charge it; a bad one ten times."""
        self._stats.work += VERIFIED
        if self.identity.verify(key, text, signature):
            return True
        self._stats.work += VERIFIED * (_BAD - 1)
        return False

    # -- names ---------------------------------------------------------------------------------

    def key_of(self, name: NodeId) -> bytes | None:
        """Return the key that speaks for a name; None: none is known."""
        if self.certified is not None:
            return self.certified.key_of(name)
        pin = self.pins.get(name)
        return pin.key if pin is not None else None

    def candidate(self, name: NodeId, generation: Generation) -> bytes | None:
        """Return the key that signs for a new name, should its owner answer [P189]."""
        life, key = self.candidates.get(name, (0, b""))
        return key if life == generation and key else None

    def pin(self, name: NodeId, key: bytes, now: float, is_kept: Callable[[NodeId], bool]) -> None:
        """Pin the first key of a name, provisionally; ``is_kept``: the table remembers a name."""
        if len(self.pins) >= self._most:
            for old in [old for old in self.pins if not is_kept(old)]:
                del self.pins[old]
        self.pins[name] = Pin(key, now)

    def is_firm(self, name: NodeId, now: float, *, lived: bool) -> bool:
        """Return whether the pin of a name is never replaced; ``lived``: it was held alive."""
        pin = self.pins[name]
        if not pin.firm and lived and now - pin.since >= _FIRM_AFTER:
            self.answered(name)
        return pin.firm

    def answered(self, name: NodeId) -> None:
        """Take a statement of life that the pinned key of a name made for this node."""
        pin = self.pins.get(name)
        if pin is not None and not pin.firm:
            pin.firm = True
            self.version += 1

    def has_answered(self, name: NodeId) -> bool:
        """Return whether the key of a name needs no more proof that its owner lives."""
        if self.certified is not None:
            return self.clocks.are_enough(_CLOCKS)
        pin = self.pins.get(name)
        return pin is None or pin.firm

    def is_asked(self, name: NodeId, now: float, apart: float) -> bool:
        """Note that the owner of a provisional pin is to be asked, each ``apart`` seconds [P193].

        False: it was, already.
        """
        pin = self.pins[name]
        if pin.asked_at is None:
            pin.asked_at = now
        elif now < pin.again_at:
            return False
        pin.again_at = now + apart
        return True

    def must_yield(self, name: NodeId, key: bytes, now: float, patience: float) -> bool:
        """Return whether another key takes the place of a provisional one [P152].

        That one did not answer within ``patience``, while the other was not asked yet, or did not
        either and is the lower one by hash.
        """
        pin = self.pins[name]
        if pin.asked_at is None or now - pin.asked_at < patience:
            return False
        return key not in pin.silent or _rank(key) < _rank(pin.key)

    def replace(self, name: NodeId, key: bytes, now: float) -> None:
        """Let another key take the place of a provisional one that did not answer."""
        old = self.pins[name]
        pin = self.pins[name] = Pin(key, now)
        pin.silent = (*old.silent, old.key)[-_SILENT:]
        if key in old.silent:
            pin.asked_at = now - _OVER_AFTER

    def forget(self, name: NodeId) -> bool:
        """Drop the pin of a name, by hand; its next key is a first one."""
        pin = self.pins.pop(name, None)
        self._claimants.pop(name, None)
        self.version += pin is not None and pin.firm
        return pin is not None

    def firm_pins(self) -> Mapping[NodeId, bytes]:
        """Return the pins to be kept for the next run of this node."""
        if self.certified is not None:
            return self.identity.pins
        return {name: pin.key for name, pin in self.pins.items() if pin.firm}

    # -- who is not ready ------------------------------------------------------------------------

    def note_unsigned(self, name: NodeId, now: float) -> None:
        """Remember for a minute that what a name says is refused, because nobody signed it."""
        first, last = self._unsigned.pop(name, (now, now))
        if now - last >= _OVER_AFTER:
            first = now
        if len(self._unsigned) >= _CLAIMANTS:
            del self._unsigned[next(iter(self._unsigned))]
        self._unsigned[name] = first, now

    def unsigned(self, now: float) -> tuple[NodeId, ...]:
        """Return names whose records are refused as unsigned, for more than a moment.

        What comes before its certificate is an order of arrival.
        """
        return tuple(
            name
            for name, (first, last) in self._unsigned.items()
            if now - last < _OVER_AFTER and now - first >= _MOMENT
        )

    # -- conflicts -------------------------------------------------------------------------------

    def claims(self, name: NodeId, key: bytes, now: float) -> bool:
        """Note that somebody uses a name with another key. True: that has to be said."""
        before = self._claimants.pop(name, None)
        if before is None and len(self._claimants) >= _CLAIMANTS:
            del self._claimants[next(iter(self._claimants))]
        self._claimants[name] = Claimant(key, now)
        return before is None or now - before.at >= _OVER_AFTER

    def is_claimed(self, name: NodeId, now: float) -> bool:
        """Return whether somebody has just used a name with another key."""
        claimant = self._claimants.get(name)
        return claimant is not None and now - claimant.at < _OVER_AFTER

    def claimed(self, now: float) -> tuple[tuple[NodeId, str], ...]:
        """Return names that somebody uses with another key, and the ids of those keys."""
        return tuple(
            (name, key_id(claimant.key))
            for name, claimant in self._claimants.items()
            if now - claimant.at < _OVER_AFTER
        )


def _rank(key: bytes) -> bytes:
    """Return what keys are compared by where nothing else decides: a hash, alike everywhere."""
    return blake2b(key, digest_size=16, person=b"gossipmm-rank").digest()
