"""The agent beside an asyncio event loop: Trio in a thread, and a bridge of futures.

    async with gossipmm.embed.asyncio.open_agent(name="host-a", join=["seed:7946"]) as agent:
        await agent.register("compute", "host-a")
        agent.queues("compute")            # [("compute.host-b", "host-b")]; never waits

Cancellation is carried across: a cancelled ``await`` ends the call in the Trio thread, and returns
when it has ended there. However the block ends, the agent leaves the cluster first.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import Any, ParamSpec, Self, TypeVar

from gossipmm.agent.watch import Watch
from gossipmm.config import Config
from gossipmm.core.table.table import Table
from gossipmm.core.values.events import Event, LeaveFinished
from gossipmm.core.values.types import Address, Agreement, Evidence, MemberView, Registration
from gossipmm.embed.thread import ThreadAgent
from gossipmm.errors import AgentClosedError
from gossipmm.matchmaker import Lookup, TableMatchMaker
from gossipmm.settings import load_config

__all__ = ("AsyncAgent", "AsyncWatch", "open_agent")

_P = ParamSpec("_P")
_T = TypeVar("_T")


@asynccontextmanager
async def open_agent(
    config: Config | None = None, **fields: Any
) -> AsyncGenerator[AsyncAgent, None]:
    """Run an agent for as long as the ``async with`` block runs.

    ``config``, or its fields as keywords; without either, file and environment. Raises BindError,
    ConfigError, SeedError or RegistrationError.
    """
    if config is None:
        config = load_config(environ={"GOSSIPMM_CONFIG": ""} if fields else None, **fields)
    elif fields:
        raise TypeError("give either a config or its fields, not both")
    thread = ThreadAgent(config)
    thread.begin()
    try:
        await _outlast(thread.started, thread.ask_to_close)
        yield AsyncAgent(thread)
    finally:
        thread.ask_to_close()
        try:
            await _outlast(thread.ended, _nothing)
        finally:
            thread.close()  # the thread's last instructions


class AsyncAgent:
    """A running agent, for coroutines of the loop that opened it. Built by ``open_agent``.

    The calls are those of ``gossipmm.agent.Agent``; after the block each raises AgentClosedError.
    """

    def __init__(self, thread: ThreadAgent) -> None:
        self._thread = thread
        self._agent = thread.agent
        self._matchmaker = TableMatchMaker(thread.reader, thread, config=self._agent.config)

    # -- what does not wait ----------------------------------------------------------------

    @property
    def name(self) -> str:
        """This node's name."""
        return self._agent.name

    @property
    def addresses(self) -> tuple[Address, ...]:
        """The addresses announced to others."""
        return self._agent.addresses

    @property
    def bound(self) -> Address:
        """The address that the socket is bound to."""
        return self._agent.bound

    @property
    def table(self) -> Table:
        """The readers' table: ``topics`` and ``joined``, without a lock."""
        return self._thread.reader

    @property
    def matchmaker(self) -> TableMatchMaker:
        """The blocking matchmaker: its lookups never wait, its other calls do (about 0.1 ms)."""
        return self._matchmaker

    def now(self) -> float:
        """Core time: the clock of every ``at``, ``since`` and ``heard``."""
        return self._thread.now()

    def queues(
        self, key: str, *, routing_key: str | bytes | None = None
    ) -> list[tuple[str, str | None]]:
        """Return the (queue key, host) tuples of a key: topic, ``topic.host``, ``fanout~topic``."""
        return self._matchmaker.queues(key, routing_key=routing_key)

    # -- calls -----------------------------------------------------------------------------

    async def register(
        self,
        topic: str,
        host: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        *,
        ttl: float | None = None,
        draining: bool = False,
    ) -> None:
        """Register a host (default: this node's name), or renew. Raises RegistrationError."""
        register = self._agent.register
        await self._call(register, topic, host, metadata, ttl=ttl, draining=draining)

    async def unregister(self, topic: str, host: str | None = None) -> bool:
        """End an own registration; False: there was none."""
        return await self._call(self._agent.unregister, topic, host)

    async def drain(
        self, topic: str | None = None, host: str | None = None, *, draining: bool = True
    ) -> int:
        """Drain own registrations, or with neither argument the node; how many changed."""
        return await self._call(self._agent.drain, topic, host, draining=draining)

    async def renew(self, topic: str, host: str) -> bool:
        """Renew the time to live of an own registration; False: not registered."""
        return await self._call(self._agent.renew, topic, host)

    async def registrations(self) -> tuple[Registration, ...]:
        """Return this node's own registrations."""
        return await self._call(self._agent.registrations)

    async def ack_alive(self, topic: str, host: str) -> bool:
        """Say that a host answered: evidence of life for its owners. False: unknown here."""
        return await self._call(self._agent.ack_alive, topic, host)

    async def report_failure(self, topic: str, host: str) -> bool:
        """Say that a host did not answer: its owners are probed now, others preferred."""
        return await self._call(self._agent.report_failure, topic, host)

    async def expire(self, topic: str, host: str) -> bool:
        """Hide a registration at its version, here, and ask its owner. False: unknown here."""
        return await self._call(self._agent.expire, topic, host)

    async def forget(self, name: str) -> bool:
        """Close a dead member's generation by hand; False: not known, or not dead."""
        return await self._call(self._agent.forget, name)

    async def lookup(self, key: str) -> Lookup:
        """Return the hosts of a key with state, age and source, and what "nobody" means."""
        return await self._call(self._agent.lookup, key)

    async def members(self) -> tuple[MemberView, ...]:
        """Return all known members, this one included, sorted by name."""
        return await self._call(self._agent.members)

    async def member(self, name: str) -> MemberView | None:
        """Return one member, or None."""
        return await self._call(self._agent.member, name)

    async def why(self, name: str) -> tuple[Evidence, ...]:
        """Return a member's evidence trail: who said what of it, and when."""
        return await self._call(self._agent.why, name)

    async def agreement(self) -> Agreement:
        """Return the table's fingerprint, how many peers agree with it, and who does not."""
        return await self._call(self._agent.agreement)

    async def join(self, *seeds: str) -> None:
        """Add seeds (``name:port``), beside those of the configuration. Raises SeedError."""
        await self._call(self._agent.join, *seeds)

    async def wait_joined(self) -> None:
        """Wait until the table agreed with a peer's (at once when there is nobody to join)."""
        await self._spawn(self._agent.wait_joined)

    async def leave(self) -> LeaveFinished:
        """Leave gracefully, and return how many members confirmed it."""
        return await self._spawn(self._agent.leave)

    def watch(self, *kinds: type, buffer: int = 1024) -> AsyncWatch:
        """Watch events (those of ``kinds``, if any are given): an async iterator.

        Watches from ``async with``, or from its first step on. One that falls ``buffer`` events
        behind is dropped and told so by WatchOverflowError.
        """
        return AsyncWatch(self._thread, kinds, buffer)

    async def _call(self, function: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run something in the Trio thread; cancelled before it began, it has no effect."""
        return await asyncio.wrap_future(self._thread.submit(function, *args, **kwargs))

    async def _spawn(self, function: Callable[[], Awaitable[_T]]) -> _T:
        """Run something asynchronous in the Trio thread; cancelled, it is cancelled there."""
        job = self._thread.spawn(function)
        return await _outlast(job, job.stop)


class AsyncWatch:
    """The events of an agent, as an async iterator of asyncio. Ends when the agent closes."""

    def __init__(self, thread: ThreadAgent, kinds: tuple[type, ...], buffer: int) -> None:
        self._thread = thread
        self._kinds = kinds
        self._buffer = buffer
        self._watch: Watch | None = None
        self._step: asyncio.Future[Event] | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        watch = await self._opened()
        # A step that is cancelled on this side goes on on the other one, so no event is lost.
        if self._step is None:
            self._step = asyncio.wrap_future(self._thread.spawn(watch.__anext__))
            self._step.add_done_callback(_seen)
        try:
            event = await asyncio.shield(self._step)
        except asyncio.CancelledError:
            raise
        except AgentClosedError:
            raise StopAsyncIteration from None
        self._step = None
        return event

    async def _opened(self) -> Watch:
        if self._watch is None:
            open_watch = self._thread.agent.watch
            opening = self._thread.submit(open_watch, *self._kinds, buffer=self._buffer)
            self._watch = await asyncio.wrap_future(opening)
        return self._watch

    async def aclose(self) -> None:
        """Stop watching. Idempotent."""
        if self._watch is not None:
            await asyncio.wrap_future(self._thread.submit(self._watch.close))

    async def __aenter__(self) -> Self:
        await self._opened()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()


def _nothing() -> None:
    pass


async def _outlast(future: Future[_T], stop: Callable[[], object]) -> _T:
    """Wait for the other thread. When cancelled, call ``stop``, and still wait for its end."""
    bridge = asyncio.wrap_future(future)
    try:
        return await asyncio.shield(bridge)
    except asyncio.CancelledError:
        stop()
        while not bridge.done():
            try:
                await asyncio.wait([bridge])
            except asyncio.CancelledError:
                continue  # one cancellation is being carried already
        _seen(bridge)
        raise


def _seen(future: asyncio.Future[Any]) -> None:
    """Keep an error that nobody waits for any more from being logged as never retrieved."""
    if not future.cancelled():
        future.exception()
