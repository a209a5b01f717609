"""Strict CBOR: one item, in a form that means the same to every library; and what is refused.

Functions ending in ``_untrusted`` take bytes from the network and raise only ``Refused``.
"""

from __future__ import annotations

from typing import Any, Final, NoReturn

import cbor2

from gossipmm.core.values.stats import Drop

MAX_DEPTH: Final = 6


class Refused(Exception):  # noqa: N818 - a verdict about bytes, not a program error
    """Says why network bytes are not acted on. Never leaves the core [P101]."""

    def __init__(self, reason: Drop) -> None:
        self.reason = reason
        super().__init__(reason.value)


class FromMyself(Refused):
    """A datagram of this node came back; with its frame, where that is known, else without."""

    def __init__(self, frame: bytes) -> None:
        self.frame = frame
        super().__init__(Drop.FROM_MYSELF)


def _reject(*_: object) -> NoReturn:
    raise cbor2.CBORDecodeError("tags are not part of this protocol")


#: cbor2 has no switch for "no tags": a rejecter replaces the decoder of every tag that it knows.
_TAGS: Final = (*range(6), *range(21, 39), 100, 256, 258, 260, 261, 1004, 43000, 55799)
_NO_TAGS: Final = dict.fromkeys(_TAGS, _reject)
#: Longer than any datagram, so that no bytes after a complete item can imitate it (see below).
_SENTINEL_BODY: Final = bytes(2048)
_SENTINEL: Final = b"\x59\x08\x00" + _SENTINEL_BODY


def loads_untrusted(data: bytes, reason: Drop = Drop.MALFORMED) -> Any:
    """Decode exactly one CBOR item. Raises Refused(reason) on anything else [P100].

    ``cbor2.loads`` ignores trailing bytes. The item is therefore read as the first of a pair whose
    second is a byte string of 2,048 zeros: bytes left over would be read as (part of) that second
    one, and whatever they are, the sentinel's head, which is not zero, ends up inside.
    """
    try:
        pair = cbor2.loads(
            b"\x82" + data + _SENTINEL,
            tag_hook=_reject,
            semantic_decoders=_NO_TAGS,
            max_depth=MAX_DEPTH + 1,
            allow_indefinite=False,
            allow_duplicate_keys=False,
        )
    except (cbor2.CBORError, ValueError, TypeError, OverflowError, RecursionError, MemoryError):
        raise Refused(reason) from None
    if pair[1] != _SENTINEL_BODY:
        raise Refused(reason)
    return pair[0]


def is_numbered(value: Any) -> bool:
    """Return whether that is a list that says by its first element what the rest is."""
    return type(value) is list and len(value) > 0 and type(value[0]) is int and value[0] >= 0
