"""Asks other members what only they know, or to do something: directly, and again until answered.

A question is an option of a SYN, its answer one of the ACK. So whoever does not know of questions
answers all the same, which tells an older version from a member that cannot be reached.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from gossipmm.core.sending.inbound import Inbound
from gossipmm.core.sending.outbox import Outbox
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values.questions import (
    ASK_DRAIN,
    ASK_HEALTH,
    ASK_PLACE,
    ASK_QUERY,
    MAX_REASONS,
    TOLD,
    Answered,
    HealthTold,
    Outcome,
    is_code,
)
from gossipmm.core.values.timers import Token, cancel
from gossipmm.core.values.trail import EvidenceKind
from gossipmm.core.values.types import NodeId, Status
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.option_checks import COORDINATE
from gossipmm.mechanisms import Mechanism

__all__ = ("Asking", "health_in")

#: Units of resends between tries: the first three, and the others. At 25 % loss each way one of
#: 20 tries in 2 s fails to be answered once in ten million questions.
_FIRST: Final = 2
_SOON: Final = 3
_THEN: Final = 4
#: The same once it said that the answer to a query follows, after so many more tries: that comes
#: unasked, unless it is lost. At 25 % loss one of 20,000 such tries of 2 s finds none.
_FETCH: Final = 8
_FETCHES: Final = 6
#: Tries of a query without any answer before others are asked to pass it on, between two times, and
#: until others are chosen for that: those that were asked may have addresses to prove meanwhile.
_BEFORE_RELAYS: Final = 3
_BETWEEN_RELAYS: Final = 2
_OTHER_RELAYS: Final = 6
#: Questions that begin at once, and units of resends until as many more do: 1,280 a second.
_AT_ONCE: Final = 32
_APART: Final = 1
#: Those that wait for their turn and are looked at in one go: most may be gone, or out of time.
_LOOKED_AT: Final = 1024
#: Outcomes that another try may change.
_PASSING: Final = frozenset({Outcome.BUSY, Outcome.PROVING, Outcome.WORKING})
_ASKED: Final = frozenset({Status.ALIVE, Status.SUSPECT, Status.PROBATION})


class _Question:
    """A question to one member."""

    __slots__ = (
        *("began", "bridge", "chosen", "done", "fetched", "identity", "known"),
        *("member", "relays", "stage", "timer", "until", "what"),
    )

    def __init__(
        self, identity: int, member: Member, what: list[Any], done: Callable[[Answered], None]
    ) -> None:
        #: Comes back in the answer; its lowest three bits are 0, as of the first try of a probe.
        self.identity = identity
        self.member = member
        self.what = what
        self.done = done
        self.began = 0.0
        self.until = 0.0
        self.stage = 0
        #: Tries since it is known that the answer follows.
        self.fetched = 0
        self.timer: Token | None = None
        #: The best that is known of it so far.
        self.known = Outcome.NO_ANSWER
        #: Members that are asked to pass it on; keys of all that were; and by which word came.
        self.chosen: list[Member] = []
        self.relays: set[int] = set()
        self.bridge: Member | None = None


class _Wanted(NamedTuple):
    """A question to several members that waits for its turn."""

    #: The last one is the next. One list, not an object each: 10,000 of those are 0.1 s of garbage.
    names: list[NodeId]
    what: list[Any]
    asked_at: float
    until: float
    done: Callable[[Answered], None]


class Asking:
    """The questions of this node that are not answered yet [P142]."""

    def __init__(self, local: LocalState, outbox: Outbox, enter: Callable[[float], None]) -> None:
        self._local = local
        self._outbox = outbox
        #: Takes the clock reading.
        self.enter = enter
        #: Probe id -> question.
        self.open: dict[int, _Question] = {}
        self._waiting: deque[_Wanted] = deque()
        self._begins: Token | None = None
        #: How often others were asked to pass a query on.
        self.passed_on = 0

    def health(
        self,
        names: Iterable[NodeId],
        seconds: float,
        done: Callable[[Answered], None],
        now: float,
    ) -> None:
        """Ask members how they are; ``done`` is called once for each, within so many seconds."""
        self.enter(now)
        self._ask_each(names, [ASK_HEALTH], seconds, done)

    def place(
        self,
        names: Iterable[NodeId],
        seconds: float,
        done: Callable[[Answered], None],
        now: float,
    ) -> None:
        """Ask members for their coordinates, as ``health``; what they say is remembered [P182]."""
        self.enter(now)

        def noted(answered: Answered) -> None:
            member = self._local.table.by_name.get(answered.name)
            told = place_in(answered.facts)
            if member is not None and told is not None:
                self._local.distances.told(member.key, told, self._local.now)
            done(answered)

        self._ask_each(names, [ASK_PLACE, None], seconds, noted)

    def _ask_each(
        self,
        names: Iterable[NodeId],
        what: list[Any],
        seconds: float,
        done: Callable[[Answered], None],
    ) -> None:
        """Have each asked in its turn, behind those that wait already."""
        waiting, at = list(names), self._local.now
        waiting.reverse()
        self._waiting.append(_Wanted(waiting, what, at, at + seconds, done))
        self._begin(None)

    def drain(
        self,
        name: NodeId,
        drain: tuple[str | None, str | None, bool],
        seconds: float,
        done: Callable[[Answered], None],
        now: float,
    ) -> None:
        """Ask a member to drain (topic, host; None: all of it), or to take that back [P144]."""
        self.enter(now)
        topic, host, draining = drain

        def noted(answered: Answered) -> None:
            member = self._local.table.by_name.get(name)
            if member is not None:
                member.note(
                    self._local.now,
                    EvidenceKind.DRAIN_ASKED,
                    self._local.own.name,
                    topic=topic or "",
                    host=host or "",
                    draining=draining,
                    said=answered.outcome.value,
                )
            done(answered)

        what, at = [ASK_DRAIN, topic, host, draining], self._local.now
        self._waiting.appendleft(_Wanted([name], what, at, at + seconds, noted))
        self._begin(None)

    def query(
        self,
        names: Iterable[NodeId],
        what: tuple[str, bytes, str | None],
        seconds: float,
        done: Callable[[Answered], None],
        now: float,
    ) -> None:
        """Ask members a query: name, payload, the topic that they have to be of [P172]."""
        self.enter(now)
        waiting, at = list(names), self._local.now
        waiting.reverse()
        asked = [ASK_QUERY, what[0], what[1], 0, what[2]]
        self._waiting.append(_Wanted(waiting, asked, at, at + seconds, done))
        self._begin(None)

    def _begin(self, _: object) -> None:
        """Send the first tries of those that wait, some at a time."""
        local = self._local
        if self._begins is not None:
            cancel(self._begins)
            self._begins = None
        begun = looked_at = 0
        while self._waiting and begun < _AT_ONCE and looked_at < _LOOKED_AT:
            wanted = self._waiting[0]
            if not wanted.names:
                self._waiting.popleft()
                continue
            looked_at += 1
            begun += self._begin_one(wanted.names.pop(), wanted)
        if self._waiting:
            pause = _APART * local.config.resend_base
            self._begins = local.timers.at(local.now + pause, self._begin)

    def _begin_one(self, name: NodeId, wanted: _Wanted) -> int:
        """Send the first try of a question; return how many were sent: 0 if nobody is asked."""
        local = self._local
        what, asked_at, until, done = wanted[1:]
        member = local.table.by_name.get(name)
        outcome: Outcome | None = None
        if member is None or member is local.me:
            outcome = Outcome.UNKNOWN_MEMBER
        elif member.status not in _ASKED:
            outcome = Outcome.NOT_LIVE
        elif local.now >= until:
            outcome = Outcome.NO_TIME
        if outcome is not None or member is None:
            done(Answered(name, outcome or Outcome.NO_TIME, [], local.now - asked_at))
            return 0
        question = _Question(local.probe_id(), member, what, done)
        question.began, question.until = asked_at, until
        self.open[question.identity] = question
        self._try(question)
        return 1

    def _try(self, question: _Question) -> None:
        local = self._local
        question.timer = None
        if local.now >= question.until:
            self._end(question, question.known, [])
            return
        if question.what[0] == ASK_QUERY:
            question.what[3] = int(1000 * (question.until - local.now))
        options = {wire.OPT_ASK: question.what}
        probe = question.identity
        self._outbox.send(wire.SYN, question.member, probe=probe, options=options)
        if question.what[0] == ASK_QUERY:
            self._ask_around(question)
        question.stage += 1
        units = _FIRST if question.stage <= _SOON else _THEN
        if question.known is Outcome.WORKING and question.bridge is None:
            units = _FETCH if question.fetched >= _FETCHES else _THEN
            question.fetched += 1
        again = min(local.now + units * local.config.resend_base, question.until)
        question.timer = local.timers.at(again, self._try, question)

    def _ask_around(self, question: _Question) -> None:
        """Have others pass a query on to a member from which nothing comes [P174]."""
        local, bridge, key = self._local, question.bridge, question.member.key
        if Mechanism.QUERY_RELAYS in local.without:
            return
        if bridge is not None:
            question.chosen = [bridge]
        else:
            since = question.stage - _BEFORE_RELAYS
            silent = question.known in (Outcome.NO_ANSWER, Outcome.OTHER_ANSWERED)
            if since < 0 or since % _BETWEEN_RELAYS or not silent:
                return
            if since % _OTHER_RELAYS == 0:
                question.chosen = local.peers.sample(local.config.helpers, {key})
        what = [local.me.key, key, question.identity, question.what]
        for one in question.chosen:
            question.relays.add(one.key)
            self._outbox.send(wire.NEWS, one, options={wire.OPT_RELAY: what})
            self.passed_on += 1

    def relayed(self, sender: Member, relayed: list[Any]) -> None:
        """Take the answer to a query that another member passes on [P174]."""
        question = self.open.get(relayed[2])
        if question is None or sender.key not in question.relays:
            return
        if relayed[1] == question.member.key:
            question.bridge = sender
            self._take(question, relayed[3], sender.name)

    def answered(self, inbound: Inbound) -> bool:
        """Return whether an ACK answers a question of this node, and take the answer."""
        frame = inbound.frame
        question = self.open.get(frame.probe)
        if question is None:
            return False
        if frame.sender != question.member.key:
            question.known = Outcome.OTHER_ANSWERED
            return True
        told = frame.options.get(wire.OPT_TOLD)
        if told is None:
            # It may not know this node yet, and then serves no requests of it.
            if frame.known:
                self._end(question, Outcome.TOO_OLD, [])
            return True
        question.bridge = None  # the way is not broken, or no longer
        self._take(question, told, "")
        return True

    def _take(self, question: _Question, told: list[Any], via: NodeId) -> None:
        number = told[0]
        outcome = TOLD[number] if number < len(TOLD) else Outcome.NOT_ALLOWED
        if outcome not in _PASSING:
            self._end(question, outcome, told[1:], via)
        elif outcome is not Outcome.PROVING and question.known is not Outcome.WORKING:
            question.known = outcome

    def _end(
        self, question: _Question, outcome: Outcome, facts: list[Any], via: NodeId = ""
    ) -> None:
        local = self._local
        if question.timer is not None:
            cancel(question.timer)
            question.timer = None
        self.open.pop(question.identity, None)
        took = local.now - question.began
        question.done(Answered(question.member.name, outcome, facts, took, via))


def place_in(facts: list[Any]) -> bytes | None:
    """Read where a member said to be; None: it makes no sense [P182]."""
    if not facts or type(facts[0]) is not bytes or len(facts[0]) != COORDINATE:
        return None
    return facts[0]


def health_in(facts: list[Any]) -> HealthTold | None:
    """Read what a member said of its health; None: it makes no sense [P143]."""
    if len(facts) < 5:
        return None
    verdict, reasons, version, uptime, age = facts[:5]
    if not is_code(verdict) or not is_code(version) or type(reasons) is not list:
        return None
    if type(uptime) is not int or type(age) is not int:
        return None
    codes = tuple([code for code in reasons[:MAX_REASONS] if is_code(code)])
    return HealthTold(verdict, codes, version, float(max(0, uptime)), max(0, age) / 1000)
