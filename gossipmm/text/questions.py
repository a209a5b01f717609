"""Questions between members, and what came of them, in words; and the words of a member's health.

What another member says of itself are codes: nobody else's words get into an operator's terminal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gossipmm.core.values.drained import DrainAsked
from gossipmm.core.values.questions import Outcome

__all__ = ("OUTCOMES", "REASONS", "drain_asked", "drained", "outcome", "reason")

#: What came of a question -> what the asking node says of it.
OUTCOMES: Final[Mapping[Outcome, str]] = {
    Outcome.DONE: "done",
    Outcome.NOT_ALLOWED: "its configuration does not allow it",
    Outcome.UNKNOWN_QUESTION: "it does not know that question: it is of another version",
    Outcome.NO_KEY: "without a key of gossip it does nothing for others",
    Outcome.NOT_REGISTERED: "it has no such registration",
    Outcome.LEAVING: "it is leaving the cluster",
    Outcome.BUSY: "it is asked too often",
    Outcome.PROVING: "it does not know yet that this node is at its address",
    Outcome.WRONG_ADDRESS: "it was asked from an address that this node does not announce",
    Outcome.WORKING: "it has the question, and did not answer in time",
    Outcome.NO_HANDLER: "nothing answers queries of that name there",
    Outcome.FAILED: "what should answer it failed",
    Outcome.LATE: "what should answer it took too long",
    Outcome.TOO_OLD: "it is of an older version, which cannot be asked",
    Outcome.NO_ANSWER: "it did not answer",
    Outcome.OTHER_ANSWERED: "another node answers at its address",
    Outcome.NOT_LIVE: "it is not held alive here",
    Outcome.UNKNOWN_MEMBER: "no other member has that name",
    Outcome.NO_TIME: "the time was over before its turn came",
}

#: Codes of reasons of a verdict -> what they mean for somebody who reads of another host.
REASONS: Final[Mapping[str, str]] = {
    "leaving": "it is leaving the cluster",
    "conflict": "another live process has its name",
    "not_joined": "its table has agreed with nobody yet",
    "isolated": "it lost most of the others: it may be cut off itself",
    "address_gone": "an address that it announces is no longer its own",
    "sends_fail": "nothing that it sends leaves its machine",
    "suspected": "others suspect it again and again",
    "state_file": "its state file cannot be written",
    "keyring": "its file of keys cannot be read or written",
    "no_path": "it has no path to members that others reach",
    "table_full": "its table has no room for newcomers",
    "not_admitted": "a member has no room for it, or refuses its clock",
    "rotation_unordered": "members tell of a rotation of keys that the authority has not ordered",
    "identity": "a member is not who it says, or is refused because it does not sign",
    "certificate": "its certificate ends within a week, or has ended",
    "no_zone": "it prefers hosts of its own zone, and has none",
    "no_distances": "it prefers near hosts, and keeps no coordinate",
    "impaired": "most of what it sends or is sent is lost",
    "slow": "its timers fire late: its machine is too busy",
    "differs": "the table of a live member has differed from its own for a minute",
}


def outcome(text: str) -> str:
    """Say what came of a question."""
    try:
        return OUTCOMES[Outcome(text)]
    except ValueError:
        return text  # of a later version


def reason(code: str) -> str:
    """Say what the code of a reason means; a code of a later version stays one."""
    return REASONS.get(code, code)


def drained(topic: str, host: str, *, draining: bool) -> str:
    """Say what a drain is about: an imperative."""
    where = f"topic {topic}" if topic else "all topics"
    what = f"{host} of {where}" if host else (topic and where) or "the whole node"
    return f"take {what} out of new picks" if draining else f"put {what} back into new picks"


def drain_asked(event: DrainAsked) -> str:
    """Put the event into words."""
    what = drained(event.topic, event.host, draining=event.draining)
    if event.refused:
        asked = f"member {event.name} asked this node to {what}"
        own = {
            "not_allowed": "refused: accept_drain is false here",
            "no_key": "refused: this node has no key of gossip, so anybody could ask",
            "not_registered": "refused: nothing is registered so here",
            "leaving": "refused: this node is leaving",
            "wrong_address": "refused: it came from an address that this member does not announce",
        }
        return f"{asked}; {own.get(event.refused, f'refused: {event.refused}')}"
    changed = "nothing was to change" if not event.changed else "done"
    return f"member {event.name} had this node {what}: {changed}"
