"""Cuts frames that are larger than a path carries into parts, and puts parts together again.

Each part is a frame of its own with one option, so it is sealed, admitted and counted like any
other; the whole is read once its last part has come [P128].
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import cbor2

from gossipmm.core.wire import frame as wire

__all__ = ("Parts", "cut")

#: Bytes around a part in the options: map, key, list, number of the whole, its size, the place of
#: the part, and the head of its bytes, each at its longest.
_AROUND: Final = 1 + 1 + 1 + 5 + 3 + 3 + 3
#: Incomplete wholes that are kept: 384 kB at most. They are complete within a round trip or never.
_KEPT: Final = 256
#: Of one sender, all strangers counted as one: a burst of 12 datagrams, and the beginning of the
#: next one.
_OF_ONE: Final = 16
#: Parts of a whole: at 548 bytes, with keys, the largest frame has four.
_MOST: Final = 8


def cut(frame: bytes, room: int, number: int) -> Iterator[bytes]:
    """Yield the options of frames of at most ``room`` bytes that bring another frame in parts.

    ``number`` names the whole among those of its sender.
    """
    size = room - wire.FRAME_SIZE - _AROUND
    for start in range(0, len(frame), size):
        part = [number, len(frame), start, frame[start : start + size]]
        yield cbor2.dumps({wire.OPT_PART: part})


class _Whole:
    """A frame, as far as its parts have come."""

    __slots__ = ("pieces", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        #: Where it begins -> a part.
        self.pieces: dict[int, bytes] = {}

    @property
    def all_came(self) -> bool:
        """True when the parts have as many bytes as the whole."""
        return sum(map(len, self.pieces.values())) >= self.size

    def together(self) -> bytes:
        """Return the whole; empty if the parts do not lie beside each other."""
        place = 0
        for start, piece in sorted(self.pieces.items()):
            if start != place:
                return b""
            place += len(piece)
        return b"".join(piece for _, piece in sorted(self.pieces.items()))


class Parts:
    """The parts that have come of frames that are not complete, within bounds."""

    def __init__(self) -> None:
        #: (sender, or 0 of a stranger; number) -> its whole, in order of the first part.
        self._wholes: dict[tuple[int, int], _Whole] = {}
        self._of: dict[int, int] = {}

    def take(self, sender: int, part: list[Any]) -> bytes | None:
        """Take a part; return the whole frame if it was the last, None while others are missing.

        ``sender``: its record key, 0 for a stranger. Empty: the parts do not fit together.
        """
        number, size, start, piece = part[:4]
        name = (sender, number)
        whole = self._wholes.get(name)
        if whole is None:
            self._make_room(sender)
            whole = self._wholes[name] = _Whole(size)
            self._of[sender] = self._of.get(sender, 0) + 1
        whole.pieces[start] = piece
        if size != whole.size or len(whole.pieces) > _MOST:
            self._forget(name)
            return b""
        if not whole.all_came:
            return None
        self._forget(name)
        return whole.together()

    def _make_room(self, sender: int) -> None:
        """Forget the oldest incomplete whole, of this sender if it has too many."""
        if self._of.get(sender, 0) >= _OF_ONE:
            self._forget(next(name for name in self._wholes if name[0] == sender))
        elif len(self._wholes) >= _KEPT:
            self._forget(next(iter(self._wholes)))

    def _forget(self, name: tuple[int, int]) -> None:
        del self._wholes[name]
        left = self._of[name[0]] - 1
        if left:
            self._of[name[0]] = left
        else:
            del self._of[name[0]]
