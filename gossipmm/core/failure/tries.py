"""When a probe tries again, and when the end of its tries says something of its target."""

from __future__ import annotations

from typing import Final

from gossipmm.core.failure.probe import Probe
from gossipmm.core.failure.suspicion import resend_unit, shortest
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.values.purpose import Purpose
from gossipmm.core.values.trail import EvidenceKind, Hold
from gossipmm.mechanisms import Mechanism

__all__ = ("LASTS", "accusation_waits", "blame_for_death", "tries_of", "unit_of")

#: When to try again, in units (25 ms on a LAN), and whether helpers are asked then. The tries after
#: the helpers cost nothing until four have failed, and make false suspicions at 25 % loss five
#: times rarer (simulated), with all the broadcasts that each would cause.
_TRIES: Final = ((1, False), (3, False), (7, False), (8, True), (14, False))
_TRIES_WITHOUT_RESENDS: Final = ((8, True),)
#: For a member that only helpers reach: first the one that last reached somebody, then several.
_TRIES_WITHOUT_PATH: Final = ((1, True), (8, True))
#: Before a death, where datagrams are lost: a try every two units. With six of them at 25 % loss,
#: one question in 140 to a member that lives is not answered; with ten, one in 3,900.
_TRIES_AT_LOSS: Final = tuple((unit, False) for unit in range(1, 18, 2))
#: Share of probes that need a second try from which that is so: one datagram in twenty lost.
_LOSSY: Final = 0.1


#: A probe lasts this many units, and at least ``Config.probe_time``.
LASTS: Final = 20


def unit_of(purpose: Purpose, local: LocalState, deviation: float) -> float:
    """Return the time unit of a probe that begins now, with the deviation of round trips [P65]."""
    stats, base = local.stats, local.config.resend_base
    unit = resend_unit(base, stats.rtt, deviation) if stats.rtt else base
    # A death does not wait for round trips of a moment in which this node was busy [P131].
    most = max(base, shortest(local) / LASTS) if purpose is Purpose.DEATH else unit
    return min(unit, most)


def tries_of(probe: Probe, local: LocalState) -> tuple[tuple[int, bool], ...]:
    """Return when a probe tries again, in units, and whether helpers are asked then [P65, P131]."""
    if Mechanism.QUICK_RESENDS in local.without:
        return _TRIES_WITHOUT_RESENDS
    if probe.purpose is Purpose.DEATH and probe.member.indirect:
        return _TRIES_WITHOUT_PATH
    if probe.purpose is Purpose.DEATH and local.stats.loss > _LOSSY:
        return _TRIES_AT_LOSS
    path = probe.member.path
    return _TRIES_WITHOUT_PATH if path is not None and path.lost else _TRIES


def blame_for_death(probe: Probe, local: LocalState) -> Hold | None:
    """Return why this node may have missed the answer before a death, if it may.

    All holders ask at once, and seldom is somebody else heard meanwhile: of 128 there was always
    one that would have waited. So it is deaf after the longest silence only [P131].
    """
    return local.to_blame(min(probe.began, local.now - local.config.quiet_max))


def _blame(probe: Probe, local: LocalState) -> Hold | None:
    """Return why this node may be to blame for a probe that was not answered, if it may [P86]."""
    if probe.purpose is Purpose.DEATH:
        return blame_for_death(probe, local)
    return local.to_blame(probe.began) or (Hold.DEAF if probe.deaf else None)


def accusation_waits(probe: Probe, local: LocalState) -> bool:
    """Return whether to ask again instead of accusing, for a bounded time [P86].

    This node itself may be to blame for what it did not hear.
    """
    member = probe.member
    why = _blame(probe, local)
    if why is None:
        return False
    if member.held_since is None:
        member.held_since = local.now
        local.stats.probes_held += 1
        member.note(local.now, EvidenceKind.HELD, local.own.name, why=why)
    return local.now - member.held_since < 2 * local.config.suspicion_max
