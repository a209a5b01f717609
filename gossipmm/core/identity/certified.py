"""The certificates of names, as one node knows them, and what they allow [P163].

Knows no table and no clock: who asks says which names are kept, and what time it is. Bounded by the
names that a table remembers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Final

from gossipmm.core.identity.certificates import (
    GRACE,
    HELD_GRACE,
    Certificate,
    certificate_untrusted,
)
from gossipmm.core.identity.keys import Identity, Verify
from gossipmm.core.identity.revocations import Revocations, revocations_untrusted
from gossipmm.core.values.fault import Fault
from gossipmm.core.values.rotation_order import RotationOrder
from gossipmm.core.values.types import NodeId
from gossipmm.core.wire.pages import Page

__all__ = ("Certified",)

#: Certificates and lists seen to be forged that are remembered: 8 bytes of hash each.
_REMEMBERED: Final = 1024


class Certified:
    """Which key an authority says speaks for each name."""

    def __init__(self, identity: Identity, cluster: str, verify: Verify, most: int) -> None:
        """``verify`` charges for a look at a signature; ``most``: names, unless more are kept."""
        self._authorities = identity.authorities
        self._cluster = cluster
        self._verify = verify
        self._most = most
        self._bad: dict[bytes, None] = {}
        self._held: dict[NodeId, Certificate] = {}
        self._revoked: Revocations | None = None
        #: False while this node's clock is known to be wrong: nothing is judged by time then.
        self.judges_time = True
        if identity.revocations is not None:
            self.take_revocations(identity.revocations)

    # -- certificates --------------------------------------------------------------------------

    def take(
        self, name: NodeId, raw: bytes, wall: float, is_kept: Callable[[NodeId], bool]
    ) -> Fault | None:
        """Take a certificate that somebody showed for a name; say why it does not count.

        The highest issue number of a name is kept, and one below it never again taken. At one
        number the greater bytes count, so that all hold the same. One that has ended is kept as
        well: its number is a floor.
        """
        read = certificate_untrusted(raw)
        if isinstance(read, Fault):
            return read
        if read.name != name:
            return Fault.OTHER_NAME
        held = self._held.get(name)
        if held is not None and (read.issue, raw) <= (held.issue, held.raw):
            return None if raw == held.raw else Fault.SUPERSEDED
        if self._is_revoked(read):
            return Fault.REVOKED
        fault = self._authentic(raw, read)
        if fault is None and self.judges_time and read.why_not_now(wall) is Fault.NOT_YET_VALID:
            fault = Fault.NOT_YET_VALID
        if fault is not None:
            return fault
        if held is None and len(self._held) >= self._most:
            for old in [old for old in self._held if not is_kept(old)]:
                del self._held[old]
        self._held[name] = read
        return None

    def _authentic(self, raw: bytes, read: Certificate | Revocations) -> Fault | None:
        """Check a signature; one that was seen to be bad is known again without a look."""
        seen = blake2b(raw, digest_size=8).digest()
        if seen in self._bad:
            return Fault.BAD_SIGNATURE
        fault = read.why_not_authentic(self._cluster, self._authorities, self._verify)
        if fault is Fault.BAD_SIGNATURE:
            if len(self._bad) >= _REMEMBERED:
                del self._bad[next(iter(self._bad))]
            self._bad[seen] = None
        return fault

    def of(self, name: NodeId) -> Certificate | None:
        """Return the certificate of a name, whether it counts or not; None: none is known."""
        return self._held.get(name)

    def key_of(self, name: NodeId) -> bytes | None:
        """Return the key that the certificate of a name names, unless that is revoked."""
        held = self._held.get(name)
        return None if held is None or self._is_revoked(held) else held.public

    def why_not(self, name: NodeId, public: bytes, wall: float, *, held: bool) -> Fault | None:
        """Say why a key does not speak for a name at that time.

        ``held``: for a life that is known already. Its certificate may have ended up to a day ago,
        so that an authority that is late takes no working host away.
        """
        certificate = self._held.get(name)
        if certificate is None:
            return Fault.MISSING
        if self._is_revoked(certificate):
            return Fault.REVOKED
        if certificate.public != public:
            return Fault.OTHER_KEY
        if not self.judges_time:
            return None
        fault = certificate.why_not_now(wall)
        kept = held and wall < certificate.expires + HELD_GRACE + GRACE
        return None if fault is Fault.EXPIRED and kept else fault

    def has_ended(self, name: NodeId, wall: float) -> bool:
        """Return whether the certificate of a name has ended, or was revoked."""
        held = self._held.get(name)
        if held is None:
            return False
        return self._is_revoked(held) or (
            self.judges_time and held.why_not_now(wall) is Fault.EXPIRED
        )

    def limited(self, page: Page) -> Page | None:
        """Return a page with what its owner may announce; None: no address is left [P164].

        The bytes stay as they are: they are what others are told, and what is signed.
        """
        certificate = self._held.get(page.name)
        if certificate is None:
            return page
        if page.addresses and certificate.networks is not None:
            allowed = tuple(one for one in page.addresses if certificate.allows_host(one[0]))
            if not allowed:
                return None
            if len(allowed) < len(page.addresses):
                page = page._replace(addresses=allowed)
        if page.entries and certificate.topics is not None:
            entries = tuple(one for one in page.entries if certificate.allows_topic(one.topic))
            if len(entries) < len(page.entries):
                page = page._replace(entries=entries)
        return page

    def forget(self, name: NodeId) -> bool:
        """Drop the certificate of a name, by hand. Its issue number is a floor no longer."""
        return self._held.pop(name, None) is not None

    def ends(self) -> Mapping[NodeId, float]:
        """Return when each certificate held ends, in seconds since 1970."""
        return {name: held.expires for name, held in self._held.items()}

    # -- revocations ---------------------------------------------------------------------------

    def _is_revoked(self, certificate: Certificate) -> bool:
        return self._revoked is not None and self._revoked.revokes(certificate)

    @property
    def revocations(self) -> bytes | None:
        """The list of revocations held, as it travels; None: there is none."""
        return None if self._revoked is None else self._revoked.raw

    @property
    def number(self) -> int:
        """The number of that list; 0: there is none."""
        return 0 if self._revoked is None else self._revoked.number

    def last_order(self) -> RotationOrder | None:
        """Return the rotation of keys that the authority's list allows; None: there is not any."""
        return None if self._revoked is None else self._revoked.order

    def take_revocations(self, raw: bytes) -> Fault | None:
        """Take a list of revocations; say why it does not count, or is not a newer one [P165]."""
        read = revocations_untrusted(raw)
        if isinstance(read, Fault):
            return read
        if read.number <= self.number:
            return Fault.SUPERSEDED
        fault = self._authentic(raw, read)
        if fault is None:
            self._revoked = read
        return fault

    def revoked(self) -> tuple[NodeId, ...]:
        """Return the names whose certificate held here is revoked."""
        return tuple(name for name, held in self._held.items() if self._is_revoked(held))
