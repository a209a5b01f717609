"""Counters and drop reasons as data: plain integers, read by metrics, tests and the simulator."""

from __future__ import annotations

from bisect import bisect_left
from enum import StrEnum
from typing import Final


class Drop(StrEnum):
    """Why a datagram, or a part of one, was not acted on. Values are stable names: append only."""

    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    VERSION = "version"
    CLUSTER = "cluster"
    UNKNOWN_KIND = "unknown_kind"
    OUT_OF_RANGE = "out_of_range"
    NOT_FOR_ME = "not_for_me"
    FROM_MYSELF = "from_myself"
    BAD_PAGE = "bad_page"
    BAD_OPTION = "bad_option"
    OLD_GENERATION = "old_generation"
    CLOSED_GENERATION = "closed_generation"
    OWN_RECORD = "own_record"
    OWN_HEARTBEAT = "own_heartbeat"
    OWN_LEFT = "own_left"
    SUSPECT_REPORTER = "suspect_reporter"
    UNKNOWN_REPORTER = "unknown_reporter"
    TOO_OLD = "too_old"
    MAX_MEMBERS = "max_members"
    MAX_REGISTRATIONS = "max_registrations"
    LATE_ACK = "late_ack"
    WRONG_ANSWERER = "wrong_answerer"
    SEND_FAILED = "send_failed"
    SEND_TOO_LARGE = "send_too_large"
    BROADCAST_BUDGET = "broadcast_budget"
    CLOSED_FORGOTTEN = "closed_forgotten"
    NOT_ENCRYPTED = "not_encrypted"  #: plain, and this node has keys
    ENCRYPTED = "encrypted"  #: sealed, and this node has no keys
    UNKNOWN_KEY = "unknown_key"  #: sealed with a key id that is not in the keyring
    RETIRED_KEY = "retired_key"  #: genuine, but sealed with a key that was removed
    NOT_AUTHENTIC = "not_authentic"  #: forged, damaged, or of another cluster with the same key id
    REPLAYED = "replayed"
    BEHIND_WINDOW = "behind_window"
    UNPROVEN = "unproven"  #: of a boot id or an address not known here: challenged instead
    MISDIRECTED = "misdirected"  #: for another node, or an earlier life of this one: challenged
    LATE_CHALLENGE = "late_challenge"  #: about a datagram that this node did not just send there
    NOT_ALLOWED = "not_allowed"  #: from an address outside the networks of ``allow``, or naming one
    SOURCE_RATE = (
        "source_rate"  #: more than ``source_rate`` from one IP address that is not validated
    )
    PEER_RATE = "peer_rate"  #: more than ``peer_rate`` from one validated address
    AMPLIFICATION = "amplification"  #: not sent: over 3 x the bytes of an unvalidated address
    ANSWERS = "answers"  #: questions not answered: their sender has had enough bytes for now
    MAX_RECORD = "max_record"
    MAX_TABLE = "max_table"
    COUNTER_JUMP = "counter_jump"  #: a heartbeat or version more than ``max_jump`` above the last
    MAX_ACCUSATIONS = "max_accusations"
    NO_CREDIT = "no_credit"  #: accused by one whose accusations were refuted again and again
    #: A slim frame for another node, of a sender not known here: it will be said again in full.
    UNKNOWN_SENDER = "unknown_sender"
    AHEAD = "ahead"  #: a generation more than a day ahead of this node's clock
    #: A later life of a member that lives, for which nobody has answered.
    UNPROVED_LIFE = "unproved_life"
    QUESTION_RATE = "question_rate"  #: a member asks more often than it could use the answers
    UNSIGNED = "unsigned"  #: a page without signature, of a name that signs, or where all must
    BAD_SIGNATURE = "bad_signature"  #: a page or statement whose signature does not hold
    OTHER_KEY = "other_key"  #: signed with another key than the name's
    UNKNOWN_SIGNER = "unknown_signer"  #: a signed page that came before what tells its key
    NO_CERTIFICATE = "no_certificate"  #: signed with a key for which no certificate is here
    BAD_CERTIFICATE = "bad_certificate"  #: a certificate that does not count here, or not now
    NOT_CERTIFIED = "not_certified"  #: a topic or address that its owner's certificate excludes
    NO_STATEMENT = "no_statement"  #: word of a life that signs, without its signature
    BAD_EVENT = "bad_event"  #: a user event whose text is none
    EVENT_RATE = "event_rate"  #: a user event of a member that sends more than it may
    EVENT_JUMP = "event_jump"  #: a user event with a number far above the last one
    OWN_EVENT = "own_event"  #: a user event in this node's name that it did not send
    ASKED_IN_VAIN = "asked_in_vain"  #: told by one that was asked for such records in vain
    CORRECTED = "corrected"  #: not answered: its teller was set right too often lately
    CHANGES = "changes"  #: a page of a member that changed too much of its record lately
    #: A coordinate that the round trip to its owner, and what others say of it, contradict.
    DISTANCE_FAR = "distance_far"
    DISTANCE_FAST = "distance_fast"  #: one that moved as none does that knows where it is


