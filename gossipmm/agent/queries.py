"""Queries of an agent: what it asks of many members at once, and what answers those of others."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import trio

from gossipmm.agent.driver import Driver
from gossipmm.agent.others import Others
from gossipmm.answers import QueryAnswer, QueryResult
from gossipmm.core.values.queries import BUILT_IN, Query, QueryAsked, Told, told_in
from gossipmm.core.values.queries import why_not_query_name as why_not
from gossipmm.core.values.questions import Answered, Outcome
from gossipmm.errors import QueryError

if TYPE_CHECKING:
    from gossipmm.config_handlers import QueryHandler
    from gossipmm.services.queries import Programs

__all__ = ("AnswerFunction", "Answerers", "Queries")

#: A function that answers a query: bytes or text, or nothing, which is an empty answer.
AnswerFunction: TypeAlias = Callable[[QueryAsked], Awaitable[bytes | str | None]]
_Answer: TypeAlias = Callable[[QueryAsked], Awaitable[tuple[Outcome, Told]]]

_log = logging.getLogger(__name__)


class Answerers:
    """What answers queries here, by their names: functions of the program, and programs."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._queried = driver.node.questions.queried
        self._queried.handler = self._begin
        self._functions: dict[str, AnswerFunction] = {}
        self._programs: Programs | None = None
        self._nursery: trio.Nursery | None = None
        #: What was asked before ``run`` began.
        self._early: list[tuple[_Answer, QueryAsked]] = []

    async def run(self) -> None:
        """Answer queries until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            for early in self._early:
                nursery.start_soon(self._answer, *early)
            self._early.clear()
            try:
                await trio.sleep_forever()
            finally:
                self._nursery = None

    def set_function(self, name: str, function: AnswerFunction | None) -> None:
        """Have a function answer queries of a name; None: no longer. Raises QueryError."""
        if reason := why_not(name):
            raise QueryError(reason)
        if name in BUILT_IN:
            raise QueryError(f"query {name!r} is answered by every node itself: use another name")
        if function is None:
            self._functions.pop(name, None)
        else:
            self._functions[name] = function

    def set_programs(self, handlers: Iterable[QueryHandler]) -> list[str]:
        """Have programs answer, from now on these; says what changed."""
        if self._programs is None:
            from gossipmm.services.queries import Programs

            self._programs = Programs(self._driver.node.name)
        return self._programs.replace(handlers)

    def counts(self) -> Mapping[str, int]:
        """Return how many runs of programs ended how."""
        return self._programs.counts if self._programs is not None else {}

    def queries(self) -> Mapping[str, int]:
        """Return how many queries were asked, refused, answered, and passed on for this node."""
        questions = self._driver.node.questions
        return {
            "asked": questions.querying.asked,
            "refused": questions.querying.refused,
            "answered": questions.queried.answered,
            "around": questions.asking.passed_on,
        }

    def _begin(self, asked: QueryAsked) -> bool:
        """Begin to answer a query; False: nothing here does."""
        answer: _Answer | None = None
        function = self._functions.get(asked.name)
        if function is not None:
            answer = partial(_called, function)
        elif self._programs is not None:
            answer = self._programs.find(asked.name)
        if answer is None:
            return False
        if self._nursery is None:
            self._early.append((answer, asked))
        else:
            self._nursery.start_soon(self._answer, answer, asked)
        return True

    async def _answer(self, answer: _Answer, asked: QueryAsked) -> None:
        outcome, told = Outcome.LATE, Told()
        with trio.move_on_after(max(0.0, asked.until - self._driver.now())):
            outcome, told = await answer(asked)
        self._queried.answer(asked, outcome, told, self._driver.now())
        self._driver.flush()


async def _called(function: AnswerFunction, asked: QueryAsked) -> tuple[Outcome, Told]:
    """Answer with what a function returns; what it raises is an answer as well, and logged."""
    try:
        said = await function(asked)
        if said is None or isinstance(said, str):
            said = (said or "").encode(errors="replace")
        return Outcome.DONE, Told(bytes(said))
    except Exception as exc:
        _log.exception("the function that answers query %r failed", asked.name)
        return Outcome.FAILED, Told(type(exc).__name__.encode(), status=1)


class Queries(Others):
    """The part of an agent that asks queries, and lets functions answer them."""

    answerers: Answerers

    async def query(
        self,
        name: str,
        payload: bytes | str = b"",
        *,
        topic: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        timeout: float = 2.0,  # noqa: ASYNC109
    ) -> QueryResult:
        """Ask all members, or those of a topic or of some metadata, and return what they say.

        This node is one of them. Takes at most ``timeout`` seconds, and less where all have
        answered. Raises QueryError for what cannot be asked, QueryRateError for too many queries.
        """
        self._open()
        query = Query(name, payload, timeout, topic, metadata or {})  # type: ignore[arg-type]
        began = self._driver.now()
        asked: list[int] = []

        def ask(done: Callable[[Answered], None]) -> None:
            asked.append(self._node.questions.querying.ask(query, done, began))

        found = await self._answers_of(ask, lambda: asked[0], timeout)
        answers = tuple(sorted(map(_shown, found)))
        return QueryResult(name, answers, self._driver.now() - began)

    def on_query(self, name: str, function: AnswerFunction | None) -> None:
        """Answer queries of a name with what a function returns, from now on; None: no longer.

        It has until the query ends. What it raises is told as a failure, and logged.
        """
        self._open()
        self.answerers.set_function(name, function)


def _shown(one: Answered) -> QueryAnswer:
    told = told_in(one)
    if told is None:
        return QueryAnswer(one.name, Outcome.UNKNOWN_QUESTION, took=one.took, via=one.via)
    return QueryAnswer(one.name, one.outcome, *told, one.took, one.via)
