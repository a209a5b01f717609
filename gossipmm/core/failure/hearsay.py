"""How far accusations by others are believed: by what became of those that they brought before.

Each holder keeps its own account, of what it saw refuted itself, and tells nothing of it
[P133, P134].
"""

from __future__ import annotations

from typing import Final

from gossipmm.core.failure.accusations import Accusations
from gossipmm.core.failure.outcomes import RoundOutcomes
from gossipmm.core.sending.outbox import Outbox
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values.charges import Charges
from gossipmm.core.values.types import NodeId
from gossipmm.core.wire import frame as wire
from gossipmm.mechanisms import Mechanism

__all__ = ("Hearsay",)

#: Suspicions brought by one member that may turn out wrong before it is not believed. At 25 % loss
#: a member brings another one about once in a minute that is.
_FREE: Final = 3.0
#: Seconds after which one of them is forgiven.
_FORGIVEN: Final = 20.0
#: Charges that count of who accused itself: it is not believed for as long as a minute. A member
#: that passed one on may have been lied to, and is believed again after ``_FORGIVEN``.
_MOST_OF_ACCUSERS: Final = _FREE + 3.0
_MOST_OF_RELAYS: Final = _FREE
#: Members whose charges are remembered.
_KEPT: Final = 1024
#: Suspicions that this node told on by hearsay and that turned out wrong, until it asks itself
#: before it tells; and seconds after which one is forgotten. Each costs every node about 1,600
#: bytes, to be told and to be taken back.
_ALARMS: Final = 3.0
_CALM: Final = 15.0
#: Intervals within which one that was reached is not asked about.
_LATELY: Final = 4
#: Questions about what is not believed, and intervals after which there is one more. The dead
#: are found out by members that ask them anyway, and most of those are believed.
_QUESTIONS, _EVERY = 3.0, 8


class Hearsay:
    """The account of who brought what, and of what this node told on."""

    def __init__(
        self,
        local: LocalState,
        outbox: Outbox,
        accusations: Accusations,
        lately: RoundOutcomes,
    ) -> None:
        self._local = local
        self._outbox = outbox
        self._lately = lately
        self._accusations = accusations
        self._charges: dict[NodeId, Charges] = {}
        self._alarms = Charges(_CALM)
        self._ask_after = local.now
        self._questions = Charges(_EVERY * local.config.gossip_interval)

    def believes(self, reporter: Member) -> bool:
        """Return whether the accusations of a member are believed: else they are asked about.

        [P134]
        """
        if Mechanism.ACCUSERS_CREDIT in self._local.without:
            return True
        charges = self._charges.get(reporter.name)
        # Those that it brings at once count as if they were wrong, after false alarms, and where
        # this node has not seen any member fail itself [P140].
        doubts = self.alarmed or not self._lately.last_failed
        most = _FREE - self._accusations.by(reporter.key) if doubts else _FREE
        return most >= 1.0 if charges is None else charges.room(self._local.now, most)

    def may_ask(self, member: Member) -> bool:
        """Return whether this node asks a member, although it does not believe the accuser.

        Once in an interval, and no member that somebody reached lately: accusing without end does
        not make it probe without end, nor the one that is accused first answer for all. Where this
        node itself reaches everybody, more seldom after the first few.
        """
        local = self._local
        now, interval = local.now, local.config.gossip_interval
        if now < self._ask_after or member.suspected or member.heard > now - _LATELY * interval:
            return False
        if not (self._lately.last_failed or self._questions.room(now, _QUESTIONS)):
            return False
        self._questions.add(now, _QUESTIONS)
        self._ask_after = now + interval
        return True

    @property
    def alarmed(self) -> bool:
        """True while too much of what this node told on by hearsay was wrong [P133]."""
        local = self._local
        return (
            not self._alarms.room(local.now, _ALARMS)
            and Mechanism.QUIET_HEARSAY not in local.without
        )

    def begins(self, member: Member) -> None:
        """Note that another member brought this suspicion; decide whether it is told on."""
        member.by_hearsay = True
        member.quiet = self.alarmed

    def saw_itself(self, member: Member) -> bool:
        """Note that this node was not answered; return whether nobody was told before [P147]."""
        quiet = member.quiet
        self.ends(member)
        if quiet:
            self._local.table.refresh(member, self._local.now)
        return quiet

    def ends(self, member: Member, *, refuted: bool = False) -> None:
        """Note the end of a suspicion, or that this node has seen for itself [P133, P134].

        ``refuted``: by its subject, to this node. What others say against it counts for nothing
        here: they may lie as well, and of the dead old heartbeats still travel.
        """
        local = self._local
        if refuted and member.by_hearsay:
            self._alarms.add(local.now, 2 * _ALARMS)
            self._charge(member)
        member.quiet = False
        member.by_hearsay = False

    def _charge(self, member: Member) -> None:
        local = self._local
        reporter = local.table.by_key.get(member.brought_by)
        if reporter is None:
            return
        charges = self._charges.pop(reporter.name, None) or Charges(_FORGIVEN)
        itself = reporter.key in member.accusers
        charges.add(local.now, _MOST_OF_ACCUSERS if itself else _MOST_OF_RELAYS)
        self._charges[reporter.name] = charges
        if member.quiet and self.believes(reporter):
            # Nobody else hears of it, and whoever cannot reach the member itself should.
            age = wire.age_up(local.now - member.heard)
            rows = wire.row(member.key, max(member.k, 0), wire.ALIVE, age)
            self._outbox.send(wire.NEWS, reporter, rows=rows)
        if len(self._charges) > _KEPT:
            del self._charges[next(iter(self._charges))]
