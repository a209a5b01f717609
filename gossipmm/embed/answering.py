"""Functions of a program that answer queries, called where that program has its threads or loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

import trio

from gossipmm.agent.queries import AnswerFunction
from gossipmm.core.values.queries import QueryAsked

__all__ = ("in_loop", "on_query")

#: Threads of a function: those of one that hangs must not be all that the agent may have.
_THREADS: Final = 4


def _in_thread(
    function: Callable[[QueryAsked], bytes | str | None] | None,
) -> AnswerFunction | None:
    """Return what calls a function that blocks in a thread; one that hangs is left behind."""
    if function is None:
        return None
    called, room = function, trio.CapacityLimiter(_THREADS)

    async def answer(asked: QueryAsked) -> bytes | str | None:
        return await trio.to_thread.run_sync(called, asked, abandon_on_cancel=True, limiter=room)

    return answer


def in_loop(
    function: AnswerFunction | None, loop: asyncio.AbstractEventLoop
) -> AnswerFunction | None:
    """Return what calls a coroutine function in a loop of asyncio; it is cancelled in the end."""
    if function is None:
        return None
    called, room = function, trio.CapacityLimiter(_THREADS)

    async def begun(asked: QueryAsked) -> bytes | str | None:
        return await called(asked)

    async def answer(asked: QueryAsked) -> bytes | str | None:
        work: Coroutine[Any, Any, bytes | str | None] = begun(asked)
        try:
            future = asyncio.run_coroutine_threadsafe(work, loop)
        except RuntimeError:  # the loop was closed
            work.close()
            raise
        try:
            wait = future.result
            return await trio.to_thread.run_sync(wait, abandon_on_cancel=True, limiter=room)
        finally:
            future.cancel()

    return answer


def on_query(
    self: Any, name: str, function: Callable[[QueryAsked], bytes | str | None] | None
) -> None:
    """Answer queries of a name with what a function returns, from now on; None: no longer.

    It runs in a thread of its own. What it raises is told as a failure, and logged.
    """
    self.call(self.agent.on_query, name, _in_thread(function))
