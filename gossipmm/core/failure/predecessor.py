"""Expects the SYN of the predecessor on the ring: one exchange watches both of its ends [P61].

Each node asks its successor once an interval. So the successor can tell that its predecessor has
failed without asking: a SYN that is due does not come. Only then is a datagram sent.
"""

from __future__ import annotations

from typing import Final

from gossipmm.core.failure.probes import Probes
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values.purpose import Purpose
from gossipmm.core.values.timers import Token, cancel
from gossipmm.mechanisms import Mechanism

__all__ = ("ExpectedSyn",)

#: Units of resends by which a SYN may be late: the first try may have been lost, and its sender's
#: timer may be late as well.
_GRACE: Final = 2


class ExpectedSyn:
    """The SYN that this node expects next, of the member that looks after it."""

    def __init__(self, local: LocalState, probes: Probes) -> None:
        self._local = local
        self._probes = probes
        self._on = not local.without & {Mechanism.EXPECTED_SYN, Mechanism.RING}
        self._member: Member | None = None
        self._due: Token | None = None

    def came(self, sender: Member) -> None:
        """Take a SYN of a peer: if it is the predecessor's, the next one is due after an interval.

        Whatever made it ask (a suspicion, a program), it asks again on the ring at its time.
        """
        if self._on and sender is self._local.peers.predecessor():
            self._expect(sender)

    def watch(self) -> None:
        """Look whether another member is the predecessor by now; called once an interval.

        A new one has an interval to begin with it, so a change costs nothing where all agree.
        """
        if not self._on:
            return
        predecessor = self._local.peers.predecessor()
        if predecessor is not self._member:
            if predecessor is None:
                cancel(self._due)
                self._member = self._due = None
            else:
                self._expect(predecessor)

    def _expect(self, member: Member) -> None:
        local = self._local
        config = local.config
        cancel(self._due)
        self._member = member
        longest = config.gossip_interval * (1.0 + config.jitter) + _GRACE * config.resend_base
        self._due = local.timers.at(local.now + longest, self._missed, member)

    def _missed(self, member: Member) -> None:
        """Probe the predecessor, whose SYN did not come; it is expected again once one has come.

        One that is reached, by helpers perhaps, does not ask for another reason (it does not know
        this node, or only a bridge connects the two): others ask it in their turn.
        """
        local = self._local
        self._due = None
        if not local.own.leaving and member is local.peers.predecessor():
            self._probes.start(member, Purpose.ROUND)
