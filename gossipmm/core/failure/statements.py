"""Statements of life: that a member was there when this node asked, signed with its key [P156].

Whoever takes a dead member's address, or says that it reached it, can be believed to lie. A
statement names random numbers of whoever asks, so none can be kept and played later.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from gossipmm.core.failure.probe import Probe
from gossipmm.core.identity.signed import Life
from gossipmm.core.identity.trust import Trust
from gossipmm.core.sending.inbound import Inbound
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values.purpose import Purpose
from gossipmm.core.values.stats import Drop
from gossipmm.core.wire import frame as wire
from gossipmm.mechanisms import Mechanism

__all__ = ("Statements",)

#: One in so many exchanges of the round is signed: whoever took a member's address, and answers in
#: its place, is found out by one of all within 20 s, at 8 bytes a second.
_EVERY: Final = 16
#: Steps of work (2.5 us) to sign.
_SIGNED: Final = 8


class Statements:
    """Asks for statements where they count, looks at them, and makes this node's own."""

    def __init__(self, local: LocalState, trust: Trust | None) -> None:
        self._local = local
        self._trust = trust
        judges = Mechanism.SIGNED_STATEMENTS not in local.without
        #: False: nobody's word needs a signature here.
        self._looks = trust is not None and judges
        self._rounds = 0
        #: Called with what a member states beside that it lives.
        self.stated: Callable[[Member, Life], None] = lambda _member, _life: None

    # -- asking ------------------------------------------------------------------------------

    def signs(self, member: Member) -> bool:
        """Return whether a member's word of its own life is to be signed."""
        trust = self._trust
        return self._looks and trust is not None and trust.key_of(member.name) is not None

    def must_sign(self, member: Member, purpose: Purpose) -> bool:
        """Return whether the answer to a probe for that purpose has to be signed."""
        trust = self._trust
        if not self._looks or trust is None or trust.key_of(member.name) is None:
            return False
        if purpose is Purpose.ROUND and not member.suspected:
            self._rounds += 1
            if self._rounds % _EVERY:
                return not trust.has_answered(member.name)
        return True

    def ask(self, probe: Probe) -> None:
        """Have a probe ask for a statement, if its answer has to be signed."""
        if not probe.signed and self.must_sign(probe.member, probe.purpose):
            probe.signed = True
            probe.ask(probe.identity)

    def proves(self, told: list[Any] | None, probe: Probe) -> bool:
        """Return whether the answer to a probe proves that its target lives; else it is counted."""
        return not probe.signed or self._holds(told, probe.member, probe.identity)

    def is_vouched(self, told: list[Any] | None, probe: Probe, helper: Member) -> bool:
        """Return whether a helper's word that it reached the target of a probe counts.

        While identities are being announced, that of a helper which cannot ask for them counts.
        """
        trust = self._trust
        if not self._looks or trust is None or trust.key_of(probe.member.name) is None:
            return True
        if told is None and not trust.require and trust.key_of(helper.name) is None:
            return True
        return self._holds(told, probe.member, probe.identity)

    def _holds(self, told: list[Any] | None, member: Member, question: int) -> bool:
        local, trust = self._local, self._trust
        key = trust.key_of(member.name) if trust is not None else None
        if trust is None or key is None:
            return True  # it was forgotten meanwhile
        if told is None or told[0] != member.key or question not in told[2]:
            local.stats.drop(Drop.NO_STATEMENT)
            return False
        heartbeat, questions, wall, revocations, signature = told[1:6]
        life = Life(member.name, member.generation, heartbeat, tuple(questions), wall, revocations)
        if not trust.states(life, signature, key):
            local.stats.drop(Drop.BAD_SIGNATURE)
            return False
        trust.answered(member.name)
        self.stated(member, life)
        return True

    # -- being asked -------------------------------------------------------------------------

    def answer(self, inbound: Inbound) -> None:
        """Sign that this life is there, for a SYN that asks so."""
        questions = inbound.frame.options.get(wire.OPT_SIGN)
        trust, local = self._trust, self._local
        if questions is None or trust is None or inbound.frame.target != local.me.key:
            return
        own = local.own
        number = trust.certified.number if trust.certified is not None else 0
        wall = int(local.wall())
        life = Life(own.name, own.generation, own.heartbeat, tuple(questions), wall, number)
        signature = trust.identity.signer.sign(trust.texts.of_life(life))
        local.stats.work += _SIGNED
        inbound.reply.life = [local.me.key, own.heartbeat, questions, *life[4:], signature]
