"""What is fuzzed: functions of bytes that raise AssertionError when a promise is broken."""

from __future__ import annotations

import random
from collections.abc import Callable

from gossipmm.core.sealing.envelope import CoseEnvelope
from gossipmm.core.sealing.keyring import Key, Keyring
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import page_untrusted
from gossipmm.core.wire.slim import decode_slim_untrusted
from gossipmm.core.wire.strict import Refused
from tests.fuzz.doors import DOORS
from tests.fuzz.files import FILES
from tests.fuzz.script import play

TAG = wire.cluster_tag("gossipmm")


def decoder(data: bytes) -> None:
    """Read the bytes as a frame, and its pages; and as a page."""
    pages = [data]
    try:
        frame = wire.decode_untrusted(data, TAG)
    except Refused:
        pass
    else:
        list(wire.rows_in(frame.rows))
        pages += frame.options.get(wire.OPT_PAGES, [])
    for me in (1, int.from_bytes(data[11:15], "big") or 1):  # nobody has the key 0
        try:
            frame = decode_slim_untrusted(data, me, (5, 77), lambda probe: probe % 2 == 0)
        except Refused:
            continue
        assert frame.half in (wire.LOW_HALF, wire.HIGH_HALF)
        assert frame.options == {}
        assert frame.target
        list(wire.rows_in(frame.rows))
    for raw in pages:
        try:
            page = page_untrusted(raw)
        except Refused:
            continue
        assert page.raw == raw
        assert page_untrusted.__wrapped__(raw) == page


def node(data: bytes) -> None:
    """Play the bytes as a script."""
    play(data)


RING = Keyring((Key(b"\x01", bytes(range(32))),))


def sealed(data: bytes) -> None:
    """Give the bytes to an envelope, as they are and with a genuine beginning."""
    envelope = CoseEnvelope(RING, "gossipmm", random.Random(1))
    peer = CoseEnvelope(RING, "gossipmm", random.Random(2))
    genuine = peer.seal(b"\x85" + bytes(60), ("10.0.0.1", 1), 0.0)
    cut = data[0] % len(genuine) if data else 0
    for forged in (data, genuine[:cut] + data[1:], genuine[: cut + 1] + data[1:]):
        if forged == genuine:
            continue
        try:
            opened = envelope.open_untrusted(forged, ("10.0.0.2", 2), 1.0)
        except Refused:
            continue
        raise AssertionError(f"opened {forged.hex()} as {opened!r}")
    assert envelope.waiting == []


TARGETS: dict[str, Callable[[bytes], None]] = {
    "decoder": decoder,
    "node": node,
    "sealed": sealed,
    **DOORS,
    **FILES,
}
