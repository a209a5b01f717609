"""An HTTP/1.1 server for one local API, on h11 and Trio. Knows nothing of what it serves.

It stands in the nursery of an agent, and the agent comes first:

* at most ``PER_ROUND`` requests are answered in one round of Trio's scheduler, however many
  connections ask at once, so that the gossip side gets its turn every few milliseconds;
* every wait for a client has an end (``connection.py``), also while the agent ends;
* heads, bodies and connections are bounded.

Whatever a client sends, it gets an answer or its connection is closed; nothing raises.
"""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Iterable
from contextlib import suppress

import trio

from gossipmm.sidecar.http.connection import Connection, GoneError
from gossipmm.sidecar.http.messages import Application, Refuse

__all__ = ("Server",)

#: Requests answered in one round of the scheduler: under 3 ms of work.
PER_ROUND = 16
#: Simultaneous connections. Beyond these, a new one takes the place of the one that has asked for
#: nothing for longest; where all are being answered, it is told 503 and closed.
MAX_CONNECTIONS = 2048
#: Seconds that running requests may take once the server is told to end.
_GRACE = 1.0
#: Connections taken in one go.
_ACCEPTS = 64
#: Out of file descriptors or memory: seconds until the next try.
_ACCEPT_PAUSE = 0.1
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_log = logging.getLogger(__name__)


class Server:
    """Serves one application on any number of listening sockets. Run it once."""

    def __init__(
        self, application: Application, refuse: Refuse, *, most: int = MAX_CONNECTIONS
    ) -> None:
        self._application = application
        self._refuse = refuse
        self._most = most
        self._exhausted = False
        self._turns = trio.Semaphore(PER_ROUND)
        self._connections: set[Connection] = set()
        self._waiting: dict[Connection, None] = {}
        self._scope = trio.CancelScope(shield=True)
        self._ending = trio.Event()

    @property
    def connections(self) -> int:
        """Connections open now."""
        return len(self._connections)

    async def run(self, listeners: Iterable[socket.socket]) -> None:
        """Serve until cancelled; then let running requests end, for at most a second.

        The sockets are listening and non-blocking; they stay open.
        """
        async with trio.open_nursery() as nursery:
            # Shielded: whoever is cancelled just now would wait for a task that nobody ends.
            with trio.CancelScope(shield=True):
                serving = await nursery.start(self._serve_all)
            try:
                async with trio.open_nursery() as accepting:
                    for listener in listeners:
                        accepting.start_soon(self._accept, listener, serving)
            finally:
                self._scope.deadline = trio.current_time() + _GRACE
                self._ending.set()
                for connection in self._connections:
                    connection.end()

    async def _serve_all(
        self, task_status: trio.TaskStatus[trio.Nursery] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Hold the nursery of all connections, beyond the reach of cancellation from outside."""
        with self._scope:
            async with trio.open_nursery() as nursery:
                task_status.started(nursery)
                await self._ending.wait()

    async def _accept(self, listener: socket.socket, serving: trio.Nursery) -> None:
        tcp = listener.family != socket.AF_UNIX
        while True:
            await trio.lowlevel.wait_readable(listener)
            for _ in range(_ACCEPTS):
                try:
                    sock, _ = listener.accept()
                except BlockingIOError:
                    break
                except OSError as exc:
                    if exc.errno in _EXHAUSTED:
                        await self._wait_for_room(exc)
                    break
                self._exhausted = False
                sock.setblocking(False)
                if len(self._connections) >= self._most and not self._make_room():
                    self._turn_away(sock)
                    continue
                if tcp:
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection = Connection(sock, self._turns, self._waiting, tcp=tcp)
                self._connections.add(connection)
                serving.start_soon(self._serve, connection)

    def _make_room(self) -> bool:
        """Close the connection that has waited longest for its client; False: none waits.

        Whoever holds connections and asks for nothing keeps nobody out, so that a probe of an
        orchestrator is answered.
        """
        if not self._waiting:
            return False
        longest = next(iter(self._waiting))
        self._connections.discard(longest)
        longest.give_way()
        return True

    async def _wait_for_room(self, exc: OSError) -> None:
        if not self._exhausted:  # said once, until a connection was taken again
            _log.warning("the control API takes no connection just now: %s", exc.strerror)
        self._exhausted = True
        await trio.sleep(_ACCEPT_PAUSE)

    def _turn_away(self, sock: socket.socket) -> None:
        answer = self._refuse(503, f"{self._most} connections are open: try again later")
        head = (
            f"HTTP/1.1 503 Service Unavailable\r\ncontent-type: {answer.content_type}\r\n"
            f"content-length: {len(answer.body)}\r\nconnection: close\r\n\r\n"
        )
        with suppress(OSError):
            sock.send(head.encode() + answer.body)
        sock.close()

    async def _serve(self, connection: Connection) -> None:
        try:
            await connection.run(self._application, self._refuse)
        except (GoneError, OSError):
            pass
        except Exception:
            # A mistake here must cost a connection, not the agent.
            _log.exception("the control API closed a connection because of an error of its own")
        finally:
            self._connections.discard(connection)
            connection.close()
