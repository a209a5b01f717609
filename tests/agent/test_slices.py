"""What one turn of the driver holds up: datagrams that cost much are taken a few at a time."""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from math import inf

import trio

from gossipmm.agent.driver import DRAIN, SLICE, Driver
from gossipmm.agent.faults import Faults

#: Seconds that one datagram costs here.
COST = 0.001


class Slow:
    """A node, a port and a network at once: each datagram takes its time, and none is answered."""

    def __init__(self, waiting: int) -> None:
        self.time = 0.0
        self.waiting = deque([(b"x" * 20, ("10.0.0.2", 1))] * waiting)
        #: Datagrams taken before each call of the timers.
        self.timers: list[int] = []
        self.taken = 0

    def now(self) -> float:
        return self.time

    def receive(self):
        return self.waiting.popleft() if self.waiting else None

    async def wait_readable(self) -> None:
        if not self.waiting:
            await trio.sleep_forever()
        await trio.lowlevel.checkpoint()

    def receive_datagram(self, data, source, now) -> None:
        self.taken += 1
        self.time += COST

    def next_timer(self) -> float:
        return inf if len(self.timers) > 3 else 0.0

    def handle_timer(self, now) -> None:
        self.timers.append(self.taken)

    def datagrams_to_send(self):
        return []

    def next_event(self):
        return None


async def test_others_have_their_turn_between_datagrams_that_cost_much(monkeypatch):
    """In a flood of page 0 a turn took 30 ms, a lookup over the control socket four of them."""
    slow = Slow(2 * DRAIN)
    monkeypatch.setattr("gossipmm.agent.driver.Clocks", lambda network: Still())
    driver = Driver(slow, slow, slow, lambda event: None, Faults())
    seen = [0]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(driver.run)
        while slow.taken < 2 * DRAIN:
            await trio.lowlevel.checkpoint()
            seen.append(slow.taken)
        nursery.cancel_scope.cancel()
    most = max(later - earlier for earlier, later in pairwise(seen))
    # Trio runs the tasks of one round in any order, so there may be two turns in between.
    assert most <= 2 * (SLICE / COST + 1)
    # Timers come after what waited, however many turns that took [P89].
    assert slow.timers[0] == DRAIN


class Still:
    """Clocks that agree."""

    def jumped(self) -> bool:
        return False
