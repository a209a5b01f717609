"""The list of an authority: what certificates no longer count, what rotation may begin.

The list is signed as a certificate is, with a content type of its own::

    { 3: cluster, -70004: number, -70005: {name: least issue that counts},
      ? -70006: [evictions, epoch, members, keep, old kid, new kid] }

The highest number of a cluster counts, and replaces the list before as a whole [P162]. Versions
that know no orders [P185] skip the last claim.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from gossipmm.core.identity.certificates import Certificate
from gossipmm.core.identity.keys import Signer, Verify
from gossipmm.core.identity.sign1 import Signed, seal, signed_untrusted, why_not_signed
from gossipmm.core.values.fault import Fault
from gossipmm.core.values.rotation_order import RotationOrder, order_of
from gossipmm.core.values.types import NodeId
from gossipmm.core.wire.frame import MAX_COUNTER
from gossipmm.errors import IdentityError
from gossipmm.names import is_name, why_not_name

__all__ = (
    "MAX_REVOCATIONS",
    "Revocations",
    "encode_revocations",
    "revocations_untrusted",
)

#: Bytes: it travels whole in one datagram, beside a frame. Some 35 names of 20 characters.
MAX_REVOCATIONS: Final = 1000
_AUD, _NUMBER, _LEAST, _ORDER = 3, -70004, -70005, -70006
_CONTENT: Final = "gossipmm-revocations"


class Revocations(NamedTuple):
    """One list of revocations, read. ``why_not_authentic`` says if it counts."""

    cluster: str
    #: The highest one counts.
    number: int
    #: Name: certificates with a lower issue number do not count.
    least: Mapping[NodeId, int]
    #: The rotation of keys that may begin; None: the authority has not ordered any.
    order: RotationOrder | None
    signed: Signed
    #: As it was issued, and travels.
    raw: bytes

    def why_not_authentic(
        self, cluster: str, authorities: tuple[bytes, ...], verify: Verify
    ) -> Fault | None:
        """Say why it is not one of this cluster by one of these authorities."""
        if self.cluster != cluster:
            return Fault.FOREIGN_CLUSTER
        return why_not_signed(self.signed, authorities, verify)

    def revokes(self, certificate: Certificate) -> bool:
        """Return whether that certificate no longer counts."""
        return certificate.issue < self.least.get(certificate.name, 0)


def encode_revocations(
    signer: Signer,
    *,
    cluster: str,
    number: int,
    least: Mapping[str, int],
    order: RotationOrder | None = None,
) -> Revocations:
    """Sign a list of revocations. Raises IdentityError for what cannot be one."""
    for name in least:
        if reason := why_not_name("node name", name):
            raise IdentityError(reason)
    claims: dict[int, Any] = {_AUD: cluster, _NUMBER: number, _LEAST: dict(sorted(least.items()))}
    if order is not None:
        claims[_ORDER] = list(order)
    raw = seal(claims, signer, _CONTENT)
    if len(raw) > MAX_REVOCATIONS:
        raise IdentityError(
            f"a list of {len(least)} revoked names would take {len(raw)} bytes, more than the "
            f"{MAX_REVOCATIONS} allowed: let some of their certificates end first"
        )
    read = revocations_untrusted(raw)
    if isinstance(read, Fault):
        raise IdentityError(f"a list of revocations with number {number} is none that can be read")
    return read


@lru_cache(maxsize=16)  # of one cluster there is one, and now and then the next
def revocations_untrusted(raw: bytes) -> Revocations | Fault:
    """Read a list; its signature is not checked. Returns what is wrong with its form."""
    signed = signed_untrusted(raw, MAX_REVOCATIONS, _CONTENT)
    if isinstance(signed, Fault):
        return signed
    cluster, number, least = (signed.claims.get(claim) for claim in (_AUD, _NUMBER, _LEAST))
    if type(cluster) is not str or type(number) is not int or type(least) is not dict:
        return Fault.MALFORMED
    if not (is_name(cluster) and 0 < number < MAX_COUNTER and all(map(_is_entry, least.items()))):
        return Fault.MALFORMED
    order = order_of(signed.claims[_ORDER]) if _ORDER in signed.claims else None
    return Revocations(cluster, number, MappingProxyType(least), order, signed, raw)


def _is_entry(item: tuple[object, object]) -> bool:
    name, least = item
    return type(name) is str and is_name(name) and type(least) is int and 0 < least <= MAX_COUNTER
