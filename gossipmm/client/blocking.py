"""The blocking client: standard library alone, for threads, and under gevent and eventlet."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from gossipmm.client import calls, key_calls
from gossipmm.client.asked import Asked, clock, waiting
from gossipmm.client.events import Following, Monitoring
from gossipmm.client.http11 import AnswerReader, request
from gossipmm.client.place import Place, find
from gossipmm.errors import AgentUnreachableError, GossipError

if TYPE_CHECKING:
    from gossipmm.client.event_types import LogLine, WatchedEvent

__all__ = ("Client", "ClientKeys")

_T = TypeVar("_T")

#: Connections kept open; a call takes one for itself.
_KEPT = 16
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
        answer.feed(self.receive())

    def receive(self) -> bytes:
        """Return what is received next. Raises ConnectionError at the end, TimeoutError."""
        data = self.sock.recv(_READ)
        if not data:
            raise ConnectionResetError("closed")
        return data


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
        #: Its keys of gossip.
        self.keys = ClientKeys(self)
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

    # -- calls -----------------------------------------------------------------------------------

    queues = waiting(calls.queues)
    lookup = waiting(calls.lookup)
    is_alive = waiting(calls.is_alive)
    topics = waiting(calls.topics)
    topic = waiting(calls.topic)
    ring = waiting(calls.ring)

    register = waiting(calls.register)
    unregister = waiting(calls.unregister)
    drain = waiting(calls.drain)
    undrain = waiting(calls.undrain)
    set_metadata = waiting(calls.set_metadata)
    services = waiting(calls.services)
    check = waiting(calls.check)
    registrations = waiting(calls.registrations)
    ack_alive = waiting(calls.ack_alive)
    report_failure = waiting(calls.report_failure)
    expire = waiting(calls.expire)
    send_event = waiting(calls.send_event)

    members = waiting(calls.members)
    member = waiting(calls.member)
    why = waiting(calls.why)
    forget = waiting(calls.forget)
    status = waiting(calls.status)
    status_all = waiting(calls.status_all)
    drain_member = waiting(calls.drain_member)
    query = waiting(calls.query)
    rtt = waiting(calls.rtt)
    agreement = waiting(calls.agreement)
    health = waiting(calls.health)
    conflict = waiting(calls.conflict)
    stats = waiting(calls.stats)
    config = waiting(calls.config)
    join = waiting(calls.join)
    leave = waiting(calls.leave)
    log_level = waiting(calls.log_level)
    set_log_level = waiting(calls.set_log_level)
    get = waiting(calls.get)

    def now(self) -> float:
        """Return the clock of this process, to which all times in answers belong."""
        return clock()

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
                    if not self.ack_alive(topic, host):
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

    def watch(
        self,
        *kinds: str,
        topics: Collection[str] = (),
        members: Collection[str] = (),
        since: str | None = None,
        reconnect: bool = True,
    ) -> Iterator[WatchedEvent]:
        """Yield events as they happen; the first is ``hello``. Raises ControlError at once.

        ``kinds``: only those (``member_died``); ``topics`` and ``members``: only events of one of
        these. With ``reconnect``, a lost connection is made again for ever and resumed behind the
        last event; each begins with a ``hello``. Where its ``resumed`` is False, events are
        missing: read what you need again. Without, the end of the connection ends the iterator, or
        raises AgentUnreachableError if there never was one.
        """
        following = Following(kinds, topics, members, since)
        while True:
            try:
                yield from self._follow(following)
            except AgentUnreachableError:
                if not reconnect:
                    raise
            if not reconnect:
                return
            time.sleep(following.pause())

    def monitor(self, level: str = "info") -> Iterator[LogLine]:
        """Yield what the agent logs at a level, as JSON lines of a log have it.

        ``level``: debug, info, warning or error; the agent's own log stays as it is. The first line
        says that it began; where lines were left out because this reader was too slow, one says how
        many (``left_out``). Ends with the agent. Raises ControlError, AgentUnreachableError.
        """
        yield from self._follow(Monitoring(level))

    def _follow(self, following: Following | Monitoring) -> Iterator[Any]:
        connection = _Connection(self.place, self._timeout)
        try:
            connection.sock.sendall(following.request())
            while not following.over:
                yield from following.feed(connection.receive())
                connection.sock.settimeout(following.SILENCE)
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


class ClientKeys:
    """The keys of gossip, at one agent: ``client.keys``. Changes need its Unix socket."""

    def __init__(self, client: Client) -> None:
        self.call = client.call

    status = waiting(key_calls.status)
    add = waiting(key_calls.add)
    use = waiting(key_calls.use)
    remove = waiting(key_calls.remove)
    rotate = waiting(key_calls.rotate)
    rotate_out_of_band = waiting(key_calls.rotate_out_of_band)
    leave_behind = waiting(key_calls.leave_behind)
    cancel = waiting(key_calls.cancel)
    reload = waiting(key_calls.reload)
