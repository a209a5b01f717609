"""COSE_Sign1 (RFC 9052, section 4.2) as authorities sign: bytes in, bytes out.

A signed message is, untagged and in shortest form only::

    [ << {1: -8, 4: kid} >>,   / protected: EdDSA (RFC 9053, section 2.2), id of the authority /
      {},                      / nothing that is not signed                                    /
      << claims >>,            / a CWT's claims (RFC 8392)                                     /
      signature ]              / 64 bytes                                                      /

What else is signed has a content type as well, so that neither can be taken for the other. One
message has one encoding: whoever holds it can repeat it, and nobody can write it another way.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import cbor2

from gossipmm.core.identity.keys import SIGNATURE_SIZE, Signer, Verify, key_id
from gossipmm.core.values.fault import Fault
from gossipmm.core.wire.strict import Refused, loads_untrusted

__all__ = ("Signed", "authority_id", "seal", "signed_untrusted", "why_not_signed")

_ALG, _TYPE, _KID = 1, 3, 4
_EDDSA: Final = -8
#: Bytes of the id of an authority: long enough that two of them do not share one by accident.
_KID_SIZE: Final = 8


class Signed(NamedTuple):
    """A message as it was signed. Its signature has not been checked."""

    #: Id of the authority that says to have signed it: 8 bytes.
    authority: bytes
    claims: dict[Any, Any]
    #: The Sig_structure: what the signature is over.
    text: bytes
    signature: bytes


def authority_id(public: bytes) -> bytes:
    """Return the 8 bytes that name an authority's public key."""
    return bytes.fromhex(key_id(public))


def _protected(authority: bytes, content: str) -> bytes:
    header: dict[int, Any] = {_ALG: _EDDSA, _KID: authority}
    if content:
        header = {_ALG: _EDDSA, _TYPE: content, _KID: authority}
    return cbor2.dumps(header)


def _text(protected: bytes, payload: bytes) -> bytes:
    """Encode the Sig_structure; there is no external data."""
    return cbor2.dumps(["Signature1", protected, b"", payload])


def seal(claims: dict[int, Any], signer: Signer, content: str = "") -> bytes:
    """Encode and sign claims."""
    protected, payload = _protected(authority_id(signer.public), content), cbor2.dumps(claims)
    return cbor2.dumps([protected, {}, payload, signer.sign(_text(protected, payload))])


def signed_untrusted(raw: bytes, limit: int, content: str = "") -> Signed | Fault:
    """Read a message of at most ``limit`` bytes with that content type."""
    if len(raw) > limit:
        return Fault.TOO_LARGE
    if raw[:1] not in (b"", b"\x84"):
        return Fault.MALFORMED
    try:
        protected, at = _bytes_untrusted(raw, 1)
        if raw[at : at + 1] not in (b"", b"\xa0"):
            return Fault.MALFORMED
        payload, at = _bytes_untrusted(raw, at + 1)
        signature, at = _bytes_untrusted(raw, at)
    except EOFError:
        return Fault.TRUNCATED
    except ValueError:
        return Fault.MALFORMED
    authority = protected[-_KID_SIZE:]
    if at != len(raw) or len(signature) != SIGNATURE_SIZE:
        return Fault.MALFORMED
    if protected != _protected(authority, content):
        return Fault.MALFORMED
    try:
        claims = loads_untrusted(payload)
    except Refused:
        return Fault.MALFORMED
    if type(claims) is not dict:
        return Fault.MALFORMED
    return Signed(authority, claims, _text(protected, payload), signature)


def _bytes_untrusted(raw: bytes, at: int) -> tuple[bytes, int]:
    """Read a byte string in shortest form; return it, and where it ends.

    Raises EOFError when ``raw`` ends before it does, ValueError for anything else.
    """
    head = raw[at] if at < len(raw) else -1
    if head == -1:
        raise EOFError
    if not 0x40 <= head <= 0x59:
        raise ValueError(head)
    extra = max(0, head - 0x57)
    begin = at + 1 + extra
    if begin > len(raw):
        raise EOFError
    size = int.from_bytes(raw[at + 1 : begin], "big") if extra else head - 0x40
    if extra and size < (24 if extra == 1 else 256):
        raise ValueError(size)
    if begin + size > len(raw):
        raise EOFError
    return raw[begin : begin + size], begin + size


def why_not_signed(signed: Signed, authorities: tuple[bytes, ...], verify: Verify) -> Fault | None:
    """Check the signature: None, it is one of those authorities'."""
    keys = [public for public in authorities if authority_id(public) == signed.authority]
    if not keys:
        return Fault.FOREIGN_AUTHORITY
    if not any(verify(public, signed.text, signed.signature) for public in keys):
        return Fault.BAD_SIGNATURE
    return None
