"""The mechanisms of the protocol that the simulator can switch off, one by one.

What a mechanism is for shows when it is missing: ``gossipmm-sim ablate`` switches each off and
looks for the promise that breaks. Only code can do that (``Config(without=...)``): no file, no
variable of the environment and no flag, because nothing of this is safe in production.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from gossipmm.errors import ConfigError

__all__ = ("Mechanism", "mechanisms")


class Mechanism(StrEnum):
    """A part of the protocol that ``Config.without`` switches off. Values are stable names."""

    ACCUSED_IS_TOLD = "accused_is_told"  #: who is accused hears of it with the next datagram
    DEAD_RETRY = "dead_retry"  #: the dead are probed again, so that a split heals
    DEAF_HOLD = "deaf_hold"  #: who hears nobody at all holds its accusations
    DIGESTS = "digests"  #: tables are compared, which finds what the news missed
    EVERYONE_BURIES = "everyone_buries"  #: a death heard is a suspicion, not yet a death here
    EVIDENCE_AGE = "evidence_age"  #: the dead return by evidence younger than their burial only
    FLAP_DAMPING = "flap_damping"  #: who returns again and again is put on probation
    FLOORS = "floors"  #: a generation that was reaped stays closed
    HEARING_RULE = "hearing_rule"  #: the heartbeat of a node that hears nobody stands still
    HELPERS = "helpers"  #: others are asked to reach whom this node does not reach
    IMPAIRED = "impaired"  #: a node whose answers are lost says so itself
    LATE_HOLD = "late_hold"  #: a node whose timers are late holds its accusations
    QUICK_RESENDS = "quick_resends"  #: an unanswered probe is sent again within the interval
    REFUTATION_BY_ANYONE = "refutation_by_anyone"  #: whoever knows better contradicts a suspicion
    RING = "ring"  #: every fourth exchange is with the successor on the ring of record keys
    SECOND_PUSH = "second_push"  #: news are pushed twice
    STALE_LOOKUPS = "stale_lookups"  #: a node that is cut off answers the hosts last known
    SUSPECT_ROWS = "suspect_rows"  #: suspicions ride on exchanges
    SUSPECT_TELLER = "suspect_teller"  #: who is suspected itself is not believed against others
    TARGET_RULE = "target_rule"  #: only the answer of the target itself counts


def mechanisms(names: Iterable[str]) -> frozenset[Mechanism]:
    """Give the mechanisms of these names. Raises ConfigError with the nearest name there is."""
    found = set()
    for name in names:
        try:
            found.add(Mechanism(name))
        except ValueError:
            from difflib import get_close_matches  # an embedded host never needs it

            near = get_close_matches(str(name), Mechanism, n=1)
            hint = f"did you mean {str(near[0])!r}?" if near else f"known: {', '.join(Mechanism)}"
            raise ConfigError(f"unknown mechanism {name!r}; {hint}", path="without") from None
    return frozenset(found)
