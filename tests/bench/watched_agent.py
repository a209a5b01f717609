"""A real agent that looks ten times a second at how its neighbours are listed (``hostile_agent``).

    python -m tests.bench.watched_agent '{"name": "n00", "bind": "127.0.0.1:0", ...}'

It prints one line of JSON when it is there and one for each line that it reads: ``members`` tells
whom it lists, ``watch {...}`` has it look from now on (names, addresses and generations of who is
healthy), ``killed NAME`` has it see how long that one is still listed, ``tell`` ends the watch.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import AsyncExitStack
from typing import Any

import trio

import gossipmm
from gossipmm.config import Config
from gossipmm.core.values.types import Status

#: Seconds between two looks, and for how long something may be wrong without being counted.
EVERY, LONG = 0.1, 2.0
TOPIC = "compute"
_LISTED = (Status.ALIVE, Status.SUSPECT)


class Watcher:
    """For how long each healthy neighbour was listed otherwise than it is."""

    def __init__(self) -> None:
        #: Name -> [address, generation].
        self.truth: dict[str, list[Any]] = {}
        self.killed = ""
        self._killed_at = self.gone_after = 0.0
        self.deaths: list[str] = []
        self._since: dict[tuple[str, str], float] = {}
        #: What was wrong of whom -> seconds, at most.
        self.longest: dict[tuple[str, str], float] = {}

    def begin(self, truth: dict[str, list[Any]]) -> None:
        """Forget what was seen, and look from now on."""
        self.truth = truth
        self.deaths.clear()
        self._since.clear()
        self.longest.clear()

    def kill(self, name: str, now: float) -> None:
        """Begin to measure how long one that has ended is listed."""
        self.truth.pop(name, None)
        self.killed, self._killed_at = name, now

    def died(self, name: str) -> None:
        """Note that this agent declared a member dead."""
        if name in self.truth:
            self.deaths.append(name)

    def look(self, agent: Any, now: float) -> None:
        """Look once."""
        topic = agent.topic(TOPIC)
        listed = topic.fanout if topic is not None else ()
        for name, (address, generation) in self.truth.items():
            view = agent.member(name)
            there = view is not None and view.status in _LISTED
            self._note("lost", name, now, wrong=not there)
            self._note("without registrations", name, now, wrong=name not in listed)
            if view is not None:
                at = f"{view.addresses[0][0]}:{view.addresses[0][1]}"
                self._note("moved", name, now, wrong=at != address)
                self._note("another life", name, now, wrong=view.generation != generation)
        if self.killed and self.killed in listed:
            self.gone_after = now - self._killed_at

    def _note(self, what: str, name: str, now: float, *, wrong: bool) -> None:
        if not wrong:
            self._since.pop((what, name), None)
            return
        since = self._since.setdefault((what, name), now)
        self.longest[what, name] = max(self.longest.get((what, name), 0.0), now - since)

    def told(self) -> dict[str, Any]:
        """Return what was wrong for more than two seconds, of whom and for how long."""
        wrong: dict[str, dict[str, float]] = {}
        for (what, name), seconds in self.longest.items():
            if seconds > LONG:
                wrong.setdefault(what, {})[name] = round(seconds, 1)
        return {"deaths": self.deaths, "wrong": wrong, "gone_after": round(self.gone_after, 1)}


async def main() -> None:
    """Run the agent that the first argument describes, until its input ends."""
    config = Config(**json.loads(sys.argv[1]))
    async with AsyncExitStack() as stack:
        agent = await stack.enter_async_context(gossipmm.open_agent(config))
        nursery = await stack.enter_async_context(trio.open_nursery())
        watcher = Watcher()

        async def look() -> None:
            while True:
                watcher.look(agent, time.monotonic())
                await trio.sleep(EVERY)

        async def hear() -> None:
            with agent.watch("member_died", buffer=65_536) as died:
                async for event in died:
                    watcher.died(event.name)

        nursery.start_soon(look)
        nursery.start_soon(hear)
        host, port = agent.addresses[0]
        _tell({"bound": f"{host}:{port}", "generation": agent.generation})
        async for line in _lines():
            command, _, given = line.partition(" ")
            if command == "watch":
                truth = json.loads(given)
                truth.pop(agent.name, None)
                watcher.begin(truth)
            elif command == "killed":
                watcher.kill(given, time.monotonic())
            stats = agent.stats
            _tell(
                {
                    "at": time.monotonic(),
                    "cpu": time.process_time(),
                    "sent_bytes": stats.sent_bytes + 28 * stats.sent_datagrams,
                    "generation": agent.generation,
                    "members": {
                        view.name: view.status.label
                        for view in agent.members()
                        if view.status in _LISTED
                    },
                    "registered": len(topic.fanout) if (topic := agent.topic(TOPIC)) else 0,
                    **watcher.told(),
                }
            )
        nursery.cancel_scope.cancel()


async def _lines() -> Any:
    async with trio.wrap_file(sys.stdin) as lines:
        async for line in lines:
            yield line.strip()


def _tell(what: dict[str, Any]) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    trio.run(main)
