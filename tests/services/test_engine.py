"""Services in a running agent: what is registered, told and shown as their checks find it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import trio

from gossipmm.agent import open_agent
from gossipmm.config import Config
from gossipmm.config_services import Check
from gossipmm.core.values.events import ServiceChanged
from gossipmm.core.values.types import EntryState, HostState
from gossipmm.errors import RegistrationError
from gossipmm.services import engine
from gossipmm.services.health import Outcome
from tests.agent.memory_network import Air

GOOD = Outcome(passes=True)


@pytest.fixture
async def air():
    async with Air() as air:
        yield air


class World:
    """What the checks of a test find, by what they look at."""

    def __init__(self) -> None:
        self.found: dict[str, Outcome] = {}
        self.runs: Counter[str] = Counter()
        self.at: list[float] = []
        #: Seconds that a run takes.
        self.takes = 0.0

    async def run(self, check: Check) -> Outcome:
        self.runs[check.tcp] += 1
        self.at.append(trio.current_time())
        if self.takes:
            await trio.sleep(self.takes)
        return self.found.get(check.tcp, GOOD)


@pytest.fixture
def world(monkeypatch):
    found = World()
    monkeypatch.setattr(engine, "check_tcp", found.run)
    return found


def config(name: str, port: int, *services: dict[str, Any], **fields: Any) -> Config:
    join = ("127.0.0.1:1",) if port > 1 else ()
    bind = f"127.0.0.1:{port}"
    return Config(name=name, bind=bind, join=join, service=list(services), **fields)


def tcp(topic: str, at: str = "127.0.0.1:80", **fields: Any) -> dict[str, Any]:
    """Return a service with one check."""
    more = {name: fields.pop(name) for name in ("host", "port", "metadata") if name in fields}
    return {"topic": topic, "check": [{"tcp": at, **fields}], **more}


async def until(condition: Callable[[], bool], within: float = 60.0) -> None:
    with trio.fail_after(within):
        while not condition():
            await trio.sleep(0.05)


def state(agent: Any, topic: str, host: str) -> HostState | None:
    view = agent.topic(topic)
    entry = view.entries.get(host) if view is not None else None
    return entry.state if entry is not None else None


async def test_a_program_that_is_dead_is_in_no_pick(autojump_clock, air, world):
    """What a sidecar registered was live for as long as its agent, though the program was dead."""
    down = Outcome(passes=False, reason="connection refused by 127.0.0.1:80")
    web = tcp("web", port=80, metadata={"zone": "eu"})
    world.found["127.0.0.1:80"] = down
    async with (
        open_agent(config("a", 1, web), network=air.host()) as a,
        open_agent(config("b", 2, register=("web",)), network=air.host()) as b,
    ):
        events = a.watch("service_changed")
        await trio.sleep(30)
        assert (a.registrations(), a.services()[0].state) == ((), "starting")
        world.found.clear()
        await until(lambda: state(b, "web", "a") is HostState.LIVE)
        (own,) = a.registrations()
        assert own.metadata == {"port": 80, "zone": "eu"}
        await trio.sleep(60)
        world.found["127.0.0.1:80"] = down
        await until(lambda: state(b, "web", "a") is HostState.UNHEALTHY)
        assert b.topic("web").picks == b.topic("web").fanout == ("b",)
        assert a.services()[0].reason == down.reason
        await until(lambda: state(b, "web", "a") is None, within=700)
        assert (a.services()[0].state, a.registrations()) == ("removed", ())
        world.found.clear()
        await until(lambda: state(b, "web", "a") is HostState.LIVE, within=200)
        told = [(one.before, one.state, one.reason) for one in events.take()[0]]
        assert told == [
            ("starting", "up", ""),
            ("up", "unhealthy", down.reason),
            ("unhealthy", "removed", down.reason),
            ("removed", "up", ""),
        ]


async def test_what_has_no_checks_or_starts_up_is_listed_from_the_start(autojump_clock, air, world):
    world.found["127.0.0.1:80"] = Outcome(passes=False, reason="no")
    services = ({"topic": "plain"}, {**tcp("eager"), "start": "up"}, tcp("careful"))
    async with open_agent(config("a", 1, *services), network=air.host()) as a:
        assert [own.topic for own in a.registrations()] == ["plain", "eager"]
        await until(lambda: state(a, "eager", "a") is HostState.UNHEALTHY)
        assert state(a, "plain", "a") is HostState.LIVE


async def test_checks_run_each_interval_and_do_not_queue(autojump_clock, air, world):
    """A machine that slept for an hour would have run a thousand checks at once."""
    world.takes = 35.0
    slow = tcp("t", interval=40, timeout=39)
    async with open_agent(config("a", 1, slow), network=air.host()) as a:
        await trio.sleep(400)
        assert 8 <= world.runs["127.0.0.1:80"] <= 12
        gaps = [after - before for before, after in pairwise(world.at)]
        assert all(35.9 < gap < 80.1 for gap in gaps)
        assert len(set(gaps)) > 3  # they drift apart
        status = a.services()[0].checks[0]
        assert status.took == pytest.approx(35.0)


async def test_a_check_that_hangs_is_given_up_in_time(autojump_clock, air, world):
    world.takes = 1e6
    async with open_agent(config("a", 1, tcp("t")), network=air.host()) as a:
        await trio.sleep(60)
        assert a.services()[0].reason == "no answer within 2 s"
        assert a.extras.counts()[0]["tcp", "fail"] >= 5


async def test_a_check_that_cannot_even_begin_fails_and_ends_nothing(
    autojump_clock, air, monkeypatch
):
    """Without file descriptors left, the agent would have ended with the error of one check."""

    async def run(check: Check) -> Outcome:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(engine, "check_tcp", run)
    async with open_agent(config("a", 1, tcp("t")), network=air.host()) as a:
        await trio.sleep(30)
        reason = a.services()[0].reason
        assert reason == "cannot be checked: [Errno 24] Too many open files"


async def test_two_hundred_that_fail_together_are_one_change(autojump_clock, air, world):
    services = [tcp(f"t{number:03}", fall=1) for number in range(200)]
    async with open_agent(config("a", 1, *services), network=air.host()) as a:
        await until(lambda: len(a.registrations()) == 200)
        await trio.sleep(15)
        calls = []
        record = a.extras._record
        tell = record.healthy
        record.healthy = lambda found: (calls.append((a.now(), len(found))), tell(found))
        world.found["127.0.0.1:80"] = Outcome(passes=False, reason="no")
        await until(lambda: all(own.state.unhealthy for own in a.registrations()))
        assert sum(count for _, count in calls) == 200
        times = [at for at, _ in calls]
        gaps = [after - before for before, after in pairwise(times)]
        assert min(gaps) >= 1.0  # though they ran a hundred times in between
        assert len(calls) <= 14


async def test_a_thousand_checks_do_not_begin_in_one_moment(autojump_clock, air, world):
    services = [tcp(f"t{number}") for number in range(1000)]
    async with open_agent(config("a", 1, *services), network=air.host()):
        began = trio.current_time()
        await trio.sleep(12)
        first = Counter(int(at - began) for at in world.at if at - began < 10)
        assert len(first) == 10
        assert max(first.values()) < 300
        world.at.clear()
        await trio.sleep(10)
        # Then they wake the process up together: each tenth of a second, not a hundred times.
        assert 900 < len(world.at) < 1100
        assert len(set(world.at)) <= 102


# -- services that speak for themselves ---------------------------------------------------------


async def test_a_service_says_itself_that_it_works(autojump_clock, air):
    both = {"topic": "job", "host": "h", "check": [{"ttl": 15}, {"ttl": 60, "name": "disk"}]}
    async with open_agent(config("a", 1, both), network=air.host()) as a:
        assert a.check("pass", "job", "h")
        await until(lambda: state(a, "job", "h") is HostState.LIVE)
        await trio.sleep(10)
        assert a.check("pass", "job", "h")
        await trio.sleep(10)
        assert state(a, "job", "h") is HostState.LIVE
        assert a.check("fail", "job", "h", name="disk", output="full\x1b[2J\n" + "x" * 5000)
        await until(lambda: state(a, "job", "h") is HostState.UNHEALTHY, within=2)
        (status,) = a.services()
        assert status.reason == "disk: says that it fails"
        assert status.checks[1].output == "x" * 1024
        assert a.check("warn", "job", "h", output="nearly full")
        await until(lambda: state(a, "job", "h") is HostState.LIVE, within=15)
        assert a.services()[0].checks[1].reason == "warns"
        await until(lambda: state(a, "job", "h") is HostState.UNHEALTHY, within=30)
        assert a.services()[0].reason == "ttl: nothing was heard of it for 15 s"


async def test_what_is_no_such_service_is_said(autojump_clock, air, world):
    async with open_agent(config("a", 1, tcp("web")), network=air.host()) as a:
        assert not a.check("pass", "nothing")
        with pytest.raises(RegistrationError, match="service web of a has no check of kind ttl"):
            a.check("pass", "web")
        with pytest.raises(RegistrationError, match="result 'fine' is not one of pass, warn, fail"):
            a.check("fine", "web")


async def test_nobody_registers_or_ends_what_checks_decide_on(autojump_clock, air, world):
    """A program that registered its own name again would have hidden that its checks fail."""
    async with open_agent(config("a", 1, tcp("web")), network=air.host()) as a:
        for call in (a.register, a.unregister):
            with pytest.raises(RegistrationError, match="web of a is a service of the config"):
                call("web")
        a.register("web", "another")
        assert a.unregister("web", "another")


async def test_a_drain_outlasts_everything(autojump_clock, air, world):
    async with open_agent(config("a", 1, tcp("web", remove_after=30)), network=air.host()) as a:
        await until(lambda: len(a.registrations()) == 1)
        await trio.sleep(20)
        assert a.drain("web") == 1
        a.set_metadata({"v": 2}, "web")
        world.found["127.0.0.1:80"] = Outcome(passes=False, reason="no")
        await until(lambda: a.registrations()[0].state is EntryState.UNHEALTHY_DRAINING, within=60)
        await until(lambda: a.registrations() == (), within=100)
        world.found.clear()
        await until(lambda: len(a.registrations()) == 1, within=200)
        (own,) = a.registrations()
        assert (own.state, own.metadata) == (EntryState.DRAINING, {"v": 2})


async def test_what_cannot_be_registered_is_said_and_tried_again(autojump_clock, air, world):
    small = config("a", 1, tcp("web"), max_registrations=1, register=("one",))
    async with open_agent(small, network=air.host()) as a:
        await until(lambda: "max_registrations is 1" in a.services()[0].reason)
        assert a.unregister("one")
        await until(lambda: state(a, "web", "a") is HostState.LIVE)
        assert a.services()[0].reason == ""


async def test_checks_end_with_the_agent(autojump_clock, air, world):
    async with open_agent(config("a", 1, tcp("web")), network=air.host()) as a:
        await until(lambda: len(a.registrations()) == 1)
        await a.leave()
        before = sum(world.runs.values())
        world.found["127.0.0.1:80"] = Outcome(passes=False, reason="no")
        await trio.sleep(60)
        assert a.leaving
    assert sum(world.runs.values()) >= before
    ran = sum(world.runs.values())
    await trio.sleep(60)
    assert sum(world.runs.values()) == ran


# -- another configuration ----------------------------------------------------------------------


async def test_a_reload_adds_changes_and_ends_services(autojump_clock, air, world):
    async with open_agent(config("a", 1), network=air.host()) as a:

        def take(*services: dict[str, Any]) -> list[str]:
            return a.extras.set_services(config("a", 1, *services))

        assert take(tcp("web"), tcp("other")) == [
            "service: web of a added",
            "service: other of a added",
        ]
        await until(lambda: len(a.registrations()) == 2)
        await trio.sleep(20)
        world.found["127.0.0.1:81"] = Outcome(passes=False, reason="no")
        # It stays listed while its new check has not failed often enough.
        assert take(tcp("web", "127.0.0.1:81", port=81), tcp("third")) == [
            "service: other of a ended",
            "service: web of a changed",
            "service: third of a added",
        ]
        (own,) = a.registrations()
        assert (own.topic, own.metadata, own.state) == ("web", {"port": 81}, EntryState.UP)
        await until(lambda: state(a, "web", "a") is HostState.UNHEALTHY)
        assert take(tcp("web", "127.0.0.1:81", metadata={"v": 2})) == [
            "service: third of a ended",
            "service: web of a changed",
        ]
        (own,) = a.registrations()
        assert (own.metadata, own.state) == ({"v": 2}, EntryState.UNHEALTHY)
        assert take() == ["service: web of a ended"]
        assert (a.registrations(), a.services()) == ((), ())
        runs = sum(world.runs.values())
        await trio.sleep(60)
        assert sum(world.runs.values()) == runs


async def test_every_change_is_an_event_on_the_own_agent_alone(autojump_clock, air, world):
    async with (
        open_agent(config("a", 1, tcp("web")), network=air.host()) as a,
        open_agent(config("b", 2), network=air.host()) as b,
    ):
        own, other = a.watch(ServiceChanged), b.watch(ServiceChanged)
        await until(lambda: state(b, "web", "a") is HostState.LIVE)
        assert [one.state for one in own.take()[0]] == ["up"]
        assert other.take()[0] == []
