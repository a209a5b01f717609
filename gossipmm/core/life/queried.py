"""Answers queries: those that every node answers itself, and those that something here answers.

Whatever answers may take its time. The asking member is told so at once; the answer follows
unasked, and is kept until the query ends, for later tries. So nothing runs twice for one question.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from gossipmm.core.life.answering import Answering
from gossipmm.core.life.budgets import Budgets
from gossipmm.core.sending.inbound import Inbound
from gossipmm.core.sending.outbox import Outbox
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values.queries import (
    BUILT_IN,
    HEALTH,
    MAX_ANSWER,
    PING,
    QueryAsked,
    Told,
    is_query,
)
from gossipmm.core.values.questions import TOLD, Answered, Outcome
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import Address, NodeId, Status
from gossipmm.core.wire import frame as wire

__all__ = ("Queried",)

#: Tries of queries that a member is answered at once, and a second: with one query under way it
#: tries ten times a second at first, and each 0.2 s once it is told that the answer follows.
_BURST: Final = 48.0
_RATE: Final = 24.0
#: Queries that are kept: of one member, of all that one member passed on, of all that others passed
#: on, and of all. Those are 1 MB with their answers.
_OF_ONE: Final = 32
_OF_HELPER: Final = 128
_OF_HELPERS: Final = 512
_OF_ALL: Final = 1024
#: Seconds for which a query is kept beyond its end: a later copy of a try must find it.
_KEPT: Final = 5.0
#: Bytes of an answer that goes along with an ACK: what is longer has a datagram of its own.
_WITH_ACK: Final = 200
#: Bytes around an answer in a datagram, at most: keys, the number of the question, heads.
_AROUND: Final = 80
#: Members that passed a query on and are answered as well, at most.
_WAYS: Final = 4
#: Seconds for which a list of members that this node cannot reach is told as it was found.
_FRESH: Final = 0.5
_UNREACHED: Final = {
    Status.SUSPECT: "suspect",
    Status.DEAD: "dead",
    Status.RETURNING: "dead",
    Status.UNKNOWN: "unknown",
}


class _Kept:
    """A query that is being answered, or was."""

    __slots__ = ("asked", "by", "done", "told", "ways")

    def __init__(self, asked: QueryAsked, by: int) -> None:
        self.asked = asked
        #: Key of the member that it was heard from; negative: it passed it on.
        self.by = by
        #: What is said; None: whatever answers it is at work.
        self.told: list[Any] | None = None
        #: Key of who brought it -> it, and where it is.
        self.ways: dict[int, tuple[Member, Address]] = {}
        #: This node asked itself.
        self.done: Callable[[list[Any]], None] | None = None


class Queried:
    """What this node answers to queries [P172, P173]."""

    def __init__(
        self,
        local: LocalState,
        outbox: Outbox,
        answering: Answering,
        enter: Callable[[float], None],
    ) -> None:
        self._local = local
        self._enter = enter
        self._outbox = outbox
        self._answering = answering
        #: Begins to answer a query, and calls ``answer`` when it has one; False: nothing here does.
        self.handler: Callable[[QueryAsked], bool] = lambda _: False
        self._open: dict[tuple[int, int], _Kept] = {}
        #: How many are kept, by the member that they were heard from, and how many were passed on.
        self._heard_from: dict[int, int] = {}
        self._passed_on = 0
        #: Of those who ask, and of those who pass on what others ask.
        self._budgets = Budgets(_BURST, _RATE)
        self._passing = Budgets(_BURST, _RATE)
        self._most = min(MAX_ANSWER, outbox.room - wire.FRAME_SIZE - wire.ROW_SIZE - _AROUND)
        self._unreached: list[str] = []
        self._unreached_at = local.now - 2 * _FRESH
        #: Queries that were answered with something.
        self.answered = 0

    # -- being asked -----------------------------------------------------------------------------

    def hear(self, inbound: Inbound, sender: Member, ask: list[Any]) -> None:
        """Answer a member that asks itself, in the ACK, or before it if that is much."""
        frame = inbound.frame
        told = self._told(self._budgets, sender, sender, inbound, frame.probe, ask)
        if _size(told) > _WITH_ACK:
            self._say(sender, inbound.source, sender.key, frame.probe, told)
            told = [TOLD.index(Outcome.WORKING)]
        inbound.reply.told = told

    def hear_passed_on(self, inbound: Inbound, sender: Member, relay: list[Any]) -> None:
        """Answer a query that a member passes on for another one [P174]."""
        asker, _, identity, ask = relay[:4]
        member = self._local.table.by_key.get(asker)
        if member is None or not member.complete or not is_query(ask):
            self._local.stats.drop(Drop.BAD_OPTION)
            return
        told = self._told(self._passing, sender, member, inbound, identity, ask)
        self._say(sender, inbound.source, asker, identity, told)

    def own(self, asked: QueryAsked, topic: str | None, done: Callable[[list[Any]], None]) -> None:
        """Answer this node itself; ``done`` is called with what it says, perhaps at once."""
        kept = self._take(asked, topic, asked.key)
        if isinstance(kept, _Kept):
            kept.done = done
            kept = kept.told or kept
        if not isinstance(kept, _Kept):
            done(kept)

    def _told(
        self,
        budgets: Budgets,
        sender: Member,
        asker: Member,
        inbound: Inbound,
        identity: int,
        ask: list[Any],
    ) -> list[Any]:
        """Return what a try of a question is answered now."""
        local = self._local
        kept = self._open.get((asker.key, identity))
        if not budgets.charge(sender.key, local.now):
            local.stats.drop(Drop.QUESTION_RATE)
            return [TOLD.index(Outcome.BUSY)]
        if kept is None:
            until = local.now + ask[3] / 1000
            asked = QueryAsked(ask[1], ask[2], asker.name, until, asker.key, identity)
            # Charged is who speaks: anybody could pass on what nobody asked [P196].
            by = sender.key if sender is asker else -1 - sender.key
            found = self._take(asked, ask[4], by)
            if not isinstance(found, _Kept):
                return found
            kept = found
        if sender.key in kept.ways or len(kept.ways) < _WAYS:
            kept.ways[sender.key] = sender, inbound.source
        return kept.told or [TOLD.index(Outcome.WORKING)]

    def _take(self, asked: QueryAsked, topic: str | None, by: int) -> _Kept | list[Any]:
        """Begin to answer a query; what is known at once is not kept."""
        local, key = self._local, asked.key
        outcome = self._why_not(topic)
        if outcome is not None:
            return [TOLD.index(outcome)]
        if asked.name in BUILT_IN:
            return self._built_in(asked.name)
        if len(self._open) >= _OF_ALL or not self._has_room(by):
            local.stats.drop(Drop.QUESTION_RATE)
            return [TOLD.index(Outcome.BUSY)]
        kept = _Kept(asked, by)
        self._open[(key, asked.identity)] = kept
        self._heard_from[by] = self._heard_from.get(by, 0) + 1
        self._passed_on += by < 0
        if not self.handler(asked):
            self._forget(kept)
            return [TOLD.index(Outcome.NO_HANDLER)]
        local.timers.at(asked.until + _KEPT, self._forget, kept)
        return kept

    def _has_room(self, by: int) -> bool:
        kept = self._heard_from.get(by, 0)
        if by >= 0:
            return kept < _OF_ONE
        return kept < _OF_HELPER and self._passed_on < _OF_HELPERS

    def _why_not(self, topic: str | None) -> Outcome | None:
        local = self._local
        if not local.config.answer_queries:
            return Outcome.NOT_ALLOWED
        if local.own.leaving:
            return Outcome.LEAVING
        if topic is not None and not any(one.topic == topic for one in local.own.registrations()):
            return Outcome.NOT_REGISTERED
        return None

    def _forget(self, kept: _Kept) -> None:
        by = kept.by
        self._open.pop((kept.asked.key, kept.asked.identity), None)
        self._passed_on -= by < 0
        left = self._heard_from.get(by, 0) - 1
        if left > 0:
            self._heard_from[by] = left
        else:
            self._heard_from.pop(by, None)

    # -- answering -------------------------------------------------------------------------------

    def answer(self, asked: QueryAsked, outcome: Outcome, told: Told, now: float) -> None:
        """Say what came of a query, once; what is more than an answer holds is cut [P173]."""
        self._enter(now)
        kept = self._open.get((asked.key, asked.identity))
        if kept is None or kept.told is not None:
            return
        kept.told = self._with(outcome, told)
        if kept.done is not None:
            kept.done(kept.told)
        if self._local.now < asked.until:
            for member, address in kept.ways.values():
                self._say(member, address, asked.key, asked.identity, kept.told)

    def _with(self, outcome: Outcome, told: Told) -> list[Any]:
        self.answered += 1
        cut = told.cut or len(told.payload) > self._most
        return [TOLD.index(outcome), told.payload[: self._most], cut, told.status]

    def _say(
        self, to: Member, address: Address, asker: int, identity: int, told: list[Any]
    ) -> None:
        """Send an answer to who asked, or to who passed the question on."""
        if to.key == asker:
            options: dict[int, Any] = {wire.OPT_TOLD: told}
            self._outbox.send(wire.ACK, to, address=address, probe=identity, options=options)
        else:
            options = {wire.OPT_RELAYED: [asker, self._local.me.key, identity, told]}
            self._outbox.send(wire.NEWS, to, address=address, options=options)

    # -- what every node answers -----------------------------------------------------------------

    def _built_in(self, name: str) -> list[Any]:
        """Answer in words that are codes and names, which sort and split [P175]."""
        if name == PING:
            return self._with(Outcome.DONE, Told(*self._unreached_text()))
        if name == HEALTH and not self._local.config.answer_health:
            return [TOLD.index(Outcome.NOT_ALLOWED)]
        told = self._answering.verdict()
        said = " ".join((told.verdict, *told.reasons)) if name == HEALTH else told.version
        return self._with(Outcome.DONE, Told(said.encode()))

    def _unreached_text(self) -> tuple[bytes, bool]:
        """Return the members that it does not reach, a line each; and whether there are more."""
        text, cut = b"", False
        for line in self.unreached():
            more = line.encode() + b"\n"
            if len(text) + len(more) > self._most:
                cut = True
                break
            text += more
        return text, cut

    def unreached(self) -> list[str]:
        """Return how and who: by its own probes no path, suspected, dead; those that live first."""
        local = self._local
        if local.now - self._unreached_at > _FRESH:
            self._unreached_at = local.now
            lost, found = self._outbox.paths.lost, []
            members: dict[NodeId, Member] = local.table.by_name
            for name, member in members.items():
                if member is local.me or member.status is Status.LEFT:
                    continue
                if member.key in lost and member.key in local.table.peers:
                    found.append((0, name, "no_path"))
                elif member.status in _UNREACHED:
                    gone = member.status is not Status.SUSPECT
                    found.append((1 + gone, name, _UNREACHED[member.status]))
            local.stats.work += len(members) // 16
            self._unreached = [f"{how} {name}" for _, name, how in sorted(found)]
        return self._unreached


def _size(told: list[Any]) -> int:
    return len(told[1]) if len(told) > 1 else 0


def answered(name: NodeId, told: list[Any], took: float) -> Answered:
    """Return what a node told itself, as if it had been asked."""
    return Answered(name, TOLD[told[0]], told[1:], took)
