"""A query of one host to all, answered by something on each that takes its time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gossipmm.core.values.queries import Query, QueryAsked, Told
from gossipmm.core.values.questions import Answered, Outcome
from gossipmm_sim.faults.base import Context, Fault, fault, select

if TYPE_CHECKING:
    from gossipmm_sim.engine.host import Host

__all__ = ("AskAll",)

_NAME: Final = "load"


class _Run:
    """What a query does: who was asked how often, and what came back."""

    def __init__(self) -> None:
        self.begun: dict[str, int] = {}
        self.answers: list[Answered] = []
        self.sent: dict[str, int] = {}


@fault("ask_all")
@dataclass(frozen=True, slots=True, kw_only=True)
class AskAll(Fault):
    """Has host ``on`` ask all others a query, which each answers after ``slow`` seconds.

    Leaves, ``seconds`` later: ``query_missing``: hosts that are up and did not answer;
    ``query_last``: seconds until the last answer; ``query_twice``: hosts that began it again;
    ``query_around``: answers that others brought; ``query_sent`` and ``query_sent_max``: bytes that
    the asking host, and the one of the others that sent most, sent meanwhile.
    """

    on: str = "0"
    seconds: float = 2.0
    slow: float = 0.005

    @property
    def last(self) -> float:
        """It disturbs nothing."""
        return 0.0

    def act(self, run: Context, key: str) -> None:
        """Ask."""
        noted: _Run = run.memory(key, _Run)
        for host in run.cast:
            if host.up:
                self._answer_on(run, host, noted)
                noted.sent[host.node_name] = host.core.stats.sent_bytes
        (asker,) = select(run, self.on)
        query = Query(_NAME, b"now", self.seconds)
        asker.core.questions.querying.ask(query, noted.answers.append, asker.core_time())
        asker.pump()
        run.cluster.clock.at(run.cluster.now + self.seconds + 0.01, self._leave, run, noted)

    def _answer_on(self, run: Context, host: Host, noted: _Run) -> None:
        """Let a host answer."""
        queried = host.core.questions.queried

        def answer(asked: QueryAsked, _: object) -> None:
            if host.up and host.core.questions.queried is queried:
                told = Told(host.node_name.encode())
                queried.answer(asked, Outcome.DONE, told, host.core_time())
                host.pump()

        def handler(asked: QueryAsked) -> bool:
            noted.begun[host.node_name] = noted.begun.get(host.node_name, 0) + 1
            run.cluster.clock.at(run.cluster.now + self.slow, answer, asked, None)
            return True

        queried.handler = handler

    def _leave(self, run: Context, noted: _Run) -> None:
        """Leave the figures."""
        done = [one for one in noted.answers if one.outcome is Outcome.DONE]
        up = {host.node_name: host for host in run.cast if host.up}
        (asker,) = select(run, self.on)
        sent = {
            name: host.core.stats.sent_bytes - noted.sent.get(name, 0) for name, host in up.items()
        }
        measured = run.measured
        measured["query_missing"] = len(up.keys() - {one.name for one in done})
        measured["query_last"] = max((one.took for one in done), default=0.0)
        measured["query_twice"] = sum(count > 1 for count in noted.begun.values())
        measured["query_around"] = sum(bool(one.via) for one in done)
        measured["query_sent"] = sent.pop(asker.node_name, 0)
        measured["query_sent_max"] = max(sent.values(), default=0)
