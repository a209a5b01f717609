"""Keys of nodes and authorities: who signs, how a signature is checked, what a core is given.

Ed25519 (RFC 8032), whose signatures are deterministic: the same page always has the same bytes.
``cryptography`` is imported by the first key that is made or checked, not before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from gossipmm.core.values.types import NodeId
from gossipmm.errors import IdentityError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = (
    "PUBLIC_SIZE",
    "SEED_SIZE",
    "SIGNATURE_SIZE",
    "Ed25519Signer",
    "Identity",
    "IdentityMode",
    "Signer",
    "Verify",
    "key_id",
    "verify_ed25519",
)

#: Bytes of a public key, of the secret that a key is made from, and of a signature.
PUBLIC_SIZE: Final = 32
SEED_SIZE: Final = 32
SIGNATURE_SIZE: Final = 64

#: Public key, text, signature: True if the signature holds. Never raises, whatever the bytes.
Verify: TypeAlias = Callable[[bytes, bytes, bytes], bool]


class Signer(Protocol):
    """Signs with one key. The same text always has the same signature."""

    @property
    def public(self) -> bytes:
        """The public key that checks what is signed here: 32 bytes."""

    def sign(self, text: bytes) -> bytes:
        """Return the signature of ``text``: 64 bytes."""


class Ed25519Signer:
    """A secret key of Ed25519. The secret is not shown by ``repr``."""

    __slots__ = ("_key", "public")

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public: bytes = key.public_key().public_bytes_raw()

    @classmethod
    def from_seed(cls, seed: bytes) -> Ed25519Signer:
        """Make the key of a secret of 32 bytes. Raises IdentityError for other sizes, and zeros."""
        if len(seed) != SEED_SIZE:
            raise IdentityError(
                f"an identity key has {SEED_SIZE} bytes, but this has {len(seed)}: "
                "make one with gossipmm identity new"
            )
        if not any(seed):
            raise IdentityError("all zeros is not a secret: use gossipmm identity new")
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    def __repr__(self) -> str:
        return f"<Ed25519 key {key_id(self.public)}>"

    def sign(self, text: bytes) -> bytes:
        """Return the signature of ``text``: 64 bytes, in 20 us."""
        return self._key.sign(text)


def verify_ed25519(public: bytes, text: bytes, signature: bytes) -> bool:
    """Return True if ``public`` signed ``text``, in 57 us. Any bytes may be given."""
    if len(public) != PUBLIC_SIZE or len(signature) != SIGNATURE_SIZE:
        return False
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, text)
    except (InvalidSignature, ValueError):
        return False
    return True


def key_id(public: bytes) -> str:
    """Return the 16 hexadecimal digits by which people and logs name a public key."""
    return blake2b(public, digest_size=8, person=b"gossipmm-key").hexdigest()


class IdentityMode(StrEnum):
    """How far a node goes with identities; without an ``Identity`` it is off. Stable names."""

    ANNOUNCE = (
        "announce"  #: signs, judges what is signed, takes names never seen signed as they are
    )
    REQUIRE = "require"  #: refuses what is not signed


@dataclass(frozen=True, slots=True)
class Identity:
    """What the shell hands to a core so that it signs and judges. Every change is a new one.

    ``authorities`` are public keys: if there are any, a key counts for a name by a certificate
    only; else the first key of a name is pinned. ``pins`` are those of earlier runs, by name.
    """

    mode: IdentityMode
    signer: Signer
    verify: Verify = verify_ed25519
    authorities: tuple[bytes, ...] = ()
    #: This node's certificate, as the authority encoded it.
    certificate: bytes | None = None
    pins: Mapping[NodeId, bytes] = field(default_factory=lambda: MappingProxyType({}))
    #: The latest list of revocations of an earlier run, as the authority encoded it.
    revocations: bytes | None = None
