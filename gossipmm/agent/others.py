"""What an agent asks of single members, and what it tells them of itself."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence

import trio

from gossipmm.agent.driver import Driver
from gossipmm.answers import Drained, MemberHealth, NodeStatus, Rtt
from gossipmm.core.distances.coordinate import Coordinate, distance, unpack
from gossipmm.core.life.asking import health_in, place_in
from gossipmm.core.node import Node
from gossipmm.core.table.peers import agreement_with
from gossipmm.core.values.questions import Answered, HealthTold, Outcome
from gossipmm.core.values.types import NodeId, Status
from gossipmm.core.wire.frame import WIRE_VERSION

__all__ = ("Others",)

#: Seconds by which the core may be late in ending a question.
_GRACE = 1.0
#: Members that are shown between two looks at what else there is to do.
_PART = 256
#: The least and the most seconds that questions may take.
_LEAST, _MOST = 0.01, 60.0


class Others:
    """The part of an agent that asks others."""

    _node: Node
    _driver: Driver

    @abstractmethod
    def _open(self) -> float:
        """Return core time; raise AgentClosedError when nothing can be told any longer."""

    @abstractmethod
    def status(self) -> NodeStatus:
        """Return how this agent is."""

    @abstractmethod
    def drain(
        self, topic: str | None = None, host: str | None = None, *, draining: bool = True
    ) -> int:
        """Take registrations of this agent out of new picks."""

    def _health_told(self) -> HealthTold:
        """Say how this agent is, to a member that asks."""
        status = self.status()
        verdict = status.verdict
        return HealthTold(verdict.name, verdict.codes, status.version[:32], status.uptime)

    async def status_all(self, timeout: float = 2.0) -> tuple[MemberHealth, ...]:  # noqa: ASYNC109
        """Ask each member how it is, and return what they say, this one first, by name.

        Takes at most ``timeout`` seconds. Those that left are not asked; ``outcome`` says of the
        others why there is no verdict: they are dead here, do not answer or do not say.
        """
        self._open()
        node = self._node
        names = sorted(
            name
            for name, member in node.table.by_name.items()
            if member.status is not Status.LEFT and name != node.name
        )
        seconds = min(max(timeout, _LEAST), _MOST)

        def ask(done: Callable[[Answered], None]) -> None:
            node.questions.asking.health(names, seconds, done, self._driver.now())

        found = {one.name: one for one in await self._answers(len(names), seconds, ask)}
        own = self.status()
        shown = [
            MemberHealth(
                name=own.name,
                status=Status.ALIVE,
                outcome=Outcome.DONE,
                verdict=own.verdict.name,
                reasons=own.verdict.codes,
                version=own.version,
                uptime=own.uptime,
                wire_version=WIRE_VERSION,
            )
        ]
        nobody = Answered("", Outcome.NO_ANSWER, [], seconds)
        for number, name in enumerate(names):
            if number % _PART == _PART - 1:
                await trio.lowlevel.checkpoint()  # thousands take milliseconds
            shown.append(self._shown(name, found.get(name, nobody)))
        return tuple(shown)

    def _shown(self, name: NodeId, answered: Answered) -> MemberHealth:
        member = self._node.table.by_name.get(name)
        if member is None:  # forgotten meanwhile
            return MemberHealth(name, Status.UNKNOWN, Outcome.UNKNOWN_MEMBER)
        agreement, since = agreement_with(self._node.table, member)
        shown = MemberHealth(
            name=name,
            status=member.status,
            outcome=answered.outcome,
            agreement=agreement,
            differs_for=None if since is None else max(0.0, self._driver.now() - since),
            took=answered.took,
            wire_version=member.reads,
        )
        if answered.outcome is not Outcome.DONE:
            return shown
        told = health_in(answered.facts)
        if told is None:
            return shown._replace(outcome=Outcome.UNKNOWN_QUESTION)
        verdict, reasons, version, uptime, _ = told
        return shown._replace(verdict=verdict, reasons=reasons, version=version, uptime=uptime)

    async def drain_member(
        self,
        name: str,
        topic: str | None = None,
        host: str | None = None,
        *,
        draining: bool = True,
        timeout: float = 2.0,  # noqa: ASYNC109
    ) -> Drained:
        """Have another member drained, or registrations of it; or put back into new picks.

        It does so only if its own configuration says ``accept_drain``, for a holder of the key;
        ``outcome`` says why it did not. Takes at most ``timeout`` seconds; what did not answer may
        have done it all the same.
        """
        self._open()
        if name == self._node.name:
            return Drained(Outcome.DONE, self.drain(topic, host, draining=draining), 0.0)
        seconds = min(max(timeout, _LEAST), _MOST)
        what = (topic, host, draining)

        def ask(done: Callable[[Answered], None]) -> None:
            self._node.questions.asking.drain(name, what, seconds, done, self._driver.now())

        found = await self._answers(1, seconds, ask)
        answered = found[0] if found else Answered(name, Outcome.NO_ANSWER, [], seconds)
        changed = next((fact for fact in answered.facts if type(fact) is int), 0)
        return Drained(answered.outcome, changed, answered.took)

    async def rtt(
        self,
        name: str,
        to: str | None = None,
        timeout: float = 2.0,  # noqa: ASYNC109
    ) -> Rtt:
        """Return the estimated round trip between a member and another one; None: this node.

        Each of the two is asked for its coordinate; nothing is sent
        between them. ``outcome`` says why there is no estimate, and ``of`` whose coordinate is
        missing. Takes at most ``timeout`` seconds.
        """
        self._open()
        node, seconds = self._node, min(max(timeout, _LEAST), _MOST)
        pair = (name, node.name if to is None else to)
        places: dict[str, Coordinate] = {}
        if (own := node.distances.own) is not None:
            places[node.name] = own
        elif node.name in pair:
            # It keeps no coordinate, or has measured nobody yet.
            why = Outcome.NO_ANSWER if node.distances.on else Outcome.NOT_ALLOWED
            return Rtt(why, of=node.name)
        asked = [one for one in dict.fromkeys(pair) if one != node.name]

        def ask(done: Callable[[Answered], None]) -> None:
            node.questions.asking.place(asked, seconds, done, self._driver.now())

        found = {one.name: one for one in await self._answers(len(asked), seconds, ask)}
        for one in asked:
            answered = found.get(one, Answered(one, Outcome.NO_ANSWER, [], seconds))
            told = place_in(answered.facts)
            if answered.outcome is not Outcome.DONE or told is None:
                done = answered.outcome is Outcome.DONE
                return Rtt(Outcome.UNKNOWN_QUESTION if done else answered.outcome, of=one)
            places[one] = unpack(told)
        a, b = places[pair[0]], places[pair[1]]
        trip = 0.0 if pair[0] == pair[1] else distance(a, b)
        return Rtt(Outcome.DONE, trip, max(a.error, b.error))

    async def _answers(
        self, count: int, seconds: float, ask: Callable[[Callable[[Answered], None]], None]
    ) -> Sequence[Answered]:
        """Ask, and wait until so many questions have ended."""
        return await self._answers_of(ask, lambda: count, seconds)

    async def _answers_of(
        self,
        ask: Callable[[Callable[[Answered], None]], None],
        count: Callable[[], int],
        seconds: float,
    ) -> Sequence[Answered]:
        """Ask, and wait until as many questions have ended as are told once they are asked."""
        found: list[Answered] = []
        over = trio.Event()

        def done(one: Answered) -> None:
            found.append(one)
            over.set()

        ask(done)
        self._driver.flush()
        with trio.move_on_after(seconds + _GRACE):
            while len(found) < count():
                await over.wait()
                over = trio.Event()
        return found
