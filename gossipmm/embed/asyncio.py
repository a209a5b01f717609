"""The agent beside an asyncio event loop: Trio in a thread, and a bridge of futures.

    async with gossipmm.embed.asyncio.open_agent(name="host-a", join=["seed:7946"]) as agent:
        await agent.register("compute", "host-a")
        agent.queues("compute")            # [("compute.host-b", "host-b")]; never waits

Cancellation is carried across: a cancelled ``await`` ends the call in the Trio thread, and returns
when it has ended there. However the block ends, the agent leaves the cluster first.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Coroutine, Mapping
from concurrent.futures import CancelledError
from contextlib import asynccontextmanager, suppress
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar, Unpack

from gossipmm.agent.agent import Agent
from gossipmm.agent.queries import AnswerFunction
from gossipmm.agent.watch import Watch
from gossipmm.config import Config
from gossipmm.core.table.table import Table
from gossipmm.core.values.events import Event, LeaveFinished
from gossipmm.core.values.stats import Stats
from gossipmm.core.values.types import Address, TopicView
from gossipmm.embed.answering import in_loop
from gossipmm.embed.keys import AsyncKeys
from gossipmm.embed.lost import OnLost, tell
from gossipmm.embed.outcome import Outcome
from gossipmm.embed.thread import ThreadAgent
from gossipmm.errors import AgentClosedError, AgentLostError
from gossipmm.matchmaker import TableMatchMaker
from gossipmm.settings import load_config

if TYPE_CHECKING:
    from gossipmm.config_fields import Settings

__all__ = ("AsyncAgent", "AsyncWatch", "open_agent")

_P = ParamSpec("_P")
_T = TypeVar("_T")


@asynccontextmanager
async def open_agent(
    config: Config | None = None, *, on_lost: OnLost | None = None, **fields: Unpack[Settings]
) -> AsyncGenerator[AsyncAgent, None]:
    """Run an agent for as long as the ``async with`` block runs.

    ``config``, or its fields as keywords; without either, file and environment. ``on_lost`` is
    called in the loop, with an AgentLostError, if the agent fails. Raises BindError, ConfigError,
    SeedError, RegistrationError or StartError.
    """
    if config is None:
        config = load_config(environ={"GOSSIPMM_CONFIG": ""} if fields else None, **fields)
    elif fields:
        raise TypeError("give either a config or its fields, not both")
    loop = asyncio.get_running_loop()

    def lost(error: AgentLostError) -> None:
        with suppress(RuntimeError):  # the loop was closed
            loop.call_soon_threadsafe(tell, on_lost, error)

    thread = ThreadAgent(config, on_lost=lost)
    thread.begin()
    try:
        await _outlast(thread.started, thread.ask_to_close)
        yield AsyncAgent(thread)
    finally:
        thread.ask_to_close()
        try:
            await _outlast(thread.ended, _nothing)
        finally:
            thread.close()  # the last instructions of the thread


def _awaited(
    method: Callable[Concatenate[Agent, _P], _T],
) -> Callable[Concatenate[AsyncAgent, _P], Coroutine[Any, Any, _T]]:
    """Turn a call of the agent into one that a coroutine awaits."""

    @wraps(method)
    async def call(self: AsyncAgent, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return await self._call(method, self._agent, *args, **kwargs)

    return call


def _spawned(
    method: Callable[Concatenate[Agent, _P], Awaitable[_T]],
) -> Callable[Concatenate[AsyncAgent, _P], Coroutine[Any, Any, _T]]:
    """Turn an asynchronous call of the agent into one that a coroutine of asyncio awaits."""

    @wraps(method)
    async def call(self: AsyncAgent, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return await self._spawn(partial(method, self._agent, *args, **kwargs))

    return call


class AsyncAgent:
    """A running agent, for coroutines of the loop that opened it. Built by ``open_agent``.

    The calls are those of ``gossipmm.agent.Agent``; after the block each raises AgentClosedError.
    """

    def __init__(self, thread: ThreadAgent) -> None:
        self._thread = thread
        self._agent = thread.agent
        #: Its keys, and rotations of them.
        self.keys = AsyncKeys(self._agent.keys, self._call, self._spawn)
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
    def config(self) -> Config:
        """The configuration in use, with the node's name filled in."""
        return self._agent.config

    @property
    def conflict(self) -> tuple[Address, ...]:
        """Addresses of another live process with this node's name; empty without one."""
        return self._agent.conflict

    @property
    def stats(self) -> Stats:
        """The core's counters: integers that only grow."""
        return self._agent.stats

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
        self, key: str, *, routing_key: str | bytes | None = None, prefer: str | None = None
    ) -> list[tuple[str, str | None]]:
        """Return the (queue key, host) tuples of a key: topic, ``topic.host``, ``fanout~topic``."""
        return self._matchmaker.queues(key, routing_key=routing_key, prefer=prefer)

    def is_alive(self, topic: str, host: str) -> bool:
        """Return whether the host is registered for the topic and held alive here."""
        return self._matchmaker.is_alive(topic, host)

    def topics(self) -> Mapping[str, TopicView]:
        """Return all known topics; each view is immutable, and replaced when it changes."""
        return self.table.topics

    def topic(self, topic: str) -> TopicView | None:
        """Return one topic, or None."""
        return self.table.topics.get(topic)

    def ring(self) -> dict[str, list[str]]:
        """Return the live hosts of each topic, as a classical ring."""
        return self._matchmaker.ring()

    # -- calls -----------------------------------------------------------------------------

    register = _awaited(Agent.register)
    unregister = _awaited(Agent.unregister)
    drain = _awaited(Agent.drain)
    undrain = _awaited(Agent.undrain)
    set_metadata = _awaited(Agent.set_metadata)
    send_event = _awaited(Agent.send_event)
    services = _awaited(Agent.services)
    check = _awaited(Agent.check)
    renew = _awaited(Agent.renew)
    registrations = _awaited(Agent.registrations)
    ack_alive = _awaited(Agent.ack_alive)
    report_failure = _awaited(Agent.report_failure)
    expire = _awaited(Agent.expire)
    lookup = _awaited(Agent.lookup)
    members = _awaited(Agent.members)
    member = _awaited(Agent.member)
    why = _awaited(Agent.why)
    forget = _awaited(Agent.forget)
    heard = _awaited(Agent.heard)
    agreement = _awaited(Agent.agreement)
    health = _awaited(Agent.health)
    status = _awaited(Agent.status)
    join = _awaited(Agent.join)
    status_all = _spawned(Agent.status_all)
    drain_member = _spawned(Agent.drain_member)
    rtt = _spawned(Agent.rtt)
    query = _spawned(Agent.query)

    async def on_query(self, name: str, function: AnswerFunction | None) -> None:
        """Answer queries of a name with what a function returns, from now on; None: no longer.

        It is a coroutine function, called in this loop. What it raises is told as a failure, and
        logged.
        """
        loop = asyncio.get_running_loop()
        await self._call(self._agent.on_query, name, in_loop(function, loop))

    async def wait_joined(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109
        """Wait until the table agreed with a peer's (at once when there is nobody to join).

        False when ``timeout`` seconds passed before.
        """
        return await self._spawn(partial(self._agent.wait_joined, timeout))

    async def leave(self) -> LeaveFinished:
        """Leave gracefully, and return how many members confirmed it."""
        return await self._spawn(self._agent.leave)

    def watch(
        self,
        *kinds: type[Event] | str,
        topics: Collection[str] = (),
        members: Collection[str] = (),
        buffer: int = 1024,
    ) -> AsyncWatch:
        """Watch events: an async iterator; arguments as ``Agent.watch``.

        Watches from ``async with``, or from its first step on. A watch that falls ``buffer`` events
        behind is dropped, and told so by WatchOverflowError.
        """
        opening = partial(self._agent.watch, *kinds, topics=topics, members=members, buffer=buffer)
        return AsyncWatch(self._thread, opening)

    async def _call(self, function: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run something in the Trio thread; cancelled before it began, it has no effect."""
        return await _awaitable(self._thread.submit(function, *args, **kwargs))

    async def _spawn(self, function: Callable[[], Awaitable[_T]]) -> _T:
        """Run something asynchronous in the Trio thread; cancelled, it is cancelled there."""
        job = self._thread.spawn(function)
        return await _outlast(job, job.stop)


class AsyncWatch:
    """The events of an agent, as an async iterator of asyncio. Ends when the agent closes."""

    def __init__(self, thread: ThreadAgent, opening: Callable[[], Watch]) -> None:
        self._thread = thread
        self._opening = opening
        self._watch: Watch | None = None
        self._step: asyncio.Future[Event] | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        watch = await self._opened()
        # A step that is cancelled on this side continues on the other one, so no event is lost.
        if self._step is None:
            self._step = _awaitable(self._thread.spawn(watch.__anext__))
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
            self._watch = await _awaitable(self._thread.submit(self._opening))
        return self._watch

    async def aclose(self) -> None:
        """Stop watching. Idempotent."""
        if self._watch is not None:
            await _awaitable(self._thread.submit(self._watch.close))

    async def __aenter__(self) -> Self:
        await self._opened()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()


def _nothing() -> None:
    pass


async def _outlast(future: Outcome[_T], stop: Callable[[], object]) -> _T:
    """Wait for the other thread. When cancelled, call ``stop``, and wait on for it to end."""
    bridge = _awaitable(future)
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


def _awaitable(outcome: Outcome[_T]) -> asyncio.Future[_T]:
    """Bridge an outcome into the running loop. Cancelled here, a call does not begin there."""
    loop = asyncio.get_running_loop()
    bridge: asyncio.Future[_T] = loop.create_future()

    def end() -> None:
        if bridge.cancelled():
            return
        error = outcome.exception()
        if error is None:
            bridge.set_result(outcome.result())
        elif isinstance(error, CancelledError):
            bridge.cancel()
        else:
            bridge.set_exception(error)

    def ended(_: Outcome[_T]) -> None:
        with suppress(RuntimeError):  # the loop was closed: nobody waits there
            loop.call_soon_threadsafe(end)

    outcome.add_done_callback(ended)
    bridge.add_done_callback(lambda _: outcome.cancel() if bridge.cancelled() else None)
    return bridge


def _seen(future: asyncio.Future[Any]) -> None:
    """Keep an error that nobody waits for from being logged as never retrieved."""
    if not future.cancelled():
        future.exception()
