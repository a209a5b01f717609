"""The agent in a process of its own, for programs that gevent or eventlet patched.

    mm = ChildMatchMaker(name="host-a", bind="10.0.0.1:7946", join=["seed:7946"])
    mm.register("compute", "host-a")
    mm.queues("compute")

Standard library only, no Trio in this process. Each call is one question over a socket (about 0.1
ms), for which a green thread waits as for any other socket; an unchanged topic is not sent again.
The child leaves the cluster and ends when this process does, however that dies.

When a child ends although nobody closed it, the log says so, ``on_lost`` is called, and every call
raises AgentLostError; lookups answer the last known hosts, marked stale. One that was killed or
failed is started again with its registrations, after 0.1 s, and after up to 30 s if that does not
last. One that was asked to end (SIGTERM) is not.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from gossipmm.config import Config
from gossipmm.core.values.events import KINDS, Event, LeaveFinished, kinds_of
from gossipmm.core.values.types import Address, TopicView
from gossipmm.embed import running
from gossipmm.embed.blocking import BlockingAgent
from gossipmm.embed.child_keys import ChildKeys
from gossipmm.embed.child_others import ChildOthers
from gossipmm.embed.child_table import ChildTable, ChildWatch
from gossipmm.embed.interpreter import find_python
from gossipmm.embed.link import PATIENCE, Link, LinkEndedError
from gossipmm.embed.lost import OnLost, tell
from gossipmm.embed.made import Made
from gossipmm.embed.matchmaker import MatchMakerGossip
from gossipmm.embed.outcome import Outcome
from gossipmm.embed.pipe import config_to
from gossipmm.embed.plain import restored
from gossipmm.errors import AgentClosedError, AgentLostError, ForkedError, GossipError, StartError
from gossipmm.names import checked_metadata
from gossipmm.settings import load_config

__all__ = ("ChildAgent", "ChildMatchMaker", "ChildWatch")

#: Seconds between two checks whether the table is joined.
_JOIN_LOOK = 0.02
#: Seconds before a child is started again, at first and at most; and how long one has to live for
#: the next to be at first again.
_AGAIN, _AGAIN_MOST, _STEADY = 0.1, 30.0, 60.0
#: Seconds in which a child that was started again may join before lookups are answered by it.
_REJOIN = 5.0

_P = ParamSpec("_P")
_T = TypeVar("_T")
_log = logging.getLogger(__name__)


class ChildMatchMaker(MatchMakerGossip):
    """MatchMakerGossip with its agent in a child process; the same arguments, the same calls.

    ``python`` is the interpreter to run it with, of this version and with gossipmm installed
    (default: that of this process, which is looked for where the process is a server's, like
    uWSGI's).
    """

    def __init__(self, *, python: str = "", **arguments: Any) -> None:
        self._python = python
        super().__init__(**arguments)

    def open_agent(self, config: Config) -> BlockingAgent:
        """Start the child."""
        agent = ChildAgent(config, python=self._python, on_lost=self._on_lost)
        agent.start()
        return agent


def _asked(
    method: Callable[Concatenate[Any, _P], _T],
) -> Callable[Concatenate[ChildAgent, _P], _T]:
    """Turn a verb into a question to the child."""
    name = method.__name__

    @wraps(method)
    def ask(self: ChildAgent, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        answer: _T = restored(self._ask(name, *args, **kwargs))
        return answer

    return ask


class ChildAgent(ChildOthers):
    """An agent in a child process; satisfies ``gossipmm.embed.blocking.BlockingAgent``.

    ``python`` as for ChildMatchMaker. ``on_lost`` is called, with an AgentLostError, each time the
    child ends although nobody closed it. Calls of several threads take turns.
    """

    def __init__(
        self,
        config: Config | None = None,
        *,
        python: str = "",
        on_lost: OnLost | None = None,
    ) -> None:
        self.config = load_config() if config is None else config
        #: This node's name, and where it is bound; from ``start`` on.
        self.name = self.config.name
        self.bound: Address = ("", 0)
        #: Its keys, and rotations of them.
        self.keys = ChildKeys(self._ask)
        self._python = python
        self._on_lost = on_lost
        self._pid = os.getpid()
        self._started = False
        self._link: Link | None = None
        #: The child that is being started again, and why that failed the last time.
        self._starting: Link | None = None
        self._said = ""
        self._left = False
        self._why = AgentClosedError("the agent's process was not started: open another agent")
        self._closing = False
        self._wake = threading.Lock()  # held until it closes: the pause before another start
        self._made = Made()
        #: The child's time minus the time here: the clocks of one machine.
        self._offset = 0.0
        self.reader = ChildTable(self)

    # -- coming and going ------------------------------------------------------------------

    def start(self) -> None:
        """Start the child; returns when its socket is bound.

        Raises BindError, ConfigError, SeedError or RegistrationError, as the child did, or
        StartError.
        """
        if self._started:
            raise RuntimeError("an agent is started once: build another one")
        self._started = True
        self._pid = os.getpid()
        # Of this process, whichever child it has.
        name = self.config.name.replace("{pid}", str(self._pid))
        self.config = replace(self.config, name=name)
        self._wake.acquire()
        self._link = link = Link(self._python or find_python())
        running.add(self)
        opened: Outcome[None] = Outcome()
        try:
            threading.Thread(
                target=self._watch_over, args=[link, opened], name="gossipmm-child", daemon=True
            ).start()
        except RuntimeError as exc:
            link.discard()
            running.remove(self)
            raise StartError(f"no thread can be started to watch the agent ({exc})") from None
        try:
            self._open(link)
        except BaseException:
            self.close()
            raise
        finally:
            opened.set_result(None)

    def _open(self, link: Link) -> None:
        """Have a child open its agent."""
        try:
            self.name, bound = link.ask("open", os.getpid(), **config_to(self.config))
            self._offset = link.ask("now") - time.monotonic()
        except LinkEndedError:
            raise StartError(
                f"the agent's process ended before its agent was open ({link.how()}): "
                "what it wrote to standard error says why"
            ) from None
        self.bound = (bound[0], bound[1])

    def ask_to_close(self) -> None:
        """Begin to close. Idempotent; never waits, never raises."""
        if os.getpid() != self._pid or not self._started:
            return
        if not self._closing:
            self._closing = True
            self._why = AgentClosedError("the agent's process was closed: open another agent")
            self._wake.release()
        for link in (self._link, self._starting):
            if link is not None:
                link.hang_up()

    def close(self) -> None:
        """Let the child leave (for at most ``leave_timeout``) and wait for its end. Idempotent."""
        if os.getpid() != self._pid or not self._started:
            return
        self.ask_to_close()
        for link in (self._link, self._starting):
            if link is not None:
                link.end(self.config.leave_timeout + PATIENCE)
        running.remove(self)

    def let_go(self) -> None:
        """Let go of the sockets in a forked child."""
        for link in (self._link, self._starting):
            if link is not None:
                link.let_go()

    # -- a child that ends -----------------------------------------------------------------

    def _watch_over(self, link: Link, opened: Outcome[None]) -> None:
        """Wait for its end; start another one, and wait for that."""
        began, pause = time.monotonic(), _AGAIN
        while True:
            status = link.watch()
            opened.wait()
            if self._closing:
                return
            returns = (status != 0 or bool(link.given_up)) and not self._left
            self._lose(link, returns)
            if not returns:
                running.remove(self)
                return
            if time.monotonic() - began > _STEADY:
                pause = _AGAIN
            while (another := self._another(pause)) is None:
                if self._closing:
                    return
                pause = min(_AGAIN_MOST, 2 * pause)
            link, began, pause = another, time.monotonic(), min(_AGAIN_MOST, 2 * pause)

    def _lose(self, link: Link, returns: bool) -> None:
        """Take that the child is gone, and tell."""
        then = "it is started again" if returns else "open another agent"
        lost = AgentLostError(f"the agent's process ended ({link.how()}): {then}", returns=returns)
        self._why, self._link, self._said = lost, None, ""
        _log.error("%s; lookups answer the hosts that it knew last, marked stale", lost)
        tell(self._on_lost, lost)

    def _another(self, pause: float) -> Link | None:
        """Start a child again after ``pause`` seconds, and tell it everything. None: not yet."""
        if self._wake.acquire(timeout=pause):
            return None
        link: Link | None = None
        try:
            self._starting = link = Link(self._python or find_python())
            if self._closing:
                raise LinkEndedError
            self._open(link)
            count = self._tell_again(link)
            end = time.monotonic() + _REJOIN
            while not link.ask("joined") and time.monotonic() < end and not self._closing:
                time.sleep(_JOIN_LOOK)
        except (GossipError, LinkEndedError, RuntimeError) as exc:
            if link is not None:
                link.discard()
            if self._said != str(exc) and not self._closing:
                self._said = str(exc)
                _log.warning("the agent's process cannot be started again yet: %s", exc)
            self._starting = None
            return None
        self._link, self._starting = link, None
        _log.warning("the agent's process was started again; registrations made again: %d", count)
        return link

    def _tell_again(self, link: Link) -> int:
        """Tell a child what the program told the one before; return how many registrations."""
        if self._made.seeds:
            link.ask("join", *self._made.seeds)
        if self._made.draining:
            link.ask("drain")
        if self._made.metadata:
            link.ask("set_metadata", self._made.metadata)
        count = 0
        for made in self._made:
            topic, host, metadata, ttl, draining, _ = made
            link.ask("register", topic, host, metadata, ttl=ttl, draining=draining)
            count += 1
        return count

    # -- calls -----------------------------------------------------------------------------

    def _ask(self, call: str, *args: Any, **options: Any) -> Any:
        """Ask the child, and return or raise its answer."""
        if os.getpid() != self._pid:
            raise ForkedError(f"the agent was opened in process {self._pid}, before the fork")
        link = self._link
        if link is None:
            raise self._ended()
        try:
            return link.ask(call, *args, **options)
        except LinkEndedError:
            # Its thread says how it ended, once it has seen that.
            self._seen(link)
            raise self._ended() from None

    def _seen(self, link: Link) -> None:
        """Wait until it is known how a child ended."""
        end = time.monotonic() + PATIENCE
        while self._link is link and not self._closing and time.monotonic() < end:
            time.sleep(_JOIN_LOOK / 10)

    def _ended(self) -> AgentClosedError:
        why = self._why
        if isinstance(why, AgentLostError):
            return AgentLostError(str(why), returns=why.returns)
        return AgentClosedError(str(why))

    def wait_joined(self, timeout: float | None = None) -> bool:
        """Wait until the table agreed with a peer's; False when ``timeout`` seconds passed.

        Then ``status().trouble`` says of each seed what is wrong with it, or with this node.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while not self.reader.joined:
            if end is not None and time.monotonic() >= end:
                return False
            time.sleep(_JOIN_LOOK)
        return True

    # -- what a matchmaker asks ------------------------------------------------------------

    def register(
        self,
        topic: str,
        host: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        *,
        ttl: float | None = None,
        draining: bool = False,
    ) -> None:
        """Register a host (default: this node's name) for a topic; again: renew the ``ttl``.

        Raises RegistrationError or LimitError; the state is then unchanged.
        """
        plain = checked_metadata(repr(topic), metadata)
        self._ask("register", topic, host, plain, ttl=ttl, draining=draining)
        self._made.register(topic, host or self.name, plain, ttl, draining)

    def unregister(self, topic: str, host: str | None = None) -> bool:
        """End a registration of this agent; False: there was none."""
        known = bool(self._ask("unregister", topic, host))
        self._made.unregister(topic, host or self.name)
        return known

    def drain(
        self, topic: str | None = None, host: str | None = None, *, draining: bool = True
    ) -> int:
        """Take registrations of this agent (without arguments: the node) out of new picks.

        ``topic`` alone: all hosts registered for it here. Returns how many changed.
        """
        changed = int(self._ask("drain", topic, host, draining=draining))
        self._made.drain(topic, host, draining)
        return changed

    def undrain(self, topic: str | None = None, host: str | None = None) -> int:
        """Take them back into new picks; how many changed."""
        return self.drain(topic, host, draining=False)

    def set_metadata(
        self, changes: Mapping[str, Any], topic: str | None = None, host: str | None = None
    ) -> int:
        """Change metadata of registrations of this agent (without topic and host: of its node).

        None as a value ends its key. Returns how many records changed. Raises RegistrationError or
        LimitError and then changes nothing.
        """
        changed = int(self._ask("set_metadata", dict(changes), topic, host))
        self._made.set_metadata(changes, topic, host)
        return changed

    def renew(self, topic: str, host: str) -> bool:
        """Renew the time to live of a registration of this agent; False: not registered."""
        known = bool(self._ask("renew", topic, host))
        self._made.renew(topic, host)
        return known

    def join(self, *seeds: str) -> None:
        """Add seeds (``name:port``), beside those of the configuration. Raises SeedError."""
        self._ask("join", *seeds)
        self._made.join(seeds)

    def leave(self) -> LeaveFinished:
        """Leave gracefully: tell the live members, and return how many confirmed."""
        self._left = True
        finished: LeaveFinished = restored(self._ask("leave"))
        return finished

    def now(self) -> float:
        """Core time."""
        try:
            return float(self._ask("now"))
        except AgentLostError:
            return time.monotonic() + self._offset

    def heard(self, names: Iterable[str]) -> dict[str, float]:
        """Return the core time at which each named member that is known was last heard of."""
        try:
            found: dict[str, float] = restored(self._ask("heard", list(names)))
        except AgentLostError:
            return {}  # what the last views say is all that is known
        return found

    registrations = _asked(BlockingAgent.registrations)
    ack_alive = _asked(BlockingAgent.ack_alive)
    report_failure = _asked(BlockingAgent.report_failure)
    expire = _asked(BlockingAgent.expire)
    services = _asked(BlockingAgent.services)
    check = _asked(BlockingAgent.check)
    members = _asked(BlockingAgent.members)
    member = _asked(BlockingAgent.member)
    why = _asked(BlockingAgent.why)
    forget = _asked(BlockingAgent.forget)
    agreement = _asked(BlockingAgent.agreement)
    health = _asked(BlockingAgent.health)
    status = _asked(BlockingAgent.status)

    @property
    def conflict(self) -> tuple[Address, ...]:
        """Addresses of another live process with this node's name; empty without one."""
        return tuple((host, port) for host, port in self._ask("conflict"))

    @property
    def stats(self) -> dict[str, Any]:
        """The core's counters as they stand now, by name."""
        found: dict[str, Any] = self._ask("stats")
        return found

    def topics(self) -> Mapping[str, TopicView]:
        """Return all known topics; each view is immutable, and replaced when it changes."""
        return self.reader.topics

    def topic(self, topic: str) -> TopicView | None:
        """Return one topic, or None."""
        return self.reader.topics.get(topic)

    def watch(
        self,
        *kinds: type[Event] | str,
        topics: Collection[str] = (),
        members: Collection[str] = (),
        buffer: int = 1024,
    ) -> ChildWatch:
        """Watch events from now on, in an iterator that blocks; arguments as ``Agent.watch``.

        Asks the child every 50 ms, because calls of other threads take turns with it.
        """
        names = {kind: name for name, kind in KINDS.items()}
        wanted = [names[kind] for kind in kinds_of(kinds)]
        return ChildWatch(self, self._ask("watch", wanted, [*topics], [*members], buffer))
