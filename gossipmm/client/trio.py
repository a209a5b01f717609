"""The client for Trio: the calls of ``gossipmm.client.Client``, with ``await``."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import trio

from gossipmm.client import calls, key_calls
from gossipmm.client.asked import Asked, awaiting, clock
from gossipmm.client.events import Following, Monitoring
from gossipmm.client.http11 import AnswerReader, request
from gossipmm.client.place import Place, find
from gossipmm.errors import AgentUnreachableError, GossipError

if TYPE_CHECKING:
    from gossipmm.client.event_types import LogLine, WatchedEvent

__all__ = ("TrioClient", "TrioClientKeys")

_T = TypeVar("_T")

_KEPT = 16
_READ = 65536


class TrioClient:
    """Talks to one agent; see ``gossipmm.client.Client`` for arguments, calls and errors."""

    def __init__(self, control: str | Place | None = None, *, timeout: float = 5.0) -> None:
        self._control = control
        self._place = control if isinstance(control, Place) else None
        self._timeout = timeout
        #: Its keys of gossip.
        self.keys = TrioClientKeys(self)
        self._idle: list[trio.SocketStream] = []

    @property
    def place(self) -> Place:
        """Where the agent is. Raises AgentUnreachableError, ConfigError."""
        if self._place is None:
            assert not isinstance(self._control, Place)
            self._place = find(self._control)
        return self._place

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections that are not in use."""
        idle, self._idle = self._idle, []
        for stream in idle:
            await trio.aclose_forcefully(stream)

    # -- calls -----------------------------------------------------------------------------------

    queues = awaiting(calls.queues)
    lookup = awaiting(calls.lookup)
    is_alive = awaiting(calls.is_alive)
    topics = awaiting(calls.topics)
    topic = awaiting(calls.topic)
    ring = awaiting(calls.ring)

    register = awaiting(calls.register)
    unregister = awaiting(calls.unregister)
    drain = awaiting(calls.drain)
    undrain = awaiting(calls.undrain)
    set_metadata = awaiting(calls.set_metadata)
    services = awaiting(calls.services)
    check = awaiting(calls.check)
    registrations = awaiting(calls.registrations)
    ack_alive = awaiting(calls.ack_alive)
    report_failure = awaiting(calls.report_failure)
    expire = awaiting(calls.expire)
    send_event = awaiting(calls.send_event)

    members = awaiting(calls.members)
    member = awaiting(calls.member)
    why = awaiting(calls.why)
    forget = awaiting(calls.forget)
    status = awaiting(calls.status)
    status_all = awaiting(calls.status_all)
    drain_member = awaiting(calls.drain_member)
    query = awaiting(calls.query)
    rtt = awaiting(calls.rtt)
    agreement = awaiting(calls.agreement)
    health = awaiting(calls.health)
    conflict = awaiting(calls.conflict)
    stats = awaiting(calls.stats)
    config = awaiting(calls.config)
    join = awaiting(calls.join)
    leave = awaiting(calls.leave)
    log_level = awaiting(calls.log_level)
    set_log_level = awaiting(calls.set_log_level)
    get = awaiting(calls.get)

    def now(self) -> float:
        """Return the clock of this process, to which all times in answers belong."""
        return clock()

    @asynccontextmanager
    async def registered(
        self,
        topic: str,
        host: str,
        metadata: Mapping[str, Any] | None = None,
        *,
        ttl: float = 10.0,
    ) -> AsyncGenerator[None, None]:
        """Be registered for as long as the block runs; renewed in the background."""
        await self.register(topic, host, metadata, ttl=ttl)

        async def keep() -> None:
            while True:
                await trio.sleep(ttl / 3)
                try:
                    if not await self.ack_alive(topic, host):
                        await self.register(topic, host, metadata, ttl=ttl)
                except GossipError:
                    continue  # the agent may come back: the next round tries again

        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(keep)
                yield
                nursery.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            # That a nursery runs here is our affair: what the block raised comes out as itself.
            if len(group.exceptions) > 1:
                raise
            raise group.exceptions[0] from None
        finally:
            # What cannot be ended now ends with its ttl.
            with trio.move_on_after(self._timeout, shield=True), suppress(GossipError):
                await self.unregister(topic, host)

    async def watch(
        self,
        *kinds: str,
        topics: Collection[str] = (),
        members: Collection[str] = (),
        since: str | None = None,
        reconnect: bool = True,
    ) -> AsyncGenerator[WatchedEvent, None]:
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
                async with aclosing(self._follow(following)) as events:
                    async for event in events:
                        yield event
            except AgentUnreachableError:
                if not reconnect:
                    raise
            if not reconnect:
                return
            await trio.sleep(following.pause())

    async def monitor(self, level: str = "info") -> AsyncGenerator[LogLine, None]:
        """Yield what the agent logs at a level, as JSON lines of a log have it.

        ``level``: debug, info, warning or error; the agent's own log stays as it is. The first line
        says that it began; where lines were left out because this reader was too slow, one says how
        many (``left_out``). Ends with the agent. Raises ControlError, AgentUnreachableError.
        """
        async with aclosing(self._follow(Monitoring(level))) as lines:
            async for line in lines:
                yield line

    async def _follow(self, following: Following | Monitoring) -> AsyncGenerator[Any, None]:
        stream: trio.SocketStream | None = None
        try:
            stream = await self._connect()
            await stream.send_all(following.request())
            while not following.over:
                with trio.fail_after(following.SILENCE):
                    data = await stream.receive_some(_READ)
                if not data:
                    break
                for event in following.feed(bytes(data)):
                    yield event
        except (trio.TooSlowError, trio.BrokenResourceError):
            pass  # it is over, however it came
        finally:
            if stream is not None:
                await trio.aclose_forcefully(stream)

    # -- transport -----------------------------------------------------------------------------

    async def call(self, asked: Asked[_T]) -> _T:
        """Carry out a call (``gossipmm.client.calls``)."""
        timeout = self._timeout + asked.patience
        try:
            with trio.fail_after(timeout):
                while self._idle:
                    # Closed while it lay idle? Then the next one, and at last a new one.
                    answered = await self._exchange(self._idle.pop(), asked)
                    if answered is not None:
                        return asked.answer(*answered)
                answered = await self._exchange(await self._connect(), asked)
        except trio.TooSlowError:
            raise AgentUnreachableError(
                f"the agent at {self.place} did not answer within {timeout:g} s"
            ) from None
        if answered is None:
            raise AgentUnreachableError(f"the agent at {self.place} hung up")
        return asked.answer(*answered)

    async def _connect(self) -> trio.SocketStream:
        place = self.place
        try:
            if place.path:
                return await _open_unix(place)
            return await trio.open_tcp_stream(place.host.strip("[]"), place.port)
        except OSError as exc:
            raise place.unreachable(exc) from None

    async def _exchange(
        self, stream: trio.SocketStream, asked: Asked[Any]
    ) -> tuple[int, bytes] | None:
        """Send and read; None: the other side had closed. A stream that is not kept is closed."""
        keep = False
        try:
            answer = AnswerReader()
            await stream.send_all(request(asked.method, asked.target, asked.encoded()))
            parts: list[bytes] = []
            while not answer.complete:
                data = await stream.receive_some(_READ)
                if not data:
                    return None
                answer.feed(bytes(data))
                parts.extend(answer.body())
            keep = answer.keeps and len(self._idle) < _KEPT
            return answer.status, b"".join(parts)
        except trio.BrokenResourceError:
            return None
        finally:
            if keep:
                self._idle.append(stream)
            else:
                await trio.aclose_forcefully(stream)


class TrioClientKeys:
    """The keys of gossip, at one agent: ``client.keys``. Changes need its Unix socket."""

    def __init__(self, client: TrioClient) -> None:
        self.call = client.call

    status = awaiting(key_calls.status)
    add = awaiting(key_calls.add)
    use = awaiting(key_calls.use)
    remove = awaiting(key_calls.remove)
    rotate = awaiting(key_calls.rotate)
    rotate_out_of_band = awaiting(key_calls.rotate_out_of_band)
    leave_behind = awaiting(key_calls.leave_behind)
    cancel = awaiting(key_calls.cancel)
    reload = awaiting(key_calls.reload)


async def _open_unix(place: Place) -> trio.SocketStream:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        wrapped = trio.socket.from_stdlib_socket(sock)
        await wrapped.connect(place.path)
        place.check(sock)
    except BaseException:
        sock.close()
        raise
    return trio.SocketStream(wrapped)
