"""The state of the cluster's key rotation: one value, and the higher one wins.

A rotation replaces one key with another everywhere. How far it has come is one ``RotationState``;
each node keeps the highest that it has heard of, and announces it in page 0 together with the ids
of its keys (``Told``). So no coordinator is needed: any node that sees that everybody holds the new
key raises the phase, and if ten nodes do, they all write the same.

Why any order, loss, duplication and restart ends in one state:

* States are totally ordered (as tuples) and merging is the maximum: commutative, associative,
  idempotent. Of what others tell, a node takes one step at a time (``life/rotation_hearsay.py``).
  Page 0 travels until all hold its highest version, so all hear the highest state; a
  node that restarts has its own in its file of keys.
* What a node does to its keys follows from state and keyring alone (``keyring.applied``), may be
  done again, and never takes away the only key: a node that does not hold the new key keeps the
  others.
* A phase is raised only on what the others have *written to their files* and announced. So when the
  first node sends with the new key, all that live then can read it, even if they restart; when the
  first one removes the old key, all that live send with the new one, or the operator has named
  those that do not, or the time to wait is over. And only a node that sees more than half of the
  members that existed at the start does so: at most one of the two halves of a split goes on.
* Two rotations begun at once have the same epoch. The one that has come further wins, then the one
  with the higher kid; the loser's keys go when the winner is done. A rotation out of band outranks
  any by gossip that does not know of it: it has one eviction more.

It does not keep out whoever has the old key while that is still accepted. Until the last step they
are insiders, who can disturb this like everything else. By gossip they even read the new key; out
of band they do not, and a node that takes part in a rotation out of band accepts no key by gossip,
whatever it hears (the one thing that is refused rather than merged).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final, NamedTuple

__all__ = ("KEEP", "MAX_TOLD", "NEVER", "Phase", "RotationState", "Told", "register_of", "told_of")

#: Seconds that the old key is kept for members that are down.
KEEP = 3600.0

#: Bytes that keys take in page 0, at most: 8 kids of 4 bytes, and a state.
MAX_TOLD: Final = 75
#: Counters from here on are refused: the next rotation must be able to go higher.
_MAX_COUNTER: Final = 1 << 31
#: As in ``keyring``, which imports this.
_MAX_KID, _MAX_KEYS = 4, 8


class Phase(IntEnum):
    """How far a rotation has come. Wire values: append only."""

    ADD = 1  #: the new key is given to everybody; the old one sends
    USE = 2  #: all send with the new one; the old one is still read
    DONE = 3  #: the old one is removed


class RotationState(NamedTuple):
    """A rotation, as a value that is compared from the left [P114]."""

    #: Rotations out of band so far, and rotations so far, in this cluster.
    evictions: int = 0
    epoch: int = 0
    phase: Phase = Phase.DONE
    new: bytes = b""  #: kid of the new key
    old: bytes = b""  #: kid of the old key
    #: Each host reads the new key from its own file: it is not gossiped.
    out_of_band: bool = False
    #: Number of members when it began, those that were down included.
    members: int = 0
    #: Seconds for which the old key is kept for absent members, once the others have switched.
    keep: int = 0

    @property
    def active(self) -> bool:
        """True while it is not finished."""
        return self.phase is not Phase.DONE

    def is_same(self, other: RotationState) -> bool:
        """Return whether this is the same rotation, possibly in another phase."""
        return self[:2] == other[:2] and self.new == other.new

    def row(self) -> list[Any]:
        """Return the value that travels."""
        return [int(value) if isinstance(value, Phase) else value for value in self]


#: No rotation yet.
NEVER: Final = RotationState()


class Told(NamedTuple):
    """What a node announces about its keys: their ids, the sending one first."""

    holds: tuple[bytes, ...]
    register: RotationState = NEVER

    def row(self) -> list[Any]:
        """Return the value that travels in page 0."""
        row: list[Any] = [list(self.holds)]
        return [*row, self.register.row()] if self.register.epoch else row


# -- reading -----------------------------------------------------------------------------------


def told_of(value: Any) -> Told | None:
    """Read what page 0 says about keys; None when it is malformed."""
    if type(value) is not list or not value:
        return None
    holds = value[0]
    if type(holds) is not list or not 0 < len(holds) <= _MAX_KEYS or not all(map(_is_kid, holds)):
        return None
    register: RotationState | None = NEVER
    if len(value) > 1:
        register = register_of(value[1])
    return Told(tuple(holds), register) if register is not None else None


def register_of(value: Any) -> RotationState | None:
    """Read a state from the wire (further fields are skipped); None when it is malformed."""
    if type(value) is not list or len(value) < len(NEVER):
        return None
    evictions, epoch, phase, new, old, out_of_band, members, keep = value[: len(NEVER)]
    for counter in (evictions, epoch, members, keep):
        if type(counter) is not int or not 0 <= counter < _MAX_COUNTER:
            return None
    if type(phase) is not int or not Phase.ADD <= phase <= Phase.DONE or not epoch:
        return None
    if not _is_kid(new) or not _is_kid(old) or type(out_of_band) is not bool:
        return None
    return RotationState(evictions, epoch, Phase(phase), new, old, out_of_band, members, keep)


def _is_kid(value: Any) -> bool:
    return type(value) is bytes and 0 < len(value) <= _MAX_KID
