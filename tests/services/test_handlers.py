"""Programs that run when something happens: which events they are told, when, and how many run."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
import trio

from gossipmm.agent import open_agent
from gossipmm.config import Config
from gossipmm.errors import ConfigError
from gossipmm.services import programs
from gossipmm.services.programs import Ended
from tests.agent.memory_network import Air

FINE = Ended(0)


@pytest.fixture
async def air():
    async with Air() as air:
        yield air


class Runs:
    """What was run: (seconds since the start, program, what it read, its environment)."""

    def __init__(self) -> None:
        self.began = trio.current_time()
        self.all: list[tuple[float, str, dict[str, Any], dict[str, str]]] = []
        self.ends = FINE
        self.takes = 0.0
        self.at_once = self.most = 0

    async def run(self, argv: Any, *, within: float, stdin: bytes, env: dict[str, str]) -> Ended:
        at = trio.current_time() - self.began
        self.all.append((round(at, 3), argv[0], json.loads(stdin), env))
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await trio.sleep(self.takes)
        finally:
            self.at_once -= 1
        return self.ends

    def told(self) -> list[list[str]]:
        """Return the events of each run, as kind and topic or name."""
        return [
            [f"{one['event']} {one.get('topic', one.get('name'))}" for one in read["events"]]
            for _, _, read, _ in self.all
        ]


@pytest.fixture
async def runs(monkeypatch):
    found = Runs()
    monkeypatch.setattr(programs, "run", found.run)
    return found


def config(*on: dict[str, Any], name: str = "a", port: int = 1, **fields: Any) -> Config:
    join = ("127.0.0.1:1",) if port > 1 else ()
    tables = [{"run": ["/bin/true"], **one} for one in on]
    return Config(name=name, bind=f"127.0.0.1:{port}", join=join, on=tables, **fields)


async def test_a_burst_is_one_run_that_reads_what_happened(autojump_clock, runs, air):
    """A rack that came back would have reloaded the proxy forty times."""
    on = {"event": ["host_changed"], "quiet": 1.0, "within": 5.0}
    async with open_agent(config(on), network=air.host()) as a:
        for number in range(10):
            a.register(f"t{number}")
            await trio.sleep(0.3)
        await trio.sleep(10)
    (first,) = runs.all
    assert first[0] == pytest.approx(2.7 + 1.0, abs=0.1)  # after a second of silence
    read, env = first[2], first[3]
    assert (read["node"], read["dropped"], len(read["events"])) == ("a", 0, 10)
    one = read["events"][0]
    assert (one["event"], one["topic"], one["state"], one["text"]) == (
        *("host_changed", "t0", "live"),
        "topic t0: a is live",
    )
    assert one["time"] > 1.7e9  # of the wall, as GET /v1/watch has it
    assert (env["GOSSIPMM_NODE"], env["GOSSIPMM_COUNT"]) == ("a", "10")


async def test_what_goes_on_and_on_is_told_within_bounds(autojump_clock, runs, air):
    on = {"event": "host_changed", "quiet": 1.0, "within": 5.0}
    async with open_agent(config(on), network=air.host()) as a:
        for number in range(700):
            a.register(f"t{number}")
            await trio.sleep(0.01)
        times = [at for at, *_ in runs.all]
        assert times == [pytest.approx(5.0, abs=0.1)]
        read = runs.all[0][2]
        assert (len(read["events"]), read["dropped"]) == (256, pytest.approx(244, abs=10))


async def test_very_long_events_are_cut_to_what_a_program_reads(autojump_clock, runs, air):
    async with open_agent(config({"event": "host_changed"}), network=air.host()) as a:
        for number in range(256):
            a.register("t" * 500, f"{number:03}" + "h" * 250)
        await trio.sleep(10)
        read = runs.all[0][2]
        assert len(read["events"]) + read["dropped"] == 256
        assert len(json.dumps(read)) < 262_144 + 10_000
        assert read["dropped"] > 0


FILTERS = [
    ({"event": ["host_*"]}, ["host_changed web", "host_changed db"]),
    ({"event": ["host_changed"], "topic": ["w*"]}, ["host_changed web"]),
    ({"event": "host_changed", "topic": "none"}, []),
    ({"event": ["host_changed"], "state": ["gone"]}, []),
    (
        {"event": ["host_changed"], "state": ["live", "gone"]},
        ["host_changed web", "host_changed db"],
    ),
    ({"member": ["b*"], "event": "member_joined"}, ["member_joined b"]),
    ({"member": ["c"], "event": "member_joined"}, []),
]


@pytest.mark.parametrize(("on", "told"), FILTERS)
async def test_only_what_was_asked_for_is_told(autojump_clock, runs, air, on, told):
    async with open_agent(config(on), network=air.host()) as a:
        a.register("web")
        a.register("db")
        async with open_agent(config(name="b", port=2), network=air.host()):
            await trio.sleep(10)
            assert [event for events in runs.told() for event in events] == told


async def test_a_handler_is_told_user_events_by_their_names(autojump_clock, runs, air):
    """With any payload: as base64, and as text where it is some."""
    on = {"user_event": ["deploy*"], "quiet": 0.0, "run": ["/on/deploy"]}
    async with open_agent(config(on), network=air.host()) as agent:
        agent.send_event("deploy-web", b"v1.2")
        agent.send_event("other", b"x")
        agent.register("deploy", "h")
        await trio.sleep(1)
    ((_, program, read, _),) = runs.all
    (event,) = read["events"]
    assert (program, event["event"], event["event_name"]) == (
        "/on/deploy",
        "user_event",
        "deploy-web",
    )
    assert (event["payload"], event["payload_text"]) == ("djEuMg==", "v1.2")


async def test_a_handler_runs_once_at_a_time_and_few_at_once(autojump_clock, runs, air):
    """A handler that hangs would have stopped the others, or been started again and again."""
    runs.takes = 20.0
    handlers = [{"event": "host_changed", "name": str(number)} for number in range(8)]
    async with open_agent(config(*handlers), network=air.host()) as a:
        a.register("first")
        await trio.sleep(5)
        for number in range(30):
            a.register(f"t{number}")
            await trio.sleep(1)
        await trio.sleep(100)
        assert runs.most == 4
        assert len(runs.all) < 40
        assert sum(len(events) for events in runs.told()) == 8 * 31  # each told each of them once


@pytest.mark.parametrize(
    "end",
    [
        (FINE, "ok", ""),
        (Ended(3, b"no proxy here\n"), "failed", "exit status 3: no proxy here"),
        (Ended(-9, late=True), "timeout", "was killed: it took too long"),
        (Ended(None, trouble="/bin/true: No such file"), "failed", "cannot be run: /bin/true: No"),
    ],
)
async def test_how_a_run_ended_is_counted_and_said(autojump_clock, runs, caplog, air, end):
    runs.ends, result, words = end
    caplog.set_level(logging.WARNING, "gossipmm")
    async with open_agent(config({"event": "host_changed"}), network=air.host()) as a:
        a.register("web")
        await trio.sleep(5)
        assert dict(a.extras.handler_counts()) == {result: 1}
    assert words in caplog.text
    assert ("handler true failed: " in caplog.text) is bool(words)


async def test_a_run_that_failed_is_tried_again_if_asked_to(autojump_clock, runs, air):
    runs.ends = Ended(1)
    on = {"event": "host_changed", "retry": 3}
    async with open_agent(config(on), network=air.host()) as a:
        a.register("web")
        await trio.sleep(60)
        assert [at for at, *_ in runs.all] == [
            pytest.approx(1.0 + wait, abs=0.1) for wait in (0, 1, 3, 7)
        ]
        assert runs.told() == [["host_changed web"]] * 4
        assert a.extras.handler_counts()["failed"] == 4


async def test_a_reload_adds_and_ends_handlers(autojump_clock, runs, air):
    web = {"event": "host_changed", "topic": "web"}
    other = {"event": "host_changed", "name": "other"}
    async with open_agent(config(), network=air.host()) as a:
        assert a.extras.set_handlers(config(web)) == ["on: true added"]
        a.register("web")
        await trio.sleep(5)
        assert runs.told() == [["host_changed web"]]
        assert a.extras.set_handlers(config(web, other)) == ["on: other added"]
        a.register("db")
        await trio.sleep(5)
        assert runs.told()[1:] == [["host_changed db"]]
        assert a.extras.set_handlers(config()) == ["on: true ended", "on: other ended"]
        a.register("more")
        await trio.sleep(5)
        assert len(runs.all) == 2


@pytest.mark.parametrize(
    ("on", "message"),
    [
        (
            {"event": ["host_chnged"]},
            "on[0].event: 'host_chnged' is not among the events there are; did",
        ),
        ({"state": ["aliv"]}, "on[0].state: 'aliv' is not among the states there are"),
    ],
)
async def test_events_and_states_that_there_are_not_are_refused(air, autojump_clock, on, message):
    """A misspelt event would have been waited for, for ever."""
    with pytest.raises(ConfigError) as caught:
        async with open_agent(config(on), network=air.host()):
            pass
    assert message in str(caught.value)
