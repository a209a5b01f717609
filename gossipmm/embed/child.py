"""The agent in a process of its own, for programs that gevent or eventlet patched.

    mm = ChildMatchMaker(name="host-a", bind="10.0.0.1:7946", join=["seed:7946"])
    mm.register("compute", "host-a")
    mm.queues("compute")

Standard library only, no Trio in this process. Each call is one question over a socket (about 0.1
ms), for which a green thread waits as for any other socket; an unchanged topic is not sent again.
The child leaves the cluster and ends when this process does, however that dies.
"""

from __future__ import annotations

import atexit
import os
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from gossipmm.config import Config
from gossipmm.core.values.events import KINDS, Event, kinds_of
from gossipmm.core.values.types import Address, TopicView
from gossipmm.embed.blocking import BlockingAgent
from gossipmm.embed.matchmaker import MatchMakerGossip
from gossipmm.embed.pipe import Lines, config_to, dump, error_from, view_from
from gossipmm.embed.plain import restored
from gossipmm.errors import AgentClosedError, ForkedError
from gossipmm.names import checked_metadata
from gossipmm.settings import load_config

__all__ = ("ChildAgent", "ChildMatchMaker", "ChildWatch")

#: Seconds after which an unresponsive child is given up.
_PATIENCE = 10.0
#: Seconds between two checks whether the table is joined.
_JOIN_LOOK = 0.02
#: Seconds between two checks for new events.
_WATCH_LOOK = 0.05
_READ = 65536

_P = ParamSpec("_P")
_T = TypeVar("_T")

#: Agents of this process that run, by identity.
_running: dict[int, ChildAgent] = {}


class ChildMatchMaker(MatchMakerGossip):
    """MatchMakerGossip with its agent in a child process; the same arguments, the same calls."""

    def open_agent(self, config: Config) -> BlockingAgent:
        """Start the child."""
        agent = ChildAgent(config)
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


class ChildAgent:
    """An agent in a child process; satisfies ``gossipmm.embed.blocking.BlockingAgent``.

    ``python`` is the interpreter to run it with. Calls of several threads take turns.
    """

    def __init__(self, config: Config | None = None, *, python: str = sys.executable) -> None:
        self.config = load_config() if config is None else config
        #: This node's name, and where it is bound; from ``start`` on.
        self.name = self.config.name
        self.bound: Address = ("", 0)
        self._python = python
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._lines = Lines()
        self._asked = 0
        self._socket: socket.socket | None = None
        self._descriptor = -1
        self._process: subprocess.Popen[bytes] | None = None
        self._why_ended = "was not started"
        self.reader = _ChildTable(self)

    # -- coming and going ------------------------------------------------------------------

    def start(self) -> None:
        """Start the child; returns when its socket is bound.

        Raises BindError, ConfigError, SeedError or RegistrationError, as the child did.
        """
        if self._process is not None:
            raise RuntimeError("an agent is started once: build another one")
        self._pid = os.getpid()
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = subprocess.Popen(
                    # -P: files in the working directory must not be imported.
                    [self._python, "-P", "-m", "gossipmm.embed.child_process"],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                )
            except BaseException:
                ours.close()
                raise
        ours.settimeout(_PATIENCE)
        self._socket = ours
        self._descriptor = ours.fileno()
        _running[id(self)] = self
        try:
            options = config_to(self.config)
            self.name, bound = self._ask("open", os.getpid(), **options)
            self.bound = (bound[0], bound[1])
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let the child leave (for at most ``leave_timeout``) and wait for its end. Idempotent."""
        if os.getpid() != self._pid or self._process is None:
            return
        self._hang_up("was closed")
        try:
            self._process.wait(self.config.leave_timeout + _PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        _running.pop(id(self), None)

    def _hang_up(self, why: str) -> None:
        """Close the socket, which tells the child to leave and wakes whoever waits for it."""
        sock, self._socket = self._socket, None
        if sock is not None:
            self._why_ended = why
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def wait_joined(self, timeout: float | None = None) -> bool:
        """Wait until the table agreed with a peer's; False when ``timeout`` seconds passed."""
        end = None if timeout is None else time.monotonic() + timeout
        while not self.reader.joined:
            if end is not None and time.monotonic() >= end:
                return False
            time.sleep(_JOIN_LOOK)
        return True

    # -- calls -----------------------------------------------------------------------------

    def _ask(self, call: str, *args: Any, **options: Any) -> Any:
        """Ask the child, and return or raise its answer."""
        if os.getpid() != self._pid:
            raise ForkedError(f"the agent was opened in process {self._pid}, before the fork")
        with self._lock:
            self._asked = number = self._asked + 1
            self._send(dump({"id": number, "call": call, "args": args, "options": options}))
            reply = self._receive(number)
        if "error" in reply:
            raise error_from(reply)
        return reply["result"]

    def _send(self, line: bytes) -> None:
        sock = self._socket
        if sock is None:
            raise self._closed()
        try:
            sock.sendall(line)
        except OSError:
            raise self._lost() from None
        except BaseException:
            # A green thread was killed here, possibly half way through the line.
            self._hang_up("was interrupted in the middle of a call")
            raise

    def _receive(self, number: int) -> dict[str, Any]:
        while True:
            for reply in self._lines:
                # Older answers are for calls whose green thread was killed while it waited.
                if reply["id"] == number:
                    return reply
            sock = self._socket
            if sock is None:
                raise self._closed()
            try:
                data = sock.recv(_READ)
            except TimeoutError:
                self._hang_up(f"did not answer for {_PATIENCE:g} s")
                raise self._closed() from None
            except OSError:
                data = b""
            if not data:
                raise self._lost()
            self._lines.feed(data)

    def _lost(self) -> AgentClosedError:
        """Say how the child ended."""
        if self._socket is not None and self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(1.0)
            self._hang_up(f"ended (exit status {self._process.returncode})")
        return self._closed()

    def _closed(self) -> AgentClosedError:
        return AgentClosedError(f"the agent's process {self._why_ended}: open another agent")

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

    now = _asked(BlockingAgent.now)
    unregister = _asked(BlockingAgent.unregister)
    drain = _asked(BlockingAgent.drain)
    undrain = _asked(BlockingAgent.undrain)
    renew = _asked(BlockingAgent.renew)
    registrations = _asked(BlockingAgent.registrations)
    ack_alive = _asked(BlockingAgent.ack_alive)
    report_failure = _asked(BlockingAgent.report_failure)
    expire = _asked(BlockingAgent.expire)
    members = _asked(BlockingAgent.members)
    member = _asked(BlockingAgent.member)
    why = _asked(BlockingAgent.why)
    forget = _asked(BlockingAgent.forget)
    agreement = _asked(BlockingAgent.agreement)
    health = _asked(BlockingAgent.health)
    status = _asked(BlockingAgent.status)
    join = _asked(BlockingAgent.join)
    leave = _asked(BlockingAgent.leave)

    def heard(self, names: Iterable[str]) -> dict[str, float]:
        """Return the core time at which each named member that is known was last heard of."""
        found: dict[str, float] = restored(self._ask("heard", list(names)))
        return found

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


