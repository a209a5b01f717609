"""Drives the core: one task that receives, runs timers, and carries away what comes out.

No protocol decisions here. After every call into the node, ``flush`` sends its datagrams, hands on
its events and looks at its next timer; calls from other tasks of the same Trio run do so at once,
and shorten the wait of the driving task.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable

import trio

from gossipmm.addresses import format_address
from gossipmm.agent.clocks import Clocks
from gossipmm.agent.dialback import MAGIC
from gossipmm.agent.faults import Faults
from gossipmm.agent.network import Network, Port
from gossipmm.core.node import Node
from gossipmm.core.values.events import Event
from gossipmm.core.values.stats import Timing
from gossipmm.core.values.types import Address

__all__ = ("Driver", "IoStats")

#: Datagrams taken before timers have their turn: under 3 ms of work, unless somebody means harm.
DRAIN = 128
#: Seconds of them after which other tasks have their turn: an answer to a lookup takes some four
#: turns of this task, and 128 datagrams full of pages take 30 ms.
SLICE = 0.005
#: Longest sleep. Trio's clock stands still in suspend; the core's does not, so look again.
MAX_WAIT = 1.0
#: Rounds of sending in one flush: a failed send may make the core send again at once.
_ROUNDS = 3
#: Seconds in which every send has to fail until it is said: a firewall's reload takes less.
_FAILING = 3.0
#: Of a send buffer that is full, or one datagram that is too large; says nothing of the others.
_PASSING = frozenset({errno.EAGAIN, errno.ENOBUFS, errno.EMSGSIZE})
#: These are faults of this program, not of the network.
_OURS = frozenset({errno.EBADF, errno.ENOTSOCK, errno.EFAULT})

_log = logging.getLogger(__name__)

_HINTS = {
    errno.ENETUNREACH: "it has no route to any other member or seed",
    errno.EHOSTUNREACH: "it has no route to any other member or seed",
    errno.ENETDOWN: "the network interface is down",
    errno.EADDRNOTAVAIL: "the address that the agent is bound to is gone",
    errno.EPERM: "a firewall rule on this machine refuses it",
    errno.EACCES: "a firewall rule or a security policy on this machine refuses it",
}


class IoStats:
    """The socket's counters: integers that only grow."""

    __slots__ = ("events", "receive_errors", "send_errors", "turns", "watchers_dropped")

    def __init__(self) -> None:
        #: By name of the errno ("EPERM", "ENOBUFS", ...; "" where there is none).
        self.send_errors: dict[str, int] = {}
        self.receive_errors: dict[str, int] = {}
        #: Events told so far, by the name of their type ("MemberJoined").
        self.events: dict[str, int] = {}
        #: How long one turn took, with everything that waited received, timers run and answers
        #: sent: for so long nothing else in this Trio run had its turn.
        self.turns = Timing()
        self.watchers_dropped = 0

    def as_dict(self) -> dict[str, object]:
        """Everything as plain values, for JSON."""
        return {
            "send_errors": dict(sorted(self.send_errors.items())),
            "receive_errors": dict(sorted(self.receive_errors.items())),
            "events": dict(sorted(self.events.items())),
            "turns": self.turns.as_dict(),
            "watchers_dropped": self.watchers_dropped,
        }


class Driver:
    """Couples a node to a port and a clock. ``tell`` takes each event, in order."""

    def __init__(
        self,
        node: Node,
        port: Port,
        network: Network,
        tell: Callable[[Event], None],
        faults: Faults,
    ) -> None:
        self.node = node
        self.port = port
        self.now = network.now
        self.stats = IoStats()
        self._tell = tell
        self._faults = faults
        #: Core time since which every send failed; None: the last one did not.
        self._failing: float | None = None
        self._said_too_large = False
        #: Takes datagrams that are not gossip (``gossipmm.agent.dialback``).
        self.aside: Callable[[bytes, Address], None] = lambda _data, _source: None
        self._clocks = Clocks(network)
        self._wait: trio.CancelScope | None = None

    async def run(self) -> None:
        """Drive the node until cancelled. Raises only on programming errors."""
        while True:
            with trio.move_on_after(self._delay()) as self._wait:
                await self.port.wait_readable()
            self._wait = None
            began = self.now()
            if self._clocks.jumped():
                self.node.new_boot(began, self._clocks.wall_ms())
            # Also after a timeout: what waits in the socket is older than the timer, and may be
            # the very answer whose absence the timer is about.
            began = await self._receive(began)
            now = self.now()
            if self.node.next_timer() <= now:
                self.node.handle_timer(now)
            self.flush()
            self.stats.turns.add(self.now() - began)

    def flush(self) -> None:
        """Send, tell, and plan the next timer: after every call into the node."""
        node = self.node
        for _ in range(_ROUNDS):
            datagrams = node.datagrams_to_send()
            if not datagrams:
                break
            for data, address in datagrams:
                try:
                    self.port.send(data, address)
                except OSError as exc:
                    self._send_failed(exc, address, len(data))
                else:
                    if self._failing is not None:
                        self._failing = None
                        self._faults.clear("sends_fail", "datagrams leave this machine again")
        while (event := node.next_event()) is not None:
            self._tell(event)
        if self._wait is not None:
            self._wait.deadline = trio.current_time() + self._delay()

    def _delay(self) -> float:
        """Return the seconds until the next timer, or until the clocks are to be compared."""
        return min(max(0.0, self.node.next_timer() - self.now()), MAX_WAIT)

    async def _receive(self, now: float) -> float:
        """Take what waits; return since when no other task has had its turn."""
        port, node = self.port, self.node
        for _ in range(DRAIN):
            try:
                received = port.receive()
            except OSError as exc:
                _count(self.stats.receive_errors, exc)
                continue
            if received is None:
                break
            if received[0][:4] == MAGIC:
                self.aside(*received)
                continue
            node.receive_datagram(received[0], received[1], now)
            if (spent := self.now() - now) > SLICE:
                self.stats.turns.add(spent)
                await trio.lowlevel.checkpoint()
                now = self.now()
        return now

    def send_aside(self, data: bytes, address: Address) -> None:
        """Send what is not gossip; a failure is only counted."""
        try:
            self.port.send(data, address)
        except OSError as exc:
            _count(self.stats.send_errors, exc)

    def _send_failed(self, exc: OSError, address: Address, size: int) -> None:
        _count(self.stats.send_errors, exc)
        now = self.now()
        too_large = exc.errno == errno.EMSGSIZE
        self.node.send_failed(address, now, size if too_large else 0)
        if too_large and not self._said_too_large:
            self._said_too_large = True
            _log.warning(
                "a datagram of %d bytes to %s is larger than this machine's link carries and was "
                "not sent; what is told there goes in parts from now on, which costs a fifth more: "
                "raise the MTU there, or set max_datagram on all members",
                size,
                format_address(address),
            )
        if exc.errno in _PASSING:
            return
        if self._failing is None:
            self._failing = now
        elif now - self._failing >= _FAILING:
            why = f"{exc.strerror or exc} ({errno.errorcode.get(exc.errno or 0, 'no errno')})"
            what = _HINTS.get(exc.errno or 0, "look at its network")
            self._faults.set(
                "sends_fail", f"nothing that this node sends leaves this machine: {why}: {what}"
            )


def _count(counts: dict[str, int], exc: OSError) -> None:
    if exc.errno in _OURS:
        raise exc
    name = errno.errorcode.get(exc.errno or 0, "")
    counts[name] = counts.get(name, 0) + 1
