"""Senders of sealed datagrams: one session per boot id, once it has proved that it is alive now.

A boot id that is not known here may be an old one, and its datagrams a recording. So it is
challenged: it gets a cookie, bound to itself and to the address that it uses, and counts once it
returns the cookie. Until then nothing about it is kept here, not even the cookie, which can be
computed again (as in a DTLS HelloVerifyRequest, RFC 9147 section 5.1). After that a sliding window
refuses whatever was received before (as in OSCORE, RFC 8613 section 7.4). A session may be
forgotten at any time: the boot id is unknown again, and challenged.
"""

from __future__ import annotations

import hmac
import random
from hashlib import blake2b
from typing import Any, Final

from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import Address

__all__ = ("COOKIE_SIZE", "WINDOW", "Cookies", "Session", "Sessions")

#: Datagrams of one boot id that may overtake each other.
WINDOW: Final = 4096
_MASK: Final = (1 << WINDOW) - 1
COOKIE_SIZE: Final = 8
#: Seconds after which cookies change; one is good for one to two of these.
_EPOCH: Final = 8.0
#: Addresses of one boot id that count at a time: both families, and both sides of a NAT.
_ADDRESSES: Final = 4
#: Sessions up to which none is checked for being long unused.
_FEW: Final = 64
#: Seconds without a datagram after which a session may go. Peers of a cluster of 10,000 meet
#: each other about every 2,500 s.
_UNUSED: Final = 3600.0


class Session:
    """What is kept about a sender: the counters received from it, and its validated addresses."""

    __slots__ = ("addresses", "ciphers", "heard", "seen", "top")

    def __init__(self, counter: int) -> None:
        #: Highest counter received.
        self.top = counter
        #: Bit i: the counter ``top - i`` was received. Older than the proof counts as received.
        self.seen = _MASK
        self.addresses: tuple[Address, ...] = ()
        self.heard = 0.0
        #: AEAD of its sub-key by kid.
        self.ciphers: dict[bytes, Any] = {}

    def refuses(self, counter: int) -> Drop | None:
        """Return why a counter cannot be accepted; None when it can [P112]."""
        behind = self.top - counter
        if behind < 0:
            return None
        if behind >= WINDOW:
            return Drop.BEHIND_WINDOW
        return Drop.REPLAYED if self.seen >> behind & 1 else None

    def mark(self, counter: int) -> None:
        """Remember a counter that was accepted."""
        ahead = counter - self.top
        if ahead <= 0:
            self.seen |= 1 << -ahead
        else:
            self.seen = (self.seen << ahead | 1) & _MASK if ahead < WINDOW else 1
            self.top = counter

    def proved(self, address: Address) -> None:
        """Remember an address at which the sender received what was sent there."""
        others = [other for other in self.addresses if other != address]
        self.addresses = (address, *others[: _ADDRESSES - 1])


class Sessions:
    """Sessions by boot id, at most ``limit``; the one silent for longest goes first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._look_at = min(_FEW, limit)
        self.by_boot: dict[bytes, Session] = {}
        self.get = self.by_boot.get

    def add(self, boot: bytes, counter: int, now: float) -> tuple[Session, bool]:
        """Begin a session; return it, and True if sessions in use had to go to make room."""
        crowded = len(self.by_boot) >= self._look_at and self._make_room(now)
        session = self.by_boot[boot] = Session(counter)
        session.heard = now
        return session, crowded

    def _make_room(self, now: float) -> bool:
        by_age = sorted(self.by_boot.items(), key=lambda item: item[1].heard)
        kept = [item for item in by_age if now - item[1].heard < _UNUSED]
        crowded = len(kept) >= self._limit
        if crowded:
            # A quarter at once: sorting at every newcomer would be work that an attacker can cause.
            kept = kept[len(kept) - self._limit * 3 // 4 :] if self._limit > 1 else []
        self.by_boot.clear()
        self.by_boot.update(kept)
        self._look_at = min(max(_FEW, 2 * len(kept)), self._limit)
        return crowded

    def forget_ciphers(self) -> None:
        """Drop every derived sub-key: the keys have changed."""
        for session in self.by_boot.values():
            session.ciphers.clear()


class Cookies:
    """Challenges that need no memory: a keyed hash of sender and address, good for a while."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.renew()

    def renew(self) -> None:
        """Invalidate all cookies given so far."""
        self._secret = self._rng.getrandbits(256).to_bytes(32, "big")

    def make(self, boot: bytes, source: Address, now: float) -> bytes:
        """Return the cookie for a boot id that sends from an address."""
        return self._hash(boot, source, int(now // _EPOCH))

    def is_good(self, cookie: bytes, boot: bytes, source: Address, now: float) -> bool:
        """Return whether a cookie was made for this boot id and address, not long ago."""
        epoch = int(now // _EPOCH)
        return hmac.compare_digest(cookie, self._hash(boot, source, epoch)) or hmac.compare_digest(
            cookie, self._hash(boot, source, epoch - 1)
        )

    def _hash(self, boot: bytes, source: Address, epoch: int) -> bytes:
        data = b"%s%d %d %s" % (boot, epoch, source[1], source[0].encode())
        return blake2b(data, digest_size=COOKIE_SIZE, key=self._secret).digest()
