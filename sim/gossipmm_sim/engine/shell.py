"""The shell around one simulated core; in production this is the Trio agent.

It hands bytes and time to the core, carries away its datagrams and events, and keeps one heap entry
for the core's next timer. An outdated entry does nothing.

A host can be paused (SIGSTOP: nothing runs, datagrams wait in the inbox up to its limit), blocked
(Lifeguard's anomaly: timers run, but every send and every receive waits), slow (each datagram and
timer takes ``service`` seconds of its one thread), cold (its process has started and does not run
its loop yet: datagrams wait), crashed and started again. Its own monotonic clock begins anywhere,
may drift and may jump forward; its wall clock may be stepped.
"""

from __future__ import annotations

from collections import deque
from heapq import heappush
from math import inf
from random import Random
from typing import TYPE_CHECKING, Any, Final, Protocol

from gossipmm.core.values.events import LeaveFinished
from gossipmm_sim.engine.network import HEADERS
from gossipmm_sim.engine.peer import Peer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gossipmm.config import Config
    from gossipmm.core.values.types import Address, Evidence, MemberView, OwnRegistration
    from gossipmm_sim.engine.world import World

__all__ = ("INBOX", "Core", "Shell")

#: Datagrams that wait while nobody reads: Linux' default of 212,992 bytes, 768 a small one.
INBOX: Final = 277

#: Heap entries for each datagram that was held back: the datagram, its answer, and their timers.
_SETS_OFF: Final = 4
#: Rounds of sending in one go: a failed send may make the core send again at once (as the agent's
#: driver does it).
_ROUNDS: Final = 3
#: A core that asks for an immediate timer this often is stuck in a loop.
_SPINS: Final = 10_000


class Core(Protocol):
    """What a host needs from ``gossipmm.core.node.Node`` (and from a fake one in tests)."""

    name: str
    generation: int
    heartbeat: int
    addresses: tuple[Address, ...]
    table: Any
    stats: Any
    event_stats: Any
    questions: Any

    def receive_datagram(self, data: bytes, source: Address, now: float) -> None:
        """Take a datagram; never raises on network bytes."""

    def handle_timer(self, now: float) -> None:
        """Do what is due."""

    def next_timer(self) -> float:
        """Say when ``handle_timer`` is wanted."""

    def datagrams_to_send(self) -> list[tuple[bytes, Address]]:
        """Drain what is to be sent."""

    def next_event(self) -> Any:
        """Drain one event, or None."""

    def join(self, addresses: Iterable[Address], now: float) -> None:
        """Take the current resolution of all seeds."""

    def register(self, topic: str, host: str, *args: Any, now: float, **kw: Any) -> None:
        """Register a host for a topic."""

    def unregister(self, topic: str, host: str, *, now: float) -> bool:
        """Take a registration back."""

    def drain(self, topic: str | None, host: str | None, *, draining: bool, now: float) -> int:
        """Mark as draining; how many changed."""

    def send_failed(self, address: Address, now: float, size: int = 0) -> None:
        """Hear that the shell could not send there."""

    def set_addresses(self, addresses: Iterable[Address], now: float) -> None:
        """Announce other addresses."""

    def registrations(self, now: float) -> tuple[OwnRegistration, ...]:
        """List what was registered with it, and when it ends."""

    def members(self) -> tuple[MemberView, ...]:
        """List all members, itself included."""

    def member(self, name: str) -> MemberView | None:
        """Look one up."""

    def why(self, name: str) -> tuple[Evidence, ...]:
        """Return a member's evidence trail."""


