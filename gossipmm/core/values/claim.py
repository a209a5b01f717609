"""Claims about members, in the rows of datagrams and digests."""

from __future__ import annotations

from enum import IntEnum

__all__ = ("Claim",)


class Claim(IntEnum):
    """Kinds of claims. Wire values: append only; unknown ones are skipped."""

    ALIVE = 0
    SUSPECT = 1
    DEAD = 2
    LEFT = 3
    ACCUSER = 4  #: names who made the accusation in the row before it
    UNHEARD = 5  #: in digests: the record is held, but no evidence of life
