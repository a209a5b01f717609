"""The client for Trio: the calls of ``gossipmm.client.Client``, with ``await``."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlencode

import trio

from gossipmm.client import calls
from gossipmm.client.calls import Asked
from gossipmm.client.events import EventReader
from gossipmm.client.http11 import AnswerReader, request
from gossipmm.client.place import Place, find
from gossipmm.errors import AgentUnreachableError, GossipError

__all__ = ("TrioClient",)

_T = TypeVar("_T")

_KEPT = 16
#: The agent sends a comment every 15 s: silence for so long means that it is gone.
_SILENCE = 45.0
_AGAIN, _AGAIN_MOST = 0.2, 5.0
_READ = 65536


class TrioClient:
    """Talks to one agent; see ``gossipmm.client.Client`` for arguments, calls and errors."""

    def __init__(self, control: str | Place | None = None, *, timeout: float = 5.0) -> None:
        self._control = control
        self._place = control if isinstance(control, Place) else None
        self._timeout = timeout
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

    # -- lookups -------------------------------------------------------------------------------

    async def queues(
        self, key: str, *, routing_key: str | None = None
    ) -> list[tuple[str, str | None]]:
        """Return the (queue key, host) tuples of a key."""
        return await self.call(calls.queues(key, routing_key))

    async def lookup(self, key: str) -> dict[str, Any]:
        """Return each host of a key with state, age and source."""
        return dict(await self.call(calls.get("lookup", key)))

    async def topics(self) -> list[dict[str, Any]]:
        """Return all topics with their hosts."""
        return await self.call(calls.listed("topics"))

    async def topic(self, topic: str) -> dict[str, Any]:
        """Return one topic."""
        return dict(await self.call(calls.get("topics", topic)))

    async def ring(self) -> dict[str, list[str]]:
        """Return the live hosts of each topic."""
        return dict(await self.call(calls.get("ring")))

    async def members(self) -> list[dict[str, Any]]:
        """Return all known members."""
        return await self.call(calls.listed("members"))

    async def member(self, name: str) -> dict[str, Any]:
        """Return one member."""
        return dict(await self.call(calls.get("members", name)))

    async def why(self, name: str) -> dict[str, Any]:
        """Return why a member is held alive, suspect or dead."""
        return dict(await self.call(calls.get("members", name, "why")))

    async def status(self) -> dict[str, Any]:
        """Return how the agent is, and how far others agree."""
        return dict(await self.call(calls.get("status")))

    async def config(self) -> dict[str, Any]:
        """Return the configuration that the agent uses."""
        return await self.call(calls.config())

    # -- registrations -------------------------------------------------------------------------

    async def register(
        self,
        topic: str,
        host: str,
        metadata: Mapping[str, Any] | None = None,
        *,
        ttl: float | None = None,
        draining: bool = False,
    ) -> dict[str, Any]:
        """Register a host for a topic, or renew it."""
        return await self.call(calls.register(topic, host, metadata, ttl, draining))

    async def unregister(self, topic: str, host: str) -> bool:
        """End a registration of this agent; False: there was none."""
        return await self.call(calls.unregister(topic, host))

    async def registrations(self) -> list[dict[str, Any]]:
        """Return the registrations made with this agent."""
        return await self.call(calls.listed("registrations"))

    async def ack(self, topic: str, host: str) -> bool:
        """Renew an own registration; of another's: say that it answered."""
        return await self.call(calls.said(topic, host, "ack"))

    async def report_failure(self, topic: str, host: str) -> bool:
        """Say that a host did not answer."""
        return await self.call(calls.said(topic, host, "failure"))

    async def expire(self, topic: str, host: str) -> bool:
        """Hide a registration at this agent; its owner is asked."""
        return await self.call(calls.said(topic, host, "expire"))

    async def drain(
        self, topic: str | None = None, host: str | None = None, *, draining: bool = True
    ) -> int:
        """Take a registration (with neither: the node) out of new picks."""
        return await self.call(calls.drain(topic, host, draining))

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
                    if not await self.ack(topic, host):
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

    # -- the agent -----------------------------------------------------------------------------

    async def join(self, *seeds: str, wait: float = 0.0) -> dict[str, Any]:
        """Add seeds; wait up to so many seconds until a member answered."""
        return await self.call(calls.join(seeds, wait))

    async def leave(self) -> dict[str, Any]:
        """Have the agent leave and end."""
        return await self.call(calls.leave())

    async def forget(self, name: str) -> None:
        """Forget a dead or left member on all nodes."""
        return await self.call(calls.forget(name))

    async def set_log_level(self, level: str) -> None:
        """Change the level of the agent's log."""
        await self.call(calls.set_log_level(level))

    async def watch(
        self,
        *,
        kinds: tuple[str, ...] = (),
        topics: tuple[str, ...] = (),
        members: tuple[str, ...] = (),
        since: str | None = None,
        reconnect: bool = True,
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Yield events as they happen, the first one ``hello``; use it with ``aclosing``."""
        reader = EventReader(since)
        query = calls.watch(kinds, topics, members)
        pause = _AGAIN
        while True:
            stream: trio.SocketStream | None = None
            try:
                stream = await self._connect()
                last = {} if reader.last is None else {"since": reader.last}
                target = f"/v1/watch?{urlencode({**query, **last})}"
                answer = AnswerReader()
                await stream.send_all(request("GET", target, None))
                rest = b""
                while not answer.complete:
                    with trio.fail_after(_SILENCE):
                        data = await stream.receive_some(_READ)
                    if not data:
                        break
                    answer.feed(bytes(data))
                    for part in answer.body():
                        if answer.status != 200:
                            calls.get("watch").answer(answer.status, part)
                        *lines, rest = (rest + part).split(b"\n")
                        for line in lines:
                            event = reader.take(line.decode())
                            if event is not None:
                                pause = _AGAIN
                                yield event
                if not reconnect:
                    return
            except AgentUnreachableError:
                if not reconnect:
                    raise
            except (trio.TooSlowError, trio.BrokenResourceError):
                if not reconnect:
                    return
            finally:
                if stream is not None:
                    await trio.aclose_forcefully(stream)
            await trio.sleep(pause)
            pause = min(2 * pause, _AGAIN_MOST)

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
                return await _open_unix(place.path)
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


async def _open_unix(path: str) -> trio.SocketStream:
    sock = trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_STREAM)
    try:
        await sock.connect(path)
    except BaseException:
        sock.close()
        raise
    return trio.SocketStream(sock)
