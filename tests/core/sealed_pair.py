"""Two sealing envelopes at two addresses, for tests."""

from __future__ import annotations

import random

from gossipmm.core.sealing.envelope import CoseEnvelope
from gossipmm.core.sealing.keyring import Key, Keyring
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import Address
from gossipmm.core.wire.strict import Refused

OLD = Key(b"\x01", bytes(range(32)))
NEW = Key(b"\x02\x03\x04\x05", bytes(range(32, 64)))
RING = Keyring((OLD,))
A: Address = ("10.0.0.1", 7946)
B: Address = ("10.0.0.2", 7946)
C: Address = ("10.0.0.3", 7946)
V: Address = ("192.0.2.66", 7946)
#: Shaped like one: the first byte is what counts here.
FRAME = b"\x85" + bytes(range(99))


def envelope(seed: int = 1, ring: Keyring = RING, cluster: str = "test") -> CoseEnvelope:
    return CoseEnvelope(ring, cluster, random.Random(seed))


def refusal(to: CoseEnvelope, data: bytes, source: Address = A, now: float = 0.0) -> Drop:
    """Return why a datagram is refused. Fails when it is not."""
    try:
        frame = to.open_untrusted(data, source, now)
    except Refused as refused:
        return refused.reason
    raise AssertionError(f"opened: {frame!r}")


def introduce(
    a: CoseEnvelope, b: CoseEnvelope, now: float = 0.0, source: Address = A, to: Address = B
) -> list[bytes]:
    """Let ``a`` speak to ``b`` for the first time; all datagrams, in order."""
    first = a.seal(FRAME, to, now)
    assert refusal(b, first, source, now) is Drop.UNPROVEN
    ((_, challenge, where),) = b.waiting
    assert where == source
    b.waiting.clear()
    assert a.open_untrusted(challenge, to, now) is None
    ((_, proof, where),) = a.waiting
    assert where == to
    a.waiting.clear()
    assert b.open_untrusted(proof, source, now) == FRAME
    assert not a.waiting
    assert not b.waiting
    return [first, challenge, proof]


def pair(ring: Keyring = RING) -> tuple[CoseEnvelope, CoseEnvelope]:
    """Return two envelopes that know each other."""
    a, b = envelope(1, ring), envelope(2, ring)
    introduce(a, b)
    assert a.open_untrusted(b.seal(FRAME, A, 0.0), B, 0.0) == FRAME
    return a, b
