"""The mechanisms of the protocol that the simulator can switch off, one by one.

The purpose of a mechanism shows when it is missing: ``gossipmm-sim ablate`` switches each off and
looks for the promise that breaks. Only code can do that (``Config(without=...)``), not a file, an
environment variable or a flag, because none of this is safe in production.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from gossipmm.errors import ConfigError

__all__ = ("Mechanism", "mechanisms")


class Mechanism(StrEnum):
    """A part of the protocol that ``Config.without`` switches off. Values are stable names."""

    ACCUSED_IS_TOLD = "accused_is_told"  #: an accused member hears of it with the next datagram
    ACCUSERS_CREDIT = "accusers_credit"  #: who brought wrong accusations is not believed
    ASKED_IN_VAIN = "asked_in_vain"  #: who told of what there is not is asked no more for a while
    CLOCK_BOUND = "clock_bound"  #: no life begins more than a day ahead of this node's clock
    DEAD_RETRY = "dead_retry"  #: the dead are probed again, so that a split heals
    DEAF_HOLD = "deaf_hold"  #: a node that hears nobody at all holds its accusations
    DIGESTS = "digests"  #: tables are compared, which finds what broadcasts missed
    DISTANCE_FILTER = "distance_filter"  #: of several round trips to a member the lowest counts
    DISTANCE_HEIGHT = "distance_height"  #: a coordinate has a height beside three dimensions
    DISTANCE_JURY = "distance_jury"  #: a coordinate that most others contradict is not believed
    DISTANCE_NEIGHBOURS = "distance_neighbours"  #: the last samples of many members pull together
    DISTANCE_YOUNG = "distance_young"  #: who has measured few members asks more of them
    EQUIVOCATION = "equivocation"  #: who signs two pages of one version is in no lookup
    EVERYONE_DECLARES = "everyone_declares"  #: a death heard is a suspicion, not yet a death here
    EVENT_EXCHANGES = "event_exchanges"  #: members tell which user events they hold, and fetch
    EXPECTED_SYN = "expected_syn"  #: a predecessor on the ring whose SYN does not come is probed
    EVIDENCE_AGE = "evidence_age"  #: the dead return only by evidence younger than their death here
    FEW_CORRECTIONS = "few_corrections"  #: who was told often that it is wrong is told more seldom
    FIRST_HAND_DEATH = "first_hand_death"  #: nobody is declared dead who was not asked here
    FIRST_HAND_REFUTES = "first_hand_refutes"  #: an answer to this node outweighs any accusation
    FLAP_DAMPING = "flap_damping"  #: a member that returns again and again is put on probation
    MINIMUM_GENERATIONS = "minimum_generations"  #: a generation that was reaped stays closed
    HEARING_RULE = "hearing_rule"  #: the heartbeat of a node that hears nobody stands still
    HELPERS = "helpers"  #: others are asked to reach a member that this node does not reach
    IMPAIRED = "impaired"  #: a node whose replies are being lost says so itself
    LATE_HOLD = "late_hold"  #: a node whose timers are late holds its accusations
    PATHS = "paths"  #: of several addresses of a member, the one that answers is used
    PATH_SIZES = "path_sizes"  #: where what is large does not arrive, what is told there is cut
    PINS = "pins"  #: the first key of a name is its only one
    PROVED_LIVES = "proved_lives"  #: a later life of a live member counts once it has answered
    QUERY_RELAYS = "query_relays"  #: others pass on a query, and its answer, around a broken way
    QUIET_HEARSAY = "quiet_hearsay"  #: after false alarms, hearsay is asked about before it is told
    QUICK_RESENDS = "quick_resends"  #: an unanswered probe is sent again within the interval
    REFUTATION_BY_ANYONE = "refutation_by_anyone"  #: whoever knows better contradicts a suspicion
    RING = "ring"  #: each interval's exchange is with the successor on the ring of record keys
    ROTATION_ORDERS = "rotation_orders"  #: where there is an authority, it orders rotations of keys
    SECOND_PUSH = "second_push"  #: broadcasts are pushed twice
    SECOND_HAND_ASKS = "second_hand_asks"  #: others' word of a life asks, and does not undo silence
    SIGNED_ENDS = "signed_ends"  #: floors and leaves of members that sign count by what they signed
    SIGNED_PAGES = "signed_pages"  #: a node with an identity judges pages by their signatures
    SIGNED_STATEMENTS = "signed_statements"  #: that others reached a member counts by its signature
    SIGNED_SUSPICIONS = "signed_suspicions"  #: where all sign, who is accused is asked once more
    STALE_LOOKUPS = "stale_lookups"  #: a node that is cut off answers with the hosts last known
    SUSPECT_ROWS = "suspect_rows"  #: suspicions ride on exchanges
    SUSPECT_REPORTER = (
        "suspect_reporter"  #: a reporter that is itself suspected is not believed against others
    )
    TARGET_RULE = "target_rule"  #: only the target's own answer counts
    VOUCHERS = "vouchers"  #: who said in vain that another one lives is not asked about that
    WIRE_VERSION = "wire_version"  #: members that read a later wire version are spoken to in it
    ZONE_BESIDE = "zone_beside"  #: where one of a zone is suspected, another of it is asked as well


def mechanisms(names: Iterable[str]) -> frozenset[Mechanism]:
    """Return the mechanisms of these names. Raises ConfigError with the nearest known name."""
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
