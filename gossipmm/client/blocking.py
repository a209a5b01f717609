"""The blocking client: standard library alone, for threads, and under gevent and eventlet."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlencode

from gossipmm.client import calls
from gossipmm.client.calls import Asked
from gossipmm.client.events import EventReader
from gossipmm.client.http11 import AnswerReader, request
from gossipmm.client.place import Place, find
from gossipmm.errors import AgentUnreachableError, GossipError

__all__ = ("Client",)

_T = TypeVar("_T")

#: Connections kept open; a call takes one for itself.
_KEPT = 16
#: The agent sends a comment every 15 s: silence for so long means that it is gone.
_SILENCE = 45.0
#: Seconds between tries to reach an agent again, doubling.
_AGAIN, _AGAIN_MOST = 0.2, 5.0
_READ = 65536


class _Connection:
    """One connection: a request, then its answer, then perhaps another request."""

    def __init__(self, place: Place, timeout: float) -> None:
        self.sock = place.connect(timeout)

    def close(self) -> None:
        self.sock.close()

    def ask(self, data: bytes, timeout: float) -> AnswerReader:
        """Send a request and read until the head of the answer is there.

        Raises ConnectionError when the other side has closed, TimeoutError.
        """
        self.sock.settimeout(timeout)
        self.sock.sendall(data)
        answer = AnswerReader()
        while not answer.status:
            self.read(answer)
        return answer

    def read(self, answer: AnswerReader) -> None:
        """Read more of an answer. Raises ConnectionError at the end, TimeoutError."""
        data = self.sock.recv(_READ)
        if not data:
            raise ConnectionResetError("closed")
        answer.feed(data)


class Client:
    """Talks to one agent; every method is one call of its API.

    ``control`` is a path, a name, or HOST:PORT (see ``gossipmm.client.place``); by default
    ``GOSSIPMM_CONTROL``, else the only agent that runs here. ``timeout``: seconds that an answer
    may take. Building one connects to nothing. Calls raise AgentUnreachableError when nobody
    answers, the errors of ``gossipmm.errors`` that an agent in this process would raise, and
    ControlError for what else the agent refuses. Use it from any number of threads.
    """

    def __init__(self, control: str | Place | None = None, *, timeout: float = 5.0) -> None:
        self._control = control
        self._place = control if isinstance(control, Place) else None
        self._timeout = timeout
        self._idle: list[_Connection] = []
        self._pid = os.getpid()

    @property
    def place(self) -> Place:
        """Where the agent is. Raises AgentUnreachableError, ConfigError."""
        if self._place is None:
            assert not isinstance(self._control, Place)
            self._place = find(self._control)
        return self._place

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are not in use. The client can go on being used."""
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    # -- lookups -------------------------------------------------------------------------------

    def queues(self, key: str, *, routing_key: str | None = None) -> list[tuple[str, str | None]]:
        """Return the (queue key, host) tuples of a key; empty: nobody (``lookup`` says why)."""
        return self.call(calls.queues(key, routing_key))

    def lookup(self, key: str) -> dict[str, Any]:
        """Return each host of a key with state, age and source, and what an empty answer means."""
        return dict(self.call(calls.get("lookup", key)))

    def topics(self) -> list[dict[str, Any]]:
        """Return all topics with their hosts."""
        return self.call(calls.listed("topics"))

    def topic(self, topic: str) -> dict[str, Any]:
        """Return one topic. Raises ControlError (``unknown-topic``)."""
        return dict(self.call(calls.get("topics", topic)))

    def ring(self) -> dict[str, list[str]]:
        """Return the live hosts of each topic, as a classical ring."""
        return dict(self.call(calls.get("ring")))

    def members(self) -> list[dict[str, Any]]:
        """Return all known members."""
        return self.call(calls.listed("members"))

    def member(self, name: str) -> dict[str, Any]:
        """Return one member. Raises ControlError (``unknown-member``)."""
        return dict(self.call(calls.get("members", name)))

    def why(self, name: str) -> dict[str, Any]:
        """Return why a member is held alive, suspect or dead. Raises ControlError."""
        return dict(self.call(calls.get("members", name, "why")))

    def status(self) -> dict[str, Any]:
        """Return how the agent is, and how far others agree with its table."""
        return dict(self.call(calls.get("status")))

    def config(self) -> dict[str, Any]:
        """Return the configuration that the agent uses."""
        return self.call(calls.config())

    # -- registrations -------------------------------------------------------------------------

    def register(
        self,
        topic: str,
        host: str,
        metadata: Mapping[str, Any] | None = None,
        *,
        ttl: float | None = None,
        draining: bool = False,
    ) -> dict[str, Any]:
        """Register a host for a topic; the same call again renews it. Raises RegistrationError.

        With a ``ttl`` it ends so many seconds after the last ``ack``; ``registered`` sees to that.
        """
        return self.call(calls.register(topic, host, metadata, ttl, draining))

    def unregister(self, topic: str, host: str) -> bool:
        """End a registration of this agent; False: there was none."""
        return self.call(calls.unregister(topic, host))

    def registrations(self) -> list[dict[str, Any]]:
        """Return the registrations made with this agent, and when they end."""
        return self.call(calls.listed("registrations"))

    def ack(self, topic: str, host: str) -> bool:
        """Renew an own registration; of another's: say that it answered. False: unknown."""
        return self.call(calls.said(topic, host, "ack"))

    def report_failure(self, topic: str, host: str) -> bool:
        """Say that a host did not answer: it is probed now, others preferred. False: unknown."""
        return self.call(calls.said(topic, host, "failure"))

    def expire(self, topic: str, host: str) -> bool:
        """Hide a registration at this agent; its owner is asked. False: unknown."""
        return self.call(calls.said(topic, host, "expire"))

    def drain(
        self, topic: str | None = None, host: str | None = None, *, draining: bool = True
    ) -> int:
        """Take a registration (with neither: the node) out of new picks; how many changed."""
        return self.call(calls.drain(topic, host, draining))

    @contextmanager
    def registered(
        self,
        topic: str,
        host: str,
        metadata: Mapping[str, Any] | None = None,
        *,
        ttl: float = 10.0,
    ) -> Iterator[None]:
        """Be registered for as long as the block runs, and no longer than the ttl beyond.

        A thread renews it, and makes it again when the agent was restarted.
        """
        self.register(topic, host, metadata, ttl=ttl)
        over = threading.Event()

        def keep() -> None:
            while not over.wait(ttl / 3):
                try:
                    if not self.ack(topic, host):
                        self.register(topic, host, metadata, ttl=ttl)
                except GossipError:
                    continue  # the agent may come back: the next round tries again

        keeper = threading.Thread(target=keep, name=f"gossipmm {topic}.{host}", daemon=True)
        keeper.start()
        try:
            yield
        finally:
            over.set()
            keeper.join()
            with suppress(GossipError):  # it ends with its ttl, if not now
                self.unregister(topic, host)

    # -- the agent -----------------------------------------------------------------------------

    def join(self, *seeds: str, wait: float = 0.0) -> dict[str, Any]:
        """Add seeds; wait up to so many seconds until a member answered. Raises SeedError."""
        return self.call(calls.join(seeds, wait))

    def leave(self) -> dict[str, Any]:
        """Have the agent leave and end; returns ``confirmed``, ``told`` and ``share``."""
        return self.call(calls.leave())

    def forget(self, name: str) -> None:
        """Forget a dead or left member on all nodes. Raises ControlError."""
        return self.call(calls.forget(name))

    def set_log_level(self, level: str) -> None:
        """Change the level of the agent's log: debug, info, warning or error."""
        self.call(calls.set_log_level(level))

    def watch(
        self,
        *,
        kinds: tuple[str, ...] = (),
        topics: tuple[str, ...] = (),
        members: tuple[str, ...] = (),
        since: str | None = None,
        reconnect: bool = True,
    ) -> Iterator[dict[str, Any]]:
        """Yield events as they happen; the first is ``hello``. Raises ControlError at once.

        With ``reconnect``, a lost connection is made anew for ever and resumed behind the last
        event; each begins with a ``hello``. Where its ``resumed`` is False, events are missing:
        read what you need anew. Without, the end of the connection ends the iterator, or raises
        AgentUnreachableError if there never was one.
        """
        reader = EventReader(since)
        query = calls.watch(kinds, topics, members)
        pause = _AGAIN
        while True:
            try:
                for event in self._watch_once(query, reader):
                    pause = _AGAIN
                    yield event
                if not reconnect:
                    return
            except AgentUnreachableError:
                if not reconnect:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, _AGAIN_MOST)

    def _watch_once(
        self, query: Mapping[str, str], reader: EventReader
    ) -> Iterator[dict[str, Any]]:
        connection = _Connection(self.place, self._timeout)
        try:
            last = {} if reader.last is None else {"since": reader.last}
            target = f"/v1/watch?{urlencode({**query, **last})}"
            answer = connection.ask(request("GET", target, None), self._timeout)
            if answer.status != 200:
                calls.get("watch").answer(answer.status, self._body(connection, answer))
            connection.sock.settimeout(_SILENCE)
            rest = b""
            while True:
                for part in answer.body():
                    *lines, rest = (rest + part).split(b"\n")
                    for line in lines:
                        event = reader.take(line.decode())
                        if event is not None:
                            yield event
                if answer.complete:
                    return
                connection.read(answer)
        except OSError:
            return  # it is over, however it came
        finally:
            connection.close()

    # -- transport -----------------------------------------------------------------------------

    def call(self, asked: Asked[_T]) -> _T:
        """Carry out a call (``gossipmm.client.calls``)."""
        connection, fresh = self._connection()
        answered = self._exchange(connection, asked)
        if answered is None and not fresh:
            # It was closed while it lay idle, and so are those that lay there longer.
            self.close()
            connection, _ = self._connection()
            answered = self._exchange(connection, asked)
        if answered is None:
            raise AgentUnreachableError(f"the agent at {self.place} hung up")
        return asked.answer(*answered)

    def _connection(self) -> tuple[_Connection, bool]:
        """Take a connection that lies idle, or make one: (connection, made now)."""
        if os.getpid() != self._pid:  # forked: the parent goes on using those
            self._pid, self._idle = os.getpid(), []
        try:
            return self._idle.pop(), False
        except IndexError:
            return _Connection(self.place, self._timeout), True

    def _exchange(self, connection: _Connection, asked: Asked[Any]) -> tuple[int, bytes] | None:
        """Send and read; None: the other side had closed. Raises AgentUnreachableError."""
        timeout = self._timeout + asked.patience
        keep = False
        try:
            data = request(asked.method, asked.target, asked.encoded())
            answer = connection.ask(data, timeout)
            body = self._body(connection, answer)
            keep = answer.keeps and len(self._idle) < _KEPT
        except TimeoutError:
            raise AgentUnreachableError(
                f"the agent at {self.place} did not answer within {timeout:g} s"
            ) from None
        except ConnectionError:
            return None
        finally:
            if keep:
                self._idle.append(connection)
            else:
                connection.close()
        return answer.status, body

    @staticmethod
    def _body(connection: _Connection, answer: AnswerReader) -> bytes:
        parts = list(answer.body())
        while not answer.complete:
            connection.read(answer)
            parts.extend(answer.body())
        return b"".join(parts)
