"""What others tell of a member's life, against what this node has seen itself [P138].

Nothing that others tell can be proved without signatures, and a heartbeat is a number that anybody
can raise: whoever tells one of a host that crashed would keep it in lookups for as long as it does.
So the word of others orders, and has this node ask again, but it does not outweigh its own
unanswered question.
"""

from __future__ import annotations

from math import inf
from typing import Final

from gossipmm.core.failure.probe import Failure, note_failure
from gossipmm.core.failure.probes import Probes
from gossipmm.core.failure.vouchers import Vouchers
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values.evidence_time import EvidenceTime
from gossipmm.core.values.purpose import Purpose
from gossipmm.core.values.types import NodeId
from gossipmm.mechanisms import Mechanism

__all__ = ("SecondHand",)

#: Seconds after the word of others ended a suspicion of a member in which it does not end another
#: one. At 25 % loss a member is suspected by mistake about once in that time.
_ONCE_IN: Final = 60.0
#: Questions of one suspicion for which death waits because others say that the member lives: where
#: one host bridges a split, whoever says so may have it from others.
_QUESTIONS: Final = 6


class SecondHand:
    """Decides what the word of others is worth where this node holds the member suspect or dead."""

    def __init__(self, local: LocalState, probes: Probes) -> None:
        self._local = local
        self._probes = probes
        #: False in an ablation, which shows what comes of it otherwise.
        self.counts = Mechanism.SECOND_HAND_ASKS not in local.without
        self._vouchers = Vouchers(local)
        self._accounts = Mechanism.VOUCHERS not in local.without
        self._again = Mechanism.SIGNED_SUSPICIONS not in local.without

    def is_told_by(self, member: Member, reporter: NodeId) -> bool:
        """Return whether somebody else tells it: not the member itself, nor this node's probe.

        Of one that signs, and did not sign an answer to this node, whoever speaks in its name may
        be somebody else at its address [P156].
        """
        if reporter == member.name and member.suspected:
            return self.counts and self._probes.statements.signs(member)
        return reporter != member.name and reporter != self._local.own.name and self.counts

    def weigh(
        self, member: Member, heartbeat: int, evidence: EvidenceTime, reporter: NodeId
    ) -> EvidenceTime | None:
        """Return what the evidence of others is worth here; None: only the member's own answer is.

        Of one held dead: nothing but its age; where it is younger than the death, the member is
        asked.
        """
        declared_dead_at = member.declared_dead_at
        if declared_dead_at is not None:
            if self._charges and not self._vouchers.counts(member, reporter):
                return None
            if evidence.at > declared_dead_at and (
                not self._charges or self._vouchers.asks_for_dead(member, reporter)
            ):
                member.vouched_by = self._key_of(reporter)
                self._probes.start(member, Purpose.RETURNING)
            return EvidenceTime(-inf, evidence.heard)
        if heartbeat <= member.k or not member.suspected:
            return evidence
        if self._charges and not self._vouchers.counts(member, reporter):
            member.merge(heartbeat, heartbeat)
            return None
        failed_at = member.failed_at
        asked_before = failed_at is None or evidence.at < failed_at
        lifts = asked_before and self._local.now - member.lifted_at >= _ONCE_IN
        if lifts and not member.contested:
            return evidence
        member.merge(heartbeat, heartbeat)
        if evidence.at >= member.vouched_at:
            # Whoever tells the youngest evidence is nearest to it: perhaps one that reached it.
            member.vouched_at = evidence.at
            member.vouched_by = self._key_of(reporter)
        if not member.contested:
            self._ask(member)
        return None

    def must_ask_again(self, member: Member) -> bool:
        """Return whether the question that began this suspicion is not enough for a death [P190].

        The member's own word is not looked at then, unless it signed it for this node.
        """
        failed_at, local = member.failed_at, self._local
        began = -inf if failed_at is None else failed_at
        return local.all_sign and self._again and began < member.suspect_since

    def must_ask(self, member: Member) -> bool:
        """Return whether others have said that it lives since this node's last question began."""
        failed_at = member.failed_at
        return (
            failed_at is not None
            and 0 < member.contested < _QUESTIONS
            and member.vouched_at >= failed_at
        )

    @property
    def _charges(self) -> bool:
        """True where who says that another one lives is charged for questions in vain [P191]."""
        return self._local.all_sign and self._accounts

    def failed(self, member: Member, failure: Failure) -> None:
        """Note that a member did not answer this node, and who had it asked all the same."""
        member.failed_at = failure.began
        note_failure(self._local, member, failure)
        if member.contested and self._charges:
            voucher = self._local.table.by_key.get(member.vouched_by)
            if voucher is not None:
                self._vouchers.in_vain(member, voucher.name)

    def tells(self, member: Member) -> bool:
        """Return whether a silence is told that contradicts the word of others [P138, P191]."""
        return member.contested == 1 or (member.contested > 1 and not self._local.all_sign)

    def answered(self, member: Member) -> None:
        """Note that a member answered: whoever said that it lives was right."""
        voucher = self._local.table.by_key.get(member.vouched_by)
        if voucher is not None:
            self._vouchers.true(member, voucher.name)

    def ask_before_death(self, member: Member) -> None:
        """Ask the member itself; where others say that it lives, with the help of who does."""
        if self.must_ask(member):
            self._ask(member)
        else:
            self._probes.start(member, Purpose.DEATH)

    def _ask(self, member: Member) -> None:
        member.contested += 1
        member.failed_at = None
        self._probes.start(member, Purpose.SUSPICION)

    def _key_of(self, name: NodeId) -> int:
        member = self._local.table.by_name.get(name)
        return 0 if member is None else member.key
