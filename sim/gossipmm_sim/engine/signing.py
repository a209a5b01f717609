"""Keys of simulated names: Ed25519, or a stand-in of the same sizes at a hundredth of the time.

The stand-in proves nothing to anybody who breaks the rules: who knows a public key could compute
signatures. In a simulation nobody does, unless a fault is meant to; figures of time need real ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from gossipmm.core.identity.certificates import Wanted, encode_certificate
from gossipmm.core.identity.keys import (
    Ed25519Signer,
    Identity,
    IdentityMode,
    Signer,
    verify_ed25519,
)
from gossipmm.core.identity.revocations import encode_revocations
from gossipmm.core.identity.signed import seal_of
from gossipmm.core.values.rotation_order import order_of_text

if TYPE_CHECKING:
    from gossipmm.core.wire.pages import Seal

__all__ = ("MODES", "SIGNATURES", "TRUSTS", "Keys", "StandInSigner", "verify_stand_in")

#: How far the hosts of a cluster go, what binds a key to a name, and what signs.
MODES: Final = ("off", *(str(mode) for mode in IdentityMode))
#: None that a node can have, so that nobody else has its key.
_AUTHORITY: Final = "/authority"
TRUSTS: Final = ("pin", "authority")
SIGNATURES: Final = ("stand_in", "ed25519")

#: Seconds for which a certificate counts before and after it is made: longer than any run.
_LASTS: Final = 86_400 * 30


class StandInSigner:
    """The key of a name: each name has one, and ``number`` others."""

    __slots__ = ("public",)

    def __init__(self, name: str, number: int = 0) -> None:
        data = f"{number}/{name}".encode()
        self.public = blake2b(data, digest_size=32, person=b"stand-in-key").digest()

    def sign(self, text: bytes) -> bytes:
        """Return 64 bytes that ``verify_stand_in`` takes for this key's signature."""
        return blake2b(text, key=self.public, digest_size=64).digest()


def verify_stand_in(public: bytes, text: bytes, signature: bytes) -> bool:
    """Return whether the stand-in of that key signed a text. Any bytes may be given."""
    return len(public) == 32 and blake2b(text, key=public, digest_size=64).digest() == signature


class Keys:
    """The keys of a cluster's names and of its authority. ``number`` 0 is the one of the name."""

    def __init__(self, cluster: str, *, trust: str = "pin", signatures: str = "stand_in") -> None:
        self.cluster = cluster
        self.trust = trust
        self._real = signatures == "ed25519"
        self._verify = verify_ed25519 if self._real else verify_stand_in

    def signer(self, name: str, number: int = 0) -> Signer:
        """Return the key that signs for a name."""
        if not self._real:
            return StandInSigner(name, number)
        return Ed25519Signer.from_seed(
            blake2b(f"{number}/{name}".encode(), digest_size=32).digest()
        )

    def seal(self, name: str, number: int = 0) -> Seal:
        """Return what signs pages with that key, whoever they are of."""
        return seal_of(self.signer(name, number), self.cluster)

    def order(self, word: str, number: int) -> bytes:
        """Return the authority's list with that number, which orders a rotation of keys."""
        order = order_of_text(word)
        signer = self.signer(_AUTHORITY)
        made = encode_revocations(
            signer, cluster=self.cluster, number=number, least={}, order=order
        )
        return made.raw

    def identity(
        self, name: str, mode: str, pins: Mapping[str, bytes], wall_ms: int, lists: bytes | None
    ) -> Identity:
        """Return what the process of a name is given, with what it kept of its last run."""
        signer = self.signer(name)
        authorities: tuple[bytes, ...] = ()
        certificate: bytes | None = None
        if self.trust == "authority":
            authority, now = self.signer(_AUTHORITY), wall_ms // 1000
            wanted = Wanted(
                name, self.cluster, signer.public, max(1, now // 60), now - _LASTS, now + _LASTS
            )
            authorities = (authority.public,)
            certificate = encode_certificate(authority, wanted).raw
        return Identity(
            IdentityMode(mode),
            signer,
            self._verify,
            authorities,
            certificate,
            dict(pins),
            lists,
        )
