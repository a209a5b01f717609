"""An asynchronous call in the Trio thread of an agent, and the watch that is made of such calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec, Protocol, Self, TypeVar

import trio

from gossipmm.agent.agent import Agent
from gossipmm.agent.watch import Watch
from gossipmm.core.values.events import Event
from gossipmm.embed.outcome import Outcome
from gossipmm.errors import AgentClosedError

__all__ = ("Job", "ThreadWatch", "finished")

_T = TypeVar("_T")
_P = ParamSpec("_P")


class Job(Outcome[_T]):
    """An asynchronous call in the Trio thread; ``stop`` cancels it there."""

    def __init__(self, token: trio.lowlevel.TrioToken) -> None:
        super().__init__()
        self._token = token
        self.scope = trio.CancelScope()

    def stop(self) -> None:
        """Cancel the call. The outcome is there when it has really ended."""
        with suppress(trio.RunFinishedError):  # it has ended with the agent
            self._token.run_sync_soon(self.scope.cancel)


class _Thread(Protocol):
    """What a watch needs of the agent's thread."""

    def call(self, function: Callable[..., _T], *args: Any, **kwargs: Any) -> _T:
        """Run ``function`` there, and wait."""

    def spawn(self, function: Callable[..., Any], *args: Any) -> Job[Any]:
        """Begin an asynchronous call there."""


class ThreadWatch(Iterator[Event]):
    """The events of an agent, as an iterator that blocks. Ends when the agent closes.

    For one thread at a time. Ends with WatchOverflowError when its reader was too slow.
    """

    def __init__(self, thread: _Thread, watch: Watch) -> None:
        self._thread = thread
        self._watch = watch
        self._step: Job[Event] | None = None

    def __next__(self) -> Event:
        try:
            # A step that is interrupted on this side continues on the other one: no event is lost.
            if self._step is None:
                self._step = self._thread.spawn(self._watch.__anext__)
            event = self._step.result()
        except (StopAsyncIteration, AgentClosedError):
            raise StopIteration from None
        self._step = None
        return event

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop watching; a thread that waits for an event ends its loop. Idempotent."""
        with suppress(AgentClosedError):
            self._thread.call(self._watch.close)


def finished(
    method: Callable[Concatenate[Agent, _P], Awaitable[_T]],
) -> Callable[Concatenate[Any, _P], _T]:
    """Turn an asynchronous call of the agent into one that any thread may make, and waits for."""

    @wraps(method)
    def call(self: Any, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        answer: _T = self.finish(partial(method, self.agent, *args, **kwargs))
        return answer

    return call
