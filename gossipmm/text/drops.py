"""Phrases for the reasons why a datagram, or a part of one, was not acted on.

A phrase completes "3 were refused: ..." and stands behind a number: "3 malformed".
"""

from __future__ import annotations

from collections.abc import Mapping

from gossipmm.core.values.stats import Drop

__all__ = ("DROPS", "counted")

#: Reason -> its phrase. All are here.
DROPS: Mapping[Drop, str] = {
    Drop.TOO_LARGE: "larger than any datagram that is read",
    Drop.MALFORMED: "malformed",
    Drop.VERSION: "of another protocol version",
    Drop.CLUSTER: "of another cluster",
    Drop.UNKNOWN_KIND: "of a kind that this version does not know",
    Drop.OUT_OF_RANGE: "with a number out of range",
    Drop.NOT_FOR_ME: "for another node at this address",
    Drop.FROM_MYSELF: "sent by this node itself",
    Drop.BAD_PAGE: "with a malformed page of a record",
    Drop.BAD_OPTION: "with a malformed option",
    Drop.OLD_GENERATION: "about an earlier life of a member",
    Drop.CLOSED_GENERATION: "about a life that was forgotten for good",
    Drop.OWN_RECORD: "with a page in this node's name that it never wrote",
    Drop.OWN_HEARTBEAT: "with a heartbeat of this node that it never issued",
    Drop.OWN_LEFT: "that told this node had left",
    Drop.SUSPECT_REPORTER: "accusations by a member that is itself suspected",
    Drop.UNKNOWN_REPORTER: "accusations by an unknown node",
    Drop.UNKNOWN_SENDER: "short datagrams of an unknown node, for another one or an earlier life",
    Drop.TOO_OLD: "about members gone for longer than they are remembered",
    Drop.MAX_MEMBERS: "about members above max_members",
    Drop.MAX_REGISTRATIONS: "with registrations above max_registrations",
    Drop.LATE_ACK: "answers that came too late",
    Drop.WRONG_ANSWERER: "answers by another node than the one asked",
    Drop.SEND_FAILED: "that the system did not send",
    Drop.SEND_TOO_LARGE: "that the system did not send because the link carries less",
    Drop.BROADCAST_BUDGET: "broadcasts that found no room within broadcast_rate",
    Drop.CLOSED_FORGOTTEN: "closed generations forgotten above max_closed_generations",
    Drop.NOT_ENCRYPTED: "not encrypted, although this node has a keyring",
    Drop.ENCRYPTED: "encrypted, although this node has no keyring",
    Drop.UNKNOWN_KEY: "sealed with a key that is not in the keyring",
    Drop.RETIRED_KEY: "sealed with a key that was removed here",
    Drop.NOT_AUTHENTIC: "forged, damaged, or of another cluster with the same key id",
    Drop.REPLAYED: "replayed",
    Drop.BEHIND_WINDOW: "too far out of order to be told from a replay",
    Drop.UNPROVEN: "from an address that was not proved yet",
    Drop.MISDIRECTED: "for another node, or an earlier life of this one",
    Drop.LATE_CHALLENGE: "challenges to no datagram sent just now",
    Drop.NOT_ALLOWED: "from, or naming, an address outside the networks of allow",
    Drop.SOURCE_RATE: "above source_rate",
    Drop.PEER_RATE: "above peer_rate",
    Drop.AMPLIFICATION: "answers not sent to an address that was not proved yet",
    Drop.ANSWERS: "questions of a peer that had asked for too many bytes just before",
    Drop.MAX_RECORD: "with records larger than max_record",
    Drop.MAX_TABLE: "with records above max_table",
    Drop.COUNTER_JUMP: "with a counter that rose by more than max_jump",
    Drop.MAX_ACCUSATIONS: "accusations above max_accusations",
    Drop.AHEAD: "about lives that begin more than a day ahead of this node's clock",
    Drop.UNPROVED_LIFE: "about later lives of live members, for which nobody has answered",
    Drop.QUESTION_RATE: "with questions, from a member that asks more often than it could use",
    Drop.CHANGES: "pages of members that changed too much of their records just before",
    Drop.DISTANCE_FAR: "coordinates that round trips, and what most members say, contradict",
    Drop.DISTANCE_FAST: "coordinates that moved faster than what knows where it is",
    Drop.BAD_EVENT: "user events that are not what one has to be",
    Drop.EVENT_RATE: "user events of members that send more than they may",
    Drop.EVENT_JUMP: "user events with a number far above the last one of their sender",
    Drop.OWN_EVENT: "user events in this node's name that it did not send",
    Drop.NO_CREDIT: "accusations by members that were wrong again and again",
    Drop.UNSIGNED: "records or user events that are not signed and have to be",
    Drop.BAD_SIGNATURE: "with a signature that does not hold",
    Drop.OTHER_KEY: "records signed with another key than the name's",
    Drop.UNKNOWN_SIGNER: "parts of signed records that came before their first part",
    Drop.NO_CERTIFICATE: "records signed with a key that has no certificate here",
    Drop.BAD_CERTIFICATE: "certificates that do not count here",
    Drop.NOT_CERTIFIED: "topics and addresses that their owner's certificate excludes",
    Drop.ASKED_IN_VAIN: "claims of records that their teller did not have before",
    Drop.CORRECTED: "claims that are over or refuted, by who was told so again and again",
    Drop.NO_STATEMENT: "word of members that sign, without their signature",
}


def counted(dropped: Mapping[str, int]) -> str:
    """Say what was refused, the most frequent first; of a later version's reason, its name."""
    known = {reason.value: phrase for reason, phrase in DROPS.items()}
    order = sorted(dropped.items(), key=lambda item: (-item[1], item[0]))
    return "; ".join(f"{count} {known.get(reason, reason)}" for reason, count in order)