class ChildWatch(Iterator[Event]):
    """The events of an agent in a child process. Ends when the agent closes.

    For one thread at a time. Ends with WatchOverflowError when its reader was too slow.
    """

    def __init__(self, agent: ChildAgent, number: int) -> None:
        self._agent = agent
        self._number = number
        self._found: deque[Event] = deque()
        self._over = False

    def __next__(self) -> Event:
        while not self._found:
            if self._over:
                raise StopIteration
            try:
                events, self._over = self._agent._ask("watched", self._number)
            except AgentClosedError:
                raise StopIteration from None
            self._found.extend(map(restored, events))
            if not self._found and not self._over:
                time.sleep(_WATCH_LOOK)
        return self._found.popleft()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop watching. Idempotent."""
        self._over = True
        with suppress(AgentClosedError):
            self._agent._ask("unwatch", self._number)


class _ChildTable:
    """The child's table, asked for topic by topic."""

    def __init__(self, agent: ChildAgent) -> None:
        self._agent = agent
        self.topics: Mapping[str, TopicView] = _Topics(agent)

    @property
    def joined(self) -> bool:
        """True once the table agreed with a peer's."""
        return bool(self._agent._ask("joined"))

    def is_up(self, name: str) -> bool:
        """Return whether a host is up in any topic, or a member of that name is."""
        return bool(self._agent._ask("is_up", name))


class _Topics(Mapping[str, TopicView]):
    """Topic -> its view: the same object as last time if nothing in it changed."""

    def __init__(self, agent: ChildAgent) -> None:
        self._agent = agent
        self._held: dict[str, tuple[int, TopicView]] = {}

    def __getitem__(self, topic: str) -> TopicView:
        number, held = self._held.get(topic, (0, None))
        answer = self._agent._ask("view", topic, number)
        if answer is None:
            self._held.pop(topic, None)
            raise KeyError(topic)
        if held is not None and answer[0] == number:
            return held
        view = view_from(answer[1])
        self._held[topic] = (answer[0], view)
        return view

    def __iter__(self) -> Iterator[str]:
        return iter(self._agent._ask("topics"))

    def __len__(self) -> int:
        return len(self._agent._ask("topics"))


def _forget_in_fork() -> None:
    """Let go of the sockets in a forked child: they would keep the agent from ending.

    The descriptor is replaced, not closed: its object, and any loop that it belongs to, are the
    parent's.
    """
    for agent in list(_running.values()):
        if agent._socket is not None:
            nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
            os.dup2(nothing, agent._descriptor, inheritable=False)
            os.close(nothing)
    _running.clear()


def _leave_at_exit() -> None:
    agents = list(_running.values())
    for agent in agents:
        agent._hang_up("was closed")
    for agent in agents:
        agent.close()


os.register_at_fork(after_in_child=_forget_in_fork)
atexit.register(_leave_at_exit)
