"""The agent in a background thread: for programs with threads, or with an event loop of their own.

One thread runs Trio. Lookups read the agent's immutable table from any thread, without a lock or a
hop; everything else is a call that runs in the Trio thread while the caller waits (about 50 us).
Closing wakes every caller that waits, with AgentClosedError. Several agents in one process are
several threads. After a fork the child has the object but no thread: each call raises ForkedError,
and the inherited socket is closed, so that the port is free again when the parent ends.

An agent that its program forgets to close leaves the cluster at exit. When one fails, the log says
so, ``on_lost`` is called, and every call raises AgentLostError but lookups, which answer the last
known hosts, marked stale.

Whatever a caller waits for here, it waits for without a lock of ours (``gossipmm.embed.outcome``),
so that a signal handler may close an agent at any moment, also while the code that it interrupted
opens it.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from concurrent.futures import CancelledError
from contextlib import suppress
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import trio

from gossipmm.agent.agent import Agent
from gossipmm.agent.network import Network, SystemNetwork
from gossipmm.agent.opening import open_agent
from gossipmm.config import Config
from gossipmm.core.table.table import Table
from gossipmm.core.values.events import Event, LeaveFinished
from gossipmm.core.values.stats import Stats
from gossipmm.core.values.types import Address, TopicView
from gossipmm.embed import running
from gossipmm.embed.answering import on_query
from gossipmm.embed.job import Job, ThreadWatch, finished
from gossipmm.embed.keys import ThreadKeys
from gossipmm.embed.lost import OnLost, stale, tell
from gossipmm.embed.outcome import Outcome
from gossipmm.embed.patched import refuse_patched
from gossipmm.embed.recording import Recording
from gossipmm.embed.troubles import log_troubles
from gossipmm.errors import AgentClosedError, AgentLostError, ForkedError, StartError
from gossipmm.settings import load_config

__all__ = ("Job", "ThreadAgent", "ThreadWatch")

_P = ParamSpec("_P")
_T = TypeVar("_T")
_log = logging.getLogger(__name__)

#: Seconds that an agent may take to end beyond its leave_timeout.
_GRACE = 10.0
#: Seconds for the last instructions of its thread, when the agent has ended.
_LAST = 1.0


def _waited(
    method: Callable[Concatenate[Agent, _P], _T],
) -> Callable[Concatenate[ThreadAgent, _P], _T]:
    """Turn a call of the agent into one that any thread may make, and that waits for its answer."""

    @wraps(method)
    def call(self: ThreadAgent, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return self.call(method, self.agent, *args, **kwargs)

    return call


class ThreadAgent:
    """An agent in a thread of its own; satisfies ``gossipmm.embed.blocking.BlockingAgent``.

    ``config`` defaults to file and environment. ``on_lost`` is called, with an AgentLostError, if
    the agent fails. Times are core time in seconds (``now()``).
    """

    def __init__(
        self,
        config: Config | None = None,
        *,
        network: Network | None = None,
        on_lost: OnLost | None = None,
    ) -> None:
        self.config = load_config() if config is None else config
        #: Its keys, and rotations of them.
        self.keys = ThreadKeys(lambda: self.agent.keys, self.call, self.finish)
        self._network = Recording(SystemNetwork() if network is None else network)
        self._on_lost = on_lost
        self._pid = os.getpid()
        self._thread: threading.Thread | None = None
        self._token: trio.lowlevel.TrioToken | None = None
        self._nursery: trio.Nursery | None = None
        self._close_asked = trio.Event()
        self._closing = False
        #: Done when the socket is bound, or with the error that prevented it.
        self.started: Outcome[Agent] = Outcome()
        #: Done when the agent has left, and its socket is closed.
        self.ended: Outcome[None] = Outcome()
        self._lost: AgentLostError | None = None
        self._waiting: set[Outcome[Any]] = set()

    # -- coming and going ------------------------------------------------------------------

    def start(self) -> None:
        """Bind and run; returns when the socket is bound.

        Raises BindError, ConfigError, SeedError, RegistrationError, StartError, or PatchedError in
        a process that gevent or eventlet patched.
        """
        self.begin()
        try:
            self.started.result()
        except BaseException:
            self.ask_to_close()
            raise

    def begin(self) -> None:
        """Start the thread; ``started`` tells how that went. Raises StartError: there is none."""
        refuse_patched("an agent in a thread")
        if self._thread is not None:
            raise RuntimeError("an agent is started once: build another one")
        self._pid = os.getpid()
        self._thread = thread = threading.Thread(
            target=self._run, name=f"gossipmm-{self.config.name or 'agent'}", daemon=True
        )
        running.add(self)
        try:
            thread.start()
        except RuntimeError as exc:
            running.remove(self)
            self._thread = None
            raise StartError(
                f"no thread can be started for the agent ({exc}): is there a limit (ulimit -u, "
                "pids.max of the control group), or does the program end?"
            ) from None

    def ask_to_close(self) -> None:
        """Begin to close; ``ended`` is done when that is. Idempotent, never raises."""
        if os.getpid() != self._pid or self._thread is None:
            return
        self._closing = True
        if not self.started.done():
            self.started.add_done_callback(lambda _: self.ask_to_close())
        elif not self.started.exception():
            self._soon(self._close_asked.set)

    def close(self) -> None:
        """Leave (for at most ``leave_timeout``) and end the thread. Idempotent.

        In a forked child there is nothing to leave or to end.
        """
        if os.getpid() != self._pid or self._thread is None:
            return
        self.ask_to_close()
        if threading.current_thread() is self._thread:
            return
        patience = self.config.leave_timeout + _GRACE
        if self.ended.wait(patience):
            # What is left is Trio's: a handler of a signal may have interrupted what it waits for.
            self._thread.join(_LAST)
        else:
            _log.warning("the agent's thread has not ended after %g s: left behind", patience)

    def let_go(self) -> None:
        """Close the inherited sockets in a forked child: the port would stay taken as it lives."""
        for port in self._network.ports:
            port.close()

    def _run(self) -> None:
        try:
            self._wait_for_place()
            trio.run(self._main)
        except BaseException as exc:
            if not self.started.set_exception(exc):
                self._lose(exc)
        finally:
            running.remove(self)
            self.ended.set_result(None)
            # Trio runs everything it has accepted before it ends; this is for when it breaks.
            for waiting in list(self._waiting):
                self._fail(waiting)
        if self._lost is not None:
            tell(self._on_lost, self._lost)

    def _wait_for_place(self) -> None:
        """Let agents of this process that are about to end give the address back."""
        for other in running.agents():
            if not isinstance(other, ThreadAgent) or other is self or not other._closing:
                continue
            if other.config.bind == self.config.bind:
                other.ended.wait(other.config.leave_timeout + _GRACE)

    def _lose(self, exc: BaseException) -> None:
        """Take that the agent has failed."""
        agent = self.started.result()
        self._lost = AgentLostError(
            f"the agent failed ({type(exc).__name__}: {exc}): open another one"
        )
        # Nothing writes to them now, and readers hold this very map.
        views = cast("dict[str, TopicView]", agent.table.topics)
        views.update({topic: stale(view) for topic, view in views.items()})
        _log.error(
            "the agent failed; others drop it within seconds, and lookups here answer the hosts"
            " that it knew last, marked stale",
            exc_info=exc,
        )

    async def _main(self) -> None:
        async with open_agent(self.config, network=self._network) as agent:
            self._token = trio.lowlevel.current_trio_token()
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(log_troubles, agent)
                self.started.set_result(agent)
                await self._close_asked.wait()
                # Callers that wait are told before the leave, which takes its time.
                nursery.cancel_scope.cancel()
        self.ended.set_result(None)

    # -- calls -----------------------------------------------------------------------------

    @property
    def agent(self) -> Agent:
        """The agent itself. Use it only in its Trio thread (except for ``table``)."""
        if os.getpid() != self._pid:
            raise ForkedError(f"the agent was opened in process {self._pid}, before the fork")
        if not self.started.done():
            raise AgentClosedError("the agent was not started")
        return self.started.result()

    def call(self, function: Callable[..., _T], *args: Any, **kwargs: Any) -> _T:
        """Run ``function`` in the Trio thread, and return or raise what it does.

        Raises AgentClosedError when the agent is closed before that.
        """
        self._check_thread()
        return self.submit(function, *args, **kwargs).result()

    def submit(self, function: Callable[..., _T], *args: Any, **kwargs: Any) -> Outcome[_T]:
        """Have ``function`` run in the Trio thread, unless it is cancelled before."""
        outcome: Outcome[_T] = Outcome()

        def run() -> None:
            self._waiting.discard(outcome)
            if not outcome.begin():
                return
            try:
                outcome.set_result(function(*args, **kwargs))
            except BaseException as exc:
                outcome.set_exception(exc)

        self._waiting.add(outcome)
        if self.ended.done() or not self._soon(run):
            self._fail(outcome)
        return outcome

    def spawn(self, function: Callable[..., Awaitable[_T]], *args: Any) -> Job[_T]:
        """Begin an asynchronous call in the Trio thread.

        Closing the agent ends it with AgentClosedError, ``Job.stop`` with CancelledError.
        """
        _ = self.agent
        assert self._token is not None
        job: Job[_T] = Job(self._token)
        job.begin()  # from now on only the Trio thread ends it

        async def run() -> None:
            self._waiting.discard(job)
            try:
                with job.scope:
                    job.set_result(await function(*args))
            except Exception as exc:
                job.set_exception(exc)
            except BaseException:  # the agent closes
                self._fail(job)
                raise
            job.set_exception(CancelledError())  # unless it has ended

        def begin() -> None:
            if self._close_asked.is_set() or self._nursery is None:
                self._fail(job)
            else:
                self._nursery.start_soon(run)

        self._waiting.add(job)
        if self.ended.done() or not self._soon(begin):
            self._fail(job)
        return job

    def finish(self, function: Callable[..., Awaitable[_T]], *args: Any) -> _T:
        """Make an asynchronous call in the Trio thread, and return or raise how it ends."""
        self._check_thread()
        return self.spawn(function, *args).result()

    def _fail(self, outcome: Outcome[Any]) -> None:
        """End a call that can no longer finish."""
        self._waiting.discard(outcome)
        outcome.set_exception(self._closed())

    def _soon(self, function: Callable[..., object], *args: Any, once: bool = False) -> bool:
        """Run something in the Trio thread, soon; False: that thread has ended.

        Whatever is accepted runs: Trio empties its queue before it ends.
        """
        _ = self.agent
        assert self._token is not None
        try:
            self._token.run_sync_soon(function, *args, idempotent=once)
        except trio.RunFinishedError:
            return False
        return True

    def _closed(self) -> AgentClosedError:
        if self._lost is not None:
            return AgentLostError(str(self._lost))
        return AgentClosedError("the agent was closed: open another one")

    def _check_thread(self) -> None:
        if threading.current_thread() is self._thread:
            raise RuntimeError("this call would wait for the very thread that makes it")

    @property
    def reader(self) -> Table:
        """The readers' table: ``topics`` and ``joined``, from any thread, without a lock."""
        return self.agent.table

    @property
    def name(self) -> str:
        """This node's name."""
        return self.agent.name

    @property
    def bound(self) -> Address:
        """The address that the socket is bound to."""
        return self.agent.bound

    def now(self) -> float:
        """Core time: the clock of every ``since`` and ``heard``."""
        return self.agent.now()

    @property
    def conflict(self) -> tuple[Address, ...]:
        """Addresses of another live process with this node's name; empty without one."""
        return self.agent.conflict

    @property
    def stats(self) -> Stats:
        """The core's counters: integers that only grow, which any thread may read."""
        return self.agent.stats

    def heard(self, names: Iterable[str]) -> dict[str, float]:
        """Return when each named member that is known was last heard of (core time)."""
        return self.agent.heard(names)

    def topics(self) -> Mapping[str, TopicView]:
        """Return all known topics; each view is immutable, and replaced when it changes."""
        return self.reader.topics

    def topic(self, topic: str) -> TopicView | None:
        """Return one topic, or None."""
        return self.reader.topics.get(topic)

    register = _waited(Agent.register)
    unregister = _waited(Agent.unregister)
    drain = _waited(Agent.drain)
    undrain = _waited(Agent.undrain)
    set_metadata = _waited(Agent.set_metadata)
    send_event = _waited(Agent.send_event)
    services = _waited(Agent.services)
    check = _waited(Agent.check)
    renew = _waited(Agent.renew)
    registrations = _waited(Agent.registrations)

    def ack_alive(self, topic: str, host: str) -> bool:
        """Report that a host answered; False: it is in no lookup here.

        Does not wait, because a caller may report every message that it delivers: the evidence is
        taken soon, and only once if it was reported several times meanwhile.
        """
        if not self._soon(self._acknowledge, topic, host, once=True):
            raise self._closed()
        view = self.reader.topics.get(topic)
        return view is not None and host in view.entries

    def _acknowledge(self, topic: str, host: str) -> None:
        with suppress(AgentClosedError):  # nobody waits for the answer
            self.agent.ack_alive(topic, host)

    report_failure = _waited(Agent.report_failure)  # when it returns, others are preferred
    expire = _waited(Agent.expire)
    forget = _waited(Agent.forget)
    members = _waited(Agent.members)
    member = _waited(Agent.member)
    why = _waited(Agent.why)
    agreement = _waited(Agent.agreement)
    health = _waited(Agent.health)
    status = _waited(Agent.status)
    join = _waited(Agent.join)
    status_all = finished(Agent.status_all)
    drain_member = finished(Agent.drain_member)
    query = finished(Agent.query)
    on_query = on_query
    rtt = finished(Agent.rtt)

    def leave(self) -> LeaveFinished:
        """Leave gracefully: tell the live members, and return how many confirmed.

        Afterwards only reading is possible, until ``close``.
        """
        return self.finish(self.agent.leave)

    def watch(
        self,
        *kinds: type[Event] | str,
        topics: Collection[str] = (),
        members: Collection[str] = (),
        buffer: int = 1024,
    ) -> ThreadWatch:
        """Watch events from now on, in an iterator that blocks; arguments as ``Agent.watch``."""
        open_watch = self.agent.watch
        watch = self.call(open_watch, *kinds, topics=topics, members=members, buffer=buffer)
        return ThreadWatch(self, watch)

    def wait_joined(self, timeout: float | None = None) -> bool:
        """Wait until the table agreed with a peer's; False when ``timeout`` seconds passed.

        Then ``status().trouble`` says of each seed what is wrong with it, or with this node.
        """
        if self.reader.joined:
            return True
        self._check_thread()
        job = self.spawn(self.agent.wait_joined)
        try:
            job.result(timeout)
        except TimeoutError:
            return False
        finally:
            job.stop()
        return True
