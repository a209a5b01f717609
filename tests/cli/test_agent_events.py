"""What an agent prints of its events, and that no number of them ends it.

A page of 140 registrations and 128 newer versions of page 0 that alternated between UP and
DRAINING, 106 kB in 5 ms, once made more events than the buffer holds, and ended ``gossipmm agent``.
"""

import re
from pathlib import Path

import pytest
import trio
import trio.testing

import gossipmm
from gossipmm.agent.driver import IoStats
from gossipmm.agent.watch import Wanted, Watchers
from gossipmm.cli import agent as command
from gossipmm.core.values.events import MemberJoined


class Printed:
    """Stands for the output of a command."""

    broken = False

    def __init__(self):
        self.answers, self.lines = [], []
        self.answer = self.answers.append
        self.log = self.lines.append


class Told:
    """Stands for an agent whose events are told by the test."""

    name, leaving = "a", False

    def __init__(self):
        self.watchers = Watchers(IoStats())

    def watch(self, buffer):
        return self.watchers.open(Wanted(), buffer)

    def tell(self, *names):
        for name in names:
            self.watchers.tell(MemberJoined(0.0, name, 0, ()))


async def test_more_events_than_fit_are_said_and_end_nothing(monkeypatch):
    monkeypatch.setattr(command, "_BUFFER", 10)
    agent, output, stop = Told(), Printed(), trio.Event()
    watch = agent.watch(10)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(command._tell, watch, agent, output, True, stop)
        await trio.testing.wait_all_tasks_blocked()
        for burst in range(3):
            agent.tell(*(f"m{burst}-{n}" for n in range(50)))
            await trio.testing.wait_all_tasks_blocked()
        assert output.lines == ["more than 10 events at once: some were not printed"] * 3
        printed = len(output.answers)
        agent.tell("later")
        await trio.testing.wait_all_tasks_blocked()
        assert len(output.answers) == printed + 1
        assert '"later"' in output.answers[-1]
        agent.watchers.end()
    assert not stop.is_set()


@pytest.mark.parametrize("room", ["cli", "embed", "sidecar", "matchmaker"])
def test_no_reader_of_events_can_end_its_agent(room):
    """Whoever watches an agent from within its process has an answer to a burst of events."""
    root = Path(gossipmm.__file__).parent
    for file in (root / room).rglob("*.py"):
        text = file.read_text("utf-8")
        if re.search(r"\bagent\.watch\(", text) and "watch.take()" not in text:
            assert "except WatchOverflowError" in text, file
