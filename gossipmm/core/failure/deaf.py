"""Members held dead that speak and do not answer: how long each is left alone."""

from __future__ import annotations

from typing import Final

from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member

__all__ = ("Deaf",)

#: Times a probe for which one that is held dead, speaks, and does not answer is left alone: twice
#: as many each time, up to so many. Ten deaf hosts of 100 made each of their seeds send 117
#: datagrams a second.
_DEAF_WAIT: Final = 8


class Deaf:
    """Remembers how often members held dead did not answer, and until when they are left alone."""

    def __init__(self, local: LocalState) -> None:
        self._local = local
        self._known: dict[int, tuple[int, float]] = {}

    def is_known(self, member: Member) -> bool:
        """Return whether it did not answer when it was asked last."""
        return member.key in self._known

    def is_left_alone(self, member: Member) -> bool:
        """Return whether it did not answer lately, though it speaks: it hears nobody [P42]."""
        known = self._known.get(member.key)
        return known is not None and self._local.now < known[1]

    def did_not_answer(self, member: Member) -> None:
        """Take note that it did not answer; it is left alone for longer each time."""
        times = self._known.get(member.key, (0, 0.0))[0]
        wait = min(_DEAF_WAIT, 2.0**times) * self._local.config.probe_time
        self._known[member.key] = min(times + 1, _DEAF_WAIT), self._local.now + wait

    def answered(self, member: Member) -> None:
        """Forget it: it answered, or is asked no more."""
        self._known.pop(member.key, None)