#: Upper bounds (seconds) of the buckets of a Timing, each about twice the one before.
BOUNDS: Final = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005),
    *(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
)


class Timing:
    """Durations of something: a histogram of plain integers, and the sum."""

    __slots__ = ("counts", "sum")

    def __init__(self) -> None:
        #: One for each bound, and one for everything longer. Not cumulative.
        self.counts = [0] * (len(BOUNDS) + 1)
        self.sum = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.sum += seconds

    def as_dict(self) -> dict[str, object]:
        """Return everything as plain values, for JSON."""
        return {"count": sum(self.counts), "sum": self.sum}


_COUNTERS: Final = (
    "sent_datagrams",
    "sent_bytes",
    "received_datagrams",
    "received_bytes",
    "probes",
    "probes_answered",
    "probes_resent",
    "probes_failed",
    "probes_helped",
    "probes_held",
    "suspicions",
    "suspicions_confirmed",
    "refutations",
    "own_refutations",
    "deaths",
    "returns",
    "probations",
    "impaired",
    "pages_sent",
    "pages_accepted",
    "pages_known",
    "digests_sent",
    "digests_truncated",
    "buckets_sent",
    "bulk_pulls",
    "bulk_datagrams",
    "broadcasts_pushed",
    "later_lives_asked",
    "conflicts",
    "renewals",
    "late_steps",
    "reaped",
    "size_tests",
    "frames_cut",
)


class Stats:
    """Counters since the start: integers that only grow. Datagram bytes are UDP payload."""

    __slots__ = (
        *("dropped", "sent_by_kind", "received_by_kind", "rtt", "loss", "probe_seconds", "work"),
        *_COUNTERS,
    )

    sent_datagrams: int
    sent_bytes: int
    received_datagrams: int
    received_bytes: int
    probes: int
    probes_answered: int
    probes_resent: int
    probes_failed: int
    probes_helped: int
    probes_held: int
    suspicions: int
    suspicions_confirmed: int
    refutations: int
    own_refutations: int
    deaths: int
    returns: int
    probations: int
    impaired: int
    pages_sent: int
    pages_accepted: int
    pages_known: int
    digests_sent: int
    digests_truncated: int
    buckets_sent: int
    bulk_pulls: int
    bulk_datagrams: int
    broadcasts_pushed: int
    later_lives_asked: int
    conflicts: int
    renewals: int
    late_steps: int
    reaped: int
    size_tests: int
    frames_cut: int

    def __init__(self) -> None:
        self.dropped: dict[Drop, int] = {}
        self.sent_by_kind: dict[str, int] = {}
        self.received_by_kind: dict[str, int] = {}
        #: Smoothed round trip (seconds) and share of answered probes that needed a second try.
        self.rtt = 0.0
        self.loss = 0.0
        #: From the first try of a probe to the answer of its target.
        self.probe_seconds = Timing()
        #: Steps of work done, or put off until now, of 2.5 us each: what peers are charged [P94].
        self.work = 0
        for name in _COUNTERS:
            setattr(self, name, 0)

    def drop(self, reason: Drop) -> None:
        """Count one refusal."""
        self.dropped[reason] = self.dropped.get(reason, 0) + 1

    def as_dict(self) -> dict[str, object]:
        """Return everything as plain values, for JSON."""
        return {
            **{name: getattr(self, name) for name in _COUNTERS},
            "rtt": self.rtt,
            "loss": self.loss,
            "probe_seconds": self.probe_seconds.as_dict(),
            "dropped": {reason.value: count for reason, count in sorted(self.dropped.items())},
            "sent_by_kind": dict(sorted(self.sent_by_kind.items())),
            "received_by_kind": dict(sorted(self.received_by_kind.items())),
        }