class Shell(Peer):
    """The part of a host that runs a core: time, datagrams, timers, events."""

    def __init__(
        self,
        cluster: World,
        label: str,
        index: int,
        address: Address,
        config: Config,
        node_name: str,
    ) -> None:
        self.cluster = cluster
        self.clock = cluster.clock
        self.label = label
        self.index = index
        self.address = address
        self.socket = None
        self.unsent = []
        self.config = config
        self.node_name = node_name
        self._core: Core
        self.up = False
        self.paused = False
        self.blocked = False
        #: Its process has started, but does not run its loop yet.
        self.cold = False
        self.service = 0.0
        #: When its sends and receives were last stuck (``block``, ``slow``).
        self.stuck_at = -inf
        #: Up, with nothing that makes a datagram wait.
        self.direct = False
        self.inbox_limit = INBOX
        self.boots = 0
        self.booted_at = 0.0
        self.last_generation = 0
        self.wall_offset = 0.0
        self.seeds: tuple[Address, ...] | None = None
        #: Chance that a send fails locally (EPERM and its like).
        self.send_errors = 0.0
        self.sent_datagrams = self.sent_bytes = 0
        self.received_datagrams = self.received_bytes = 0
        self.inbox_dropped = 0
        self.draw = cluster.streams(f"latency/{label}").random
        self.loss_draw = cluster.streams(f"loss/{label}").random
        self.trace = cluster.trace.delivery
        self.send = cluster.network.send
        self._shell: Random = cluster.streams(f"shell/{label}")
        self._inbox: deque[tuple[bytes, Address]] = deque()
        self._outbox: list[tuple[bytes, Address]] = []
        self._timer = inf
        self._fired_at = -1.0
        self._spins = 0
        self._serving = False
        self._timer_waits = False
        self._since = 0.0
        self._base = self._shell.random() * 1e5 if cluster.own_clocks else 0.0
        self._rate = 1.0

    # -- addresses ---------------------------------------------------------------------------

    def hears(self) -> tuple[Address, ...]:
        """Return all addresses at which datagrams come to it."""
        return (self.address,) if self.socket is None else self.socket.hears()

    def announced(self) -> tuple[Address, ...]:
        """Return what a process that starts now announces; nothing: it cannot bind."""
        return (self.address,) if self.socket is None else self.socket.announced()

    def reaches(self, target: Address) -> bool:
        """Return whether its socket has the family of that address."""
        if self.socket is not None:
            return self.socket.reaches(target)
        return (":" in target[0]) == (":" in self.address[0])

    def source(self, target: Address) -> Address | str:
        """Return the address that a datagram leaves from, or the errno with which it does not."""
        if self.socket is not None:
            return self.socket.source(target)
        return self.address if self.reaches(target) else "EAFNOSUPPORT"

    # -- time ------------------------------------------------------------------------------

    def core_time(self) -> float:
        """Now, on this host's own monotonic clock (seconds)."""
        return self._base + (self.clock.now - self._since) * self._rate

    def sim_time(self, core: float) -> float:
        """Virtual time at which this host's clock shows ``core``."""
        return self._since + (core - self._base) / self._rate

    def wall_ms(self) -> int:
        """Milliseconds of this host's wall clock; the run begins at 2026-01-01 UTC."""
        return int((1_767_225_600 + self.clock.now + self.wall_offset) * 1000)

    def change_clock(
        self, *, rate: float | None = None, jump: float = 0.0, wall: float = 0.0
    ) -> None:
        """Let the monotonic clock drift (``rate`` 1.01: 1 % fast) or jump forward by seconds.

        ``wall``: seconds by which the wall clock is stepped, back if negative; it names lives.
        """
        if jump < 0:
            raise ValueError(f"a monotonic clock does not jump back ({jump} s)")
        self.wall_offset += wall
        self._base = self.core_time() + jump
        self._since = self.clock.now
        self._rate = rate if rate is not None else self._rate
        if self.up:
            self._timer = inf
            self._plan()

    # -- what the network and the heap call --------------------------------------------------

    def deliver(self, data: bytes, source: Address) -> None:
        """Take a datagram: at once, or into the inbox when the host is not reading."""
        if not self.direct:
            return self._queue(data, source)
        self.received_datagrams += 1
        self.received_bytes += len(data) + HEADERS
        now = self.clock.now
        self.trace(now, self.index, data)
        core = self._core
        core.receive_datagram(data, source, self._base + (now - self._since) * self._rate)
        self.pump()
        return None

    def pump(self) -> None:
        """Carry away the core's datagrams and events, and plan its next timer."""
        core = self._core
        if out := core.datagrams_to_send():
            if self.blocked or self.send_errors:
                self._send_late(out)
            else:
                self.send(self, out)
            if self.unsent:
                self._tell_unsent()
        while (event := core.next_event()) is not None:
            self.cluster.on_event(self, event)
            if type(event) is LeaveFinished:
                self.clock.at(self.clock.now, self.left, self.boots)
        due = core.next_timer()
        if due < self._timer:
            self._timer = due
            clock = self.clock
            when = self._since + (due - self._base) / self._rate
            if when < clock.now:
                when = clock.now
            heappush(clock.heap, (when, clock.order(), self._fire, due, None))

    def _tell_unsent(self) -> None:
        """Tell the core what could not be sent, and send what it then wants sent instead."""
        core = self._core
        for left in range(_ROUNDS, 0, -1):
            failed, self.unsent = self.unsent, []
            for address, size in failed:
                core.send_failed(address, self.core_time(), size)
            if left == 1 or not failed or not (out := core.datagrams_to_send()):
                return
            if self.blocked or self.send_errors:
                self._send_late(out)
            else:
                self.send(self, out)

    def _plan(self) -> None:
        self._timer = self._core.next_timer()
        self.clock.at(self.sim_time(self._timer), self._fire, self._timer)

    def _fire(self, due: float, _: object) -> None:
        """Run the core's timer, unless this entry is outdated."""
        if due != self._timer or not self.up or self.paused or self.cold:
            return None
        core = self._core
        # Rounding may wake it just before the deadline; the deadline itself is then the time.
        now = self._base + (self.clock.now - self._since) * self._rate
        if now < due:
            if due - now > 1e-6:
                return self._plan()
            now = due
        wanted = core.next_timer()
        if wanted > now:  # cancelled meanwhile, like most timers that wait for an answer
            self._timer = wanted
            self.clock.at(self.sim_time(wanted), self._fire, wanted)
            return None
        if self.service and self._serve_timer():
            return None
        self._timer = inf
        self._check_spin()
        core.handle_timer(now)
        self.pump()
        return None

    def _check_spin(self) -> None:
        if self.clock.now != self._fired_at:
            self._fired_at = self.clock.now
            self._spins = 0
            return
        self._spins += 1
        if self._spins > _SPINS:
            raise RuntimeError(
                f"{self.label}: next_timer() stays in the past after {_SPINS} calls of"
                f" handle_timer() at {self.clock.now} s"
            )

    # -- not reading, not sending ------------------------------------------------------------

    def _queue(self, data: bytes, source: Address) -> None:
        if not self.up:
            return self.cluster.network.drop("host down")
        if len(self._inbox) >= self.inbox_limit:
            self.inbox_dropped += 1
            return self.cluster.network.drop("inbox full")
        self._inbox.append((data, source))
        self._begin_to_serve()
        return None

    def _begin_to_serve(self) -> None:
        """Let the one thread of a slow host work off its inbox, if it does not do so already."""
        if self._inbox and self.service and not self._serving and not self._stuck():
            self._serving = True
            self.clock.at(self.clock.now + self.service, self._serve, self.boots)

    def _serve(self, boots: int, _: object) -> None:
        """Work off one datagram, and a timer that came due meanwhile; one thread does both."""
        self._serving = False
        if boots != self.boots or not self.up or self._stuck():
            return
        if self._inbox:
            self._take(*self._inbox.popleft())
        if self._timer_waits and self.up:
            self._timer_waits = False
            self._timer = inf
            self._core.handle_timer(self.core_time())
            self.pump()
        if self._inbox and self.up:
            self._serving = True
            self.clock.at(self.clock.now + self.service, self._serve, boots)

    def _serve_timer(self) -> bool:
        """Return whether the thread is busy; if so, the timer is served after the datagram."""
        self._timer_waits = self._serving
        return self._serving

    def _take(self, data: bytes, source: Address) -> None:
        self.received_datagrams += 1
        self.received_bytes += len(data) + HEADERS
        self.trace(self.clock.now, self.index, data)
        self._core.receive_datagram(data, source, self.core_time())
        self.pump()

    def _send_late(self, out: list[tuple[bytes, Address]]) -> None:
        if self.blocked:
            self._outbox.extend(out)
            return
        stream = self.cluster.network.stream("socket", self)
        for data, address in out:
            if stream.random() < self.send_errors:
                self.unsent.append((address, 0))
            else:
                self.send(self, [(data, address)])

    def mode(self) -> None:
        """Recompute what depends on up, paused, blocked, cold and service."""
        self.direct = self.up and not (self._stuck() or self.service)

    def _stuck(self) -> bool:
        return self.paused or self.blocked or self.cold

    def warm_up(self, boots: int, _: object = None) -> None:
        """Let a process that has started run its loop: it reads first, then serves its timers."""
        if boots != self.boots or not self.up:
            return
        self.cold = False
        self.mode()
        if not self.blocked:
            held, self._outbox = self._outbox, []
            self.send(self, held)
        while self._inbox and self.direct:
            self._take(*self._inbox.popleft())
        if self.up and not self._stuck():
            self._plan()
            self._begin_to_serve()

    def slow(self, service: float) -> None:
        """Make each datagram and timer take so many seconds of the one thread; 0 ends it."""
        self.service = service
        self.stuck_at = self.clock.now
        self.mode()
        while not service and self._inbox and self.direct:
            self._take(*self._inbox.popleft())

    def pause(self) -> None:
        """Stop the process (SIGSTOP): no timer, no receive, until ``resume``."""
        self.paused = True
        self.mode()

    def block(self) -> None:
        """Hold every send and receive until ``resume``; timers run (Lifeguard, section V.B)."""
        self.blocked = True
        self.mode()

    def resume(self) -> None:
        """End a pause or a block. The order of the waiting work is random."""
        if not (self.paused or self.blocked):
            return
        was_paused = self.paused
        if self.blocked:
            self.stuck_at = self.clock.now
        self.paused = self.blocked = False
        self.mode()
        if not self.up or self.cold:
            return
        held, self._outbox = self._outbox, []
        self.clock.held += _SETS_OFF * len(held)
        self.send(self, held)
        if self.unsent:
            self._tell_unsent()
        if was_paused and self._shell.random() < 0.5:
            self._plan()
            self._fire(self._timer, None)
        while self._inbox and self.up:
            self._take(*self._inbox.popleft())
        if self.up:
            self._plan()

    def left(self, boots: int, _: object) -> None:
        """End the process: its graceful leave has finished (``Host`` says how)."""
        raise NotImplementedError
