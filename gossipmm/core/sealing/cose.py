"""COSE_Encrypt0 (RFC 9052, section 5.2) as this protocol uses it: bytes in, bytes out.

A sealed datagram is, untagged and in shortest form only::

    [ << {1: 3, 4: kid} >>,      / protected: A256GCM (RFC 9053, section 4.1), key id  /
      {5: boot id + counter},    / unprotected: the IV, 8 + 4 bytes                    /
      ciphertext with its tag ]

The AES key is not the shared one but derived from it for one boot id and kid (HKDF-SHA-256, RFC
5869), so that two nodes, or two lives of one node, never use the same key and IV. The external
data, which is authenticated as well, has the protocol's name and version, and the cluster's name.
"""

from __future__ import annotations

from typing import Final

import cbor2

from gossipmm.core.sealing.keyring import MAX_KID
from gossipmm.core.values.stats import Drop
from gossipmm.core.wire.frame import PROTOCOL
from gossipmm.core.wire.strict import Refused

__all__ = (
    "BOOT_SIZE",
    "IV_SIZE",
    "MAX_OVERHEAD",
    "TAG_SIZE",
    "ciphertext_untrusted",
    "enc_structure",
    "external_aad",
    "kdf_info",
    "kid_untrusted",
    "prefix",
    "prefix_size_untrusted",
    "protected_header",
)

_ALG, _KID, _IV = 1, 4, 5
_A256GCM: Final = 3

BOOT_SIZE: Final = 8
IV_SIZE: Final = 12
TAG_SIZE: Final = 16
#: Bytes before the IV with an empty kid, and where the kid's head (0x40 + size) is.
_PREFIX_SIZE: Final = 10
_KID_HEAD_AT: Final = 6
#: Prefix with a kid of 4 bytes, IV, head of the ciphertext, tag.
MAX_OVERHEAD: Final[int] = _PREFIX_SIZE + MAX_KID + IV_SIZE + 3 + TAG_SIZE


def kdf_info(cluster: str, kid: bytes) -> bytes:
    """Return what HKDF binds a sub-key to, besides the boot id, which is its salt."""
    return b"gossipmm1" + cluster.encode() + kid


def protected_header(kid: bytes) -> bytes:
    """Encode the protected header: algorithm and key id."""
    return cbor2.dumps({_ALG: _A256GCM, _KID: kid})


def external_aad(cluster: str) -> bytes:
    """Encode what both sides know, so that it must be equal on both."""
    return cbor2.dumps(["gossipmm", PROTOCOL, cluster])


def enc_structure(protected: bytes, external: bytes) -> bytes:
    """Encode the Enc_structure of a COSE_Encrypt0: the additional data of the AEAD."""
    return cbor2.dumps(["Encrypt0", protected, external])


def prefix(kid: bytes) -> bytes:
    """Return all bytes before the IV's value: the same in every datagram of a key."""
    whole = cbor2.dumps([protected_header(kid), {_IV: bytes(IV_SIZE)}, b""])
    return whole[: -IV_SIZE - 1]


def prefix_size_untrusted(data: bytes) -> int:
    """Return where the IV would begin, by the kid's size. Raises Refused for short bytes."""
    if len(data) < _PREFIX_SIZE + IV_SIZE + 1 + TAG_SIZE:
        raise Refused(Drop.MALFORMED)
    return data[_KID_HEAD_AT] - 0x40 + _PREFIX_SIZE


def ciphertext_untrusted(data: bytes, at: int) -> bytes:
    """Return the ciphertext whose head is at ``at``. Raises Refused unless it is exactly that."""
    size = len(data) - at
    head = data[at] if size > TAG_SIZE + 1 else 0
    if head == 0x58 and size >= 26 and data[at + 1] == size - 2:
        return data[at + 2 :]
    if head == 0x59 and size >= 259 and data[at + 1] << 8 | data[at + 2] == size - 3:
        return data[at + 3 :]
    if head == 0x40 + size - 1 and size < 25:
        return data[at + 1 :]
    raise Refused(Drop.MALFORMED)


def kid_untrusted(data: bytes) -> bytes | None:
    """Return the key id of anything formed like a sealed datagram; None: it is something else."""
    if len(data) <= _KID_HEAD_AT:
        return None
    size = data[_KID_HEAD_AT] - 0x40
    end = _KID_HEAD_AT + 1 + size
    if (
        1 <= size <= MAX_KID
        and data[:_KID_HEAD_AT] == b"\x83%c\xa2\x01\x03\x04" % (0x45 + size)
        and data[end : end + 3] == b"\xa1\x05\x4c"
    ):
        return data[_KID_HEAD_AT + 1 : end]
    return None
