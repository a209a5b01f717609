"""Detects that what this node sends or is sent is being lost, by how its probers ask again.

A node that hears well but loses most of what it sends is never found dead: a fifth of its replies
is enough to refute every suspicion within milliseconds, while callers of its programs lose four
replies of five. No other member can tell: each of a thousand probes it once in minutes. But all
those probes arrive here, and a member that asks a third time, in the same probe, has received
neither of the first two replies. When most of the last probes needed that, this node announces in
page 0 that it is impaired, and all others hold it on probation: known and probed, but in no lookup.

A node that hears only a fifth of what is sent to it answers all that it hears: nobody accuses it
for long. That too is seen here alone: the number of a try, which every probe bears, tells how many
before it were lost on their way.

It does so only while few others do. When many nodes lose their replies, the network is to blame,
and a service that works now and then is better than none.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from gossipmm.core.life.generation import OwnGenerations
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values import events
from gossipmm.core.values.trail import EvidenceKind
from gossipmm.core.wire.frame import TRY
from gossipmm.core.wire.slim import SHORT
from gossipmm.mechanisms import Mechanism

__all__ = ("ReplyLoss",)

#: Size of the window of probes, and how many of them must have been asked a third time. If a share
#: p of the replies is lost, these are p squared of them: 0.64 at 80 %. Where the network loses half
#: of everything each way it is 0.34 (standard deviation 0.05): 51 of 96 is 3.9 deviations away.
_WINDOW: Final = 96
_IMPAIRED, _FINE = 51, 19
#: How many tries of a probe were lost before the first that was heard, on average over the window:
#: 1.9 where four fifths of what is sent to this node are lost (standard deviation 0.17), 0.9 where
#: half of everything is (0.12). So 1.55 is 1.9 deviations below the one, and 5 above the other.
_HEARS_LITTLE, _HEARS_WELL = 1.55, 0.6
#: So many do for that, where the deviations are 0.21 and 0.15: who accuses nobody at once is asked
#: less, and needed more than 90 s for the whole window.
_ENOUGH: Final = 64
#: The same, of the last few, for as long as which it accuses nobody at once: such a mistake costs
#: only time. 1.9 has a deviation of 0.42 then, and 0.9 one of 0.29.
_LATELY: Final = 16
_HOLDS: Final = 1.2
#: Intervals for which a sender must have been known: one that has just joined, or that this node
#: has just met, may have asked before it could be heard.
_SETTLED: Final = 4
#: A member asks a third time after 50 ms more than the second, on a LAN.
_THIRD: Final = 2
#: Shortest time impaired, in seconds; it doubles with each time within the flap window.
_AT_LEAST, _AT_MOST = 30.0, 600.0
#: Share of the live members that may be impaired, including this node.
_SHARE: Final = 0.25
#: Intervals between two probes by one member that count: an insider that asks all the time makes
#: up a fifth of the window. The predecessor on the ring asks every interval, and sooner where its
#: tries are lost; all others less often.
_APART: Final = 3.5
_APART_ON_RING: Final = 0.3
#: Least number of probes by others than the predecessor. Half of those must have been lost as well:
#: it alone is not believed.
_OTHERS: Final = 4
#: Open probes tracked at a time: about one per interval arrives, however many members there are.
_MOST_OPEN: Final = 256
#: Marks a probe that has been counted.
_COUNTED: Final = TRY + 1


class ReplyLoss:
    """Counts the probes whose sender did not hear this node's replies."""

    def __init__(
        self,
        local: LocalState,
        own_generations: OwnGenerations,
    ) -> None:
        self._local = local
        self._own = own_generations
        self._began = local.now
        #: Probes that were answered just now: when first, which try it was, which was the first one
        #: heard (-1: that of one not settled), and whether somebody other than the predecessor on
        #: the ring asked.
        self._open: dict[int, tuple[float, int, int, bool]] = {}
        #: One bit for each of the last probes, the newest lowest: set if its replies were lost.
        self._lost = 0
        #: The same bits: set if another one than the predecessor asked.
        self._by_others = 0
        #: Which try of each of the last probes was heard first: those before it were lost; and
        #: whether another one than the predecessor asked.
        self._firsts: deque[tuple[int, bool]] = deque(maxlen=_WINDOW)
        #: When this node became impaired, within the flap window.
        self._times: list[float] = []

    @property
    def impaired(self) -> bool:
        """True while this node says that its replies are being lost."""
        return self._local.own.impaired

    @property
    def lost(self) -> float:
        """Share of the last probes whose sender asked a third time."""
        return self._lost.bit_count() / _WINDOW

    @property
    def missed(self) -> float:
        """Share of what is sent to this node that is lost, by the tries that it did not hear."""
        before = self._missed_tries()
        return before / (1.0 + before)

    def _missed_tries(self) -> float:
        firsts = self._firsts
        return sum(first for first, _ in firsts) / len(firsts) if len(firsts) >= _ENOUGH else 0.0

    def asked(self, sender: Member, probe: int) -> None:
        """Count a probe by a known member, which this node answers [P90]."""
        local = self._local
        now = local.now
        self._settle(now)
        # The first try of a probe may have come in a slim frame, which has its low bits alone.
        identity, number = probe & SHORT & ~TRY, probe & TRY
        known = self._open.get(identity)
        if known is None:
            other = sender is not local.peers.predecessor()
            apart = (_APART if other else _APART_ON_RING) * local.config.gossip_interval
            if now - sender.asked_at >= apart and len(self._open) < _MOST_OPEN:
                sender.asked_at = now
                since = max(sender.since, self._began)
                settled = now - since > _SETTLED * local.config.gossip_interval
                self._open[identity] = (now, number, number if settled else -1, other)
            return
        when, first, heard, other = known
        if now - when < 0.5 * local.config.resend_base:
            # Both may have waited here to be read, so that no reply was sent before the second one.
            self._open[identity] = (when, max(first, number), heard, other)
        elif first != _COUNTED and number >= first + _THIRD:
            self._open[identity] = (when, _COUNTED, heard, other)
            self._count(lost=True, other=other)

    def _settle(self, now: float) -> None:
        """Count probes that were not repeated in time as answered."""
        limit = now - 2 * self._local.config.probe_time
        while self._open:
            identity, (when, first, heard, other) = next(iter(self._open.items()))
            if when > limit:
                return
            del self._open[identity]
            if heard >= 0:
                self._firsts.append((heard, other))
            if first != _COUNTED:
                self._count(lost=False, other=other)

    def _count(self, *, lost: bool, other: bool) -> None:
        self._lost = (self._lost << 1 | lost) & (1 << _WINDOW) - 1
        self._by_others = (self._by_others << 1 | other) & (1 << _WINDOW) - 1

    def _is_bad(self) -> bool:
        """Return whether this node is hardly heard, or hears too little.

        The predecessor on the ring makes up most of the window: half of what others asked must have
        been lost as well, or one try before the first that was heard [P90].
        """
        alone = len(self._local.table.peers) == 1
        if self._lost.bit_count() >= _IMPAIRED:
            asked = self._by_others.bit_count()
            lost = (self._lost & self._by_others).bit_count()
            if alone or (asked >= _OTHERS and 2 * lost >= asked):
                return True
        if self._missed_tries() < _HEARS_LITTLE:
            return False
        firsts = [first for first, other in self._firsts if other]
        return alone or (len(firsts) >= _OTHERS and sum(firsts) >= len(firsts))

    def _missed_lately(self) -> bool:
        """Return whether the last probes had to be asked repeatedly until this node heard them."""
        if len(self._firsts) < _LATELY:
            return False
        last = list(self._firsts)[-_LATELY:]
        others = [first for first, other in last if other]
        believed = len(self._local.table.peers) == 1 or sum(others) >= max(1, len(others))
        return believed and sum(first for first, _ in last) >= _HOLDS * _LATELY

    # -- what follows from it ------------------------------------------------------------------

    def review(self) -> None:
        """Announce it, or take it back; called once an interval [P91]."""
        local = self._local
        local.hears_little = local.own.impaired or self._missed_lately()
        if Mechanism.IMPAIRED in local.without:
            return
        own, lost = local.own, self._lost.bit_count()
        if own.impaired:
            well = lost <= _FINE and self._missed_tries() <= _HEARS_WELL
            if well and local.now >= self._times[-1] + self._hold():
                self._say(impaired=False)
        elif self._is_bad() and self._few_are():
            kept = [at for at in self._times if at > local.now - local.config.flap_window]
            self._times = [*kept, local.now]
            self._say(impaired=True)

    def _few_are(self) -> bool:
        """Return whether this node may say so as well: when many are, it is the network."""
        table = self._local.table
        return len(table.impaired) + 1 <= _SHARE * table.live_count()

    def _hold(self) -> float:
        return float(min(_AT_LEAST * 2 ** (len(self._times) - 1), _AT_MOST))

    def _say(self, *, impaired: bool) -> None:
        local = self._local
        local.own.impaired = impaired
        self._own.write([local.own.page_zero()])
        share, missed = round(self.lost, 2), round(self.missed, 2)
        kind = EvidenceKind.IMPAIRED_OWN if impaired else EvidenceKind.UNIMPAIRED_OWN
        local.stats.impaired += impaired
        local.me.note(local.now, kind, local.own.name, share=share, missed=missed)
        local.events.append(events.SelfImpaired(local.now, impaired, share, missed))
