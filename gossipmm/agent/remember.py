"""Keeps the state file up to date, and lets no disk hold up the agent.

A write to a disk that hangs (a full queue, a network file system whose server is gone) cannot be
taken back, and may last for minutes. So it is waited for only for a moment; there is never more
than one, so that no old state replaces a newer one.
"""

from __future__ import annotations

import threading
from functools import partial

import trio

from gossipmm.agent import state
from gossipmm.agent.driver import Driver
from gossipmm.agent.faults import Faults
from gossipmm.config import Config
from gossipmm.core.values.types import Status

__all__ = ("Remember",)

#: Seconds between two checks whether the peers in the state file are still the right ones.
_INTERVAL = 60.0
#: Seconds that a write is waited for, at the start and at the end too. One to a healthy disk takes
#: milliseconds, one beside heavy writing up to a second.
_LIMIT = 2.0
_LIVE = frozenset({Status.ALIVE, Status.SUSPECT})


class Remember:
    """Saves at once for a generation, now and then for the peers."""

    def __init__(
        self, config: Config, driver: Driver, faults: Faults, memory: state.Memory
    ) -> None:
        self._node = driver.node
        self._identities = driver.node.identities
        self._signs = config.identity != "off"
        self._faults = faults
        self._path = config.state_file
        self._save = partial(state.save, self._path, name=config.name, cluster=config.cluster)
        # Peers of the last life, until there are others; the same of what identities need.
        self._saved = memory._replace(generation=0)
        self._changed = trio.Event()
        self._limiter = trio.CapacityLimiter(1)
        #: The write that is under way, perhaps for longer than anybody waits.
        self._writing: threading.Thread | None = None

    def changed(self) -> None:
        """Save soon."""
        self._changed.set()

    async def run(self) -> None:
        """Save whatever is new, for ever."""
        while True:
            with trio.move_on_after(_INTERVAL):
                await self._changed.wait()
            self._changed = trio.Event()
            await self.save()

    async def save(self) -> None:
        """Save if anything is new; return after two seconds at the latest."""
        live = [
            view.addresses
            for view in self._node.members()
            if view.name != self._node.name and view.status in _LIVE
        ]
        # The first of each before the second of any: which lead there is not known at a start.
        places = range(max(map(len, live), default=0))
        peers = [one[place] for place in places for one in live if place < len(one)]
        # With nobody left, the old peers are the ones to try after a restart.
        kept = tuple(peers[: state.MAX_PEERS]) or self._saved.peers
        memory = self._saved._replace(generation=self._node.generation, peers=kept)
        if self._signs:
            pins, revocations = self._identities.pins(), self._identities.revocations()
            memory = memory._replace(pins=pins, revocations=revocations)
        if memory == self._saved:
            return
        failure = await self._write(memory)
        if failure:
            self._faults.set(
                "state_file",
                f"state_file {self._path}: cannot be written: {failure}; it is tried again, and a "
                "restart until then does not know the peers of now",
            )
        else:
            self._saved = memory
            self._faults.clear("state_file", f"state_file {self._path}: written again")

    async def _write(self, memory: state.Memory) -> str:
        """Write in a thread; here, where none can be started (Python 3.12 at a program's exit)."""
        try:
            return await trio.to_thread.run_sync(self._limited, memory, limiter=self._limiter)
        except RuntimeError:
            return self._save(memory)

    def _limited(self, memory: state.Memory) -> str:
        """Write, and wait for that for a moment. The clock is the system's, as the disk is."""
        hangs = f"the disk has not answered for {_LIMIT:g} s"
        if self._writing is not None:
            self._writing.join(_LIMIT)
            if self._writing.is_alive():
                return hangs
        failures: list[str] = []
        self._writing = threading.Thread(
            target=lambda: failures.append(self._save(memory)), name="gossipmm-state", daemon=True
        )
        self._writing.start()
        self._writing.join(_LIMIT)
        return failures[0] if failures else hangs
