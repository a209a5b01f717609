"""The keys of an agent in a thread: its ``keys``, for programs that block and for asyncio."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from gossipmm.agent.keys import AgentKeys

__all__ = ("AsyncKeys", "ThreadKeys")

_P = ParamSpec("_P")
_T = TypeVar("_T")


def _called(
    method: Callable[Concatenate[AgentKeys, _P], _T],
) -> Callable[Concatenate[ThreadKeys, _P], _T]:
    """Make a call in the Trio thread, and wait for its answer."""

    @wraps(method)
    def call(self: ThreadKeys, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        answer: _T = self._call(method, self._keys(), *args, **kwargs)
        return answer

    return call


def _finished(
    method: Callable[Concatenate[AgentKeys, _P], Awaitable[_T]],
) -> Callable[Concatenate[ThreadKeys, _P], _T]:
    """Begin an asynchronous call in the Trio thread, and wait until it has finished."""

    @wraps(method)
    def call(self: ThreadKeys, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        answer: _T = self._finish(partial(method, self._keys(), *args, **kwargs))
        return answer

    return call


class ThreadKeys:
    """The keys of gossip of an agent in a thread. Changes return once the file is written."""

    def __init__(
        self, keys: Callable[[], AgentKeys], call: Callable[..., Any], finish: Callable[..., Any]
    ) -> None:
        self._keys = keys
        self._call = call
        self._finish = finish

    status = _called(AgentKeys.status)
    add = _finished(AgentKeys.add)
    use = _finished(AgentKeys.use)
    remove = _finished(AgentKeys.remove)
    rotate = _finished(AgentKeys.rotate)
    rotate_out_of_band = _finished(AgentKeys.rotate_out_of_band)
    leave_behind = _finished(AgentKeys.leave_behind)
    cancel = _finished(AgentKeys.cancel)
    reload = _called(AgentKeys.reload)


def _asked(
    method: Callable[Concatenate[AgentKeys, _P], _T],
) -> Callable[Concatenate[AsyncKeys, _P], Coroutine[Any, Any, _T]]:
    """Turn a call into one that a coroutine awaits."""

    @wraps(method)
    async def call(self: AsyncKeys, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        answer: _T = await self._call(method, self._keys, *args, **kwargs)
        return answer

    return call


def _awaited(
    method: Callable[Concatenate[AgentKeys, _P], Awaitable[_T]],
) -> Callable[Concatenate[AsyncKeys, _P], Coroutine[Any, Any, _T]]:
    """Carry an asynchronous call across to the Trio thread."""

    @wraps(method)
    async def call(self: AsyncKeys, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        answer: _T = await self._spawn(partial(method, self._keys, *args, **kwargs))
        return answer

    return call


class AsyncKeys:
    """The keys of gossip of an agent beside asyncio. Changes return once the file is written."""

    def __init__(
        self, keys: AgentKeys, call: Callable[..., Any], spawn: Callable[..., Any]
    ) -> None:
        self._keys = keys
        self._call = call
        self._spawn = spawn

    status = _asked(AgentKeys.status)
    add = _awaited(AgentKeys.add)
    use = _awaited(AgentKeys.use)
    remove = _awaited(AgentKeys.remove)
    rotate = _awaited(AgentKeys.rotate)
    rotate_out_of_band = _awaited(AgentKeys.rotate_out_of_band)
    leave_behind = _awaited(AgentKeys.leave_behind)
    cancel = _awaited(AgentKeys.cancel)
    reload = _asked(AgentKeys.reload)
