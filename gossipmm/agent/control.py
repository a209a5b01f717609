"""``Agent.matchmaker``, from any thread of the program.

Its lookups read the table wherever they are called. Everything else runs in the thread of the
agent's Trio run: at once when called there; from elsewhere the caller waits (about 0.1 ms). The
whole call moves, not only what it asks of the agent: a thread that held the matchmaker's lock while
it waited for Trio's thread would stop the program as soon as that thread also wanted the lock.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import trio

from gossipmm.config import Config
from gossipmm.errors import AgentClosedError
from gossipmm.matchmaker import AgentControl, TableMatchMaker, TableReader

__all__ = ("AgentMatchMaker",)

_P = ParamSpec("_P")
_T = TypeVar("_T")


def _in_trio(method: Callable[Concatenate[Any, _P], _T]) -> Callable[Concatenate[Any, _P], _T]:
    @wraps(method)
    def moved(self: Any, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        self.open()  # in a forked child there is no thread to wait for: raises ForkedError
        result: _T = self.in_trio(partial(method, self, *args, **kwargs))
        return result

    return moved


class AgentMatchMaker(TableMatchMaker):
    """The matchmaker over an agent that runs in the Trio run in which this is built."""

    def __init__(self, reader: TableReader, control: AgentControl, config: Config) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._thread = threading.get_ident()
        super().__init__(reader, control, config=config)

    @property
    def _here(self) -> bool:
        """Return whether this is the thread of the agent's Trio run."""
        return threading.get_ident() == self._thread

    def in_trio(self, function: Callable[[], _T]) -> _T:
        """Return or raise what ``function`` does there. AgentClosedError: that run is over."""
        if self._here:
            return function()
        try:
            return trio.from_thread.run_sync(function, trio_token=self._token)
        except trio.RunFinishedError:
            raise AgentClosedError("the agent ended with its Trio run: open another one") from None

    register = _in_trio(TableMatchMaker.register)
    unregister = _in_trio(TableMatchMaker.unregister)
    ack_alive = _in_trio(TableMatchMaker.ack_alive)
    report_failure = _in_trio(TableMatchMaker.report_failure)
    expire = _in_trio(TableMatchMaker.expire)
    drain = _in_trio(TableMatchMaker.drain)
    undrain = _in_trio(TableMatchMaker.undrain)
    set_metadata = _in_trio(TableMatchMaker.set_metadata)
    registrations = _in_trio(TableMatchMaker.registrations)
    start_heartbeat = _in_trio(TableMatchMaker.start_heartbeat)
    _send_heartbeats = _in_trio(TableMatchMaker._send_heartbeats)

    def stop_heartbeat(self) -> None:
        """Stop the heartbeats; none begins after this returns. Does nothing when none run."""
        # In Trio's thread no round is under way, and the heart may be waiting for this very one.
        self._stop_heart(wait=not self._here)
