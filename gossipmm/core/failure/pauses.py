"""What it means that this node is called late: it stood still, or its clock jumped."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ("IN_TIME", "Lateness", "is_late", "lateness")

#: Times a probe by which timers must be overdue for this node to be slow, and to have stood still.
_SLOW: Final = 0.5
_STOOD_STILL: Final = 2.0
#: A pause of so many seconds may be that of a snapshot, from which another process may live on.
_SNAPSHOT: Final = 60.0


class Lateness(NamedTuple):
    """What follows from a step of the clock."""

    snapshot: bool  #: seal with IVs that no copy of this process can use
    reads_late: bool  #: what is read just now may have waited here as long as the step
    stood_still: bool  #: this node's timers say nothing about the others


#: There was nothing to do meanwhile, or it was done in time.
IN_TIME: Final = Lateness(False, False, False)


def lateness(step: float, overdue: float, probe_time: float) -> Lateness:
    """Judge a step of the clock with which the earliest timer became overdue (all in seconds).

    [P85, P89]
    """
    slow = overdue > _SLOW * probe_time
    if not slow and step <= _SNAPSHOT:
        return IN_TIME
    return Lateness(step > _SNAPSHOT, slow, overdue > _STOOD_STILL * probe_time)


def is_late(overdue: float, probe_time: float) -> bool:
    """Return whether timers are so overdue that probes and suspicions were not served in time."""
    return overdue > _SLOW * probe_time
