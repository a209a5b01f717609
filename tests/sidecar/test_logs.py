"""Logs: names that stay, lines that nobody can forge, a library that is silent by itself."""

import dataclasses
import json
import logging
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from types import SimpleNamespace
from typing import get_args

import pytest
import trio

from gossipmm.agent import open_agent
from gossipmm.cli import agent as command
from gossipmm.config import Config
from gossipmm.core.values import events
from gossipmm.core.values.renewal import RenewalReason
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import HostState, PathFault, Refusal
from gossipmm.embed.troubles import log_troubles
from gossipmm.errors import AgentClosedError, ConfigError, WatchOverflowError
from gossipmm.sidecar.ops import logs
from tests.agent.memory_network import Air
from tests.processes.program import programs, until
from tests.sidecar.helpers import agents, config

#: What queries and alerts lean on: names may be added, never changed.
FIELDS = {
    "member_joined": "name generation addresses",
    "member_restarted": "name generation previous addresses",
    "member_suspected": "name accuser heartbeat",
    "member_refuted": "name reporter heartbeat",
    "member_died": "name generation heartbeat accusers",
    "member_returned": "name generation returns probation",
    "member_crash_looping": "name generation lives window probation",
    "probation_ended": "name",
    "member_left": "name generation",
    "member_reaped": "name generation",
    "address_changed": "name previous addresses",
    "source_differs": "name source addresses active",
    "path_trouble": "name fault active addresses carries loses",
    "name_conflict": "name ours older newer",
    "generation_renewed": "generation previous reason",
    "host_changed": "topic host state previous",
    "registration_expired": "topic host",
    "joined": "members",
    "isolated": "active vanished",
    "self_slow": "late",
    "self_impaired": "impaired lost",
    "member_impaired": "name",
    "leave_finished": "confirmed told",
    "foreign_traffic": "source reason kid",
    "keys_changed": "sending held retired",
    "key_wanted": "kid",
    "key_rotation": "phase kid replaces out_of_band missing",
    "user_event": "name event_name payload payload_text topic number age replayed",
    "user_events_lost": "name first lost",
    "user_events_refused": "name reason",
    "drain_asked": "name topic host draining changed refused",
}
A = ("10.0.0.1", 7946)
VALUES = {
    "NodeId": "b",
    "Generation": 1 << 58,
    "Heartbeat": 7,
    "Topic": "compute",
    "HostState | None": HostState.LIVE,
    "tuple[Address, ...]": (A, A),
    "tuple[NodeId, ...]": ("c", "d"),
    "tuple[str, ...]": ("01", "02"),
    "Address": A,
    "str": "words",
    "bytes": b"v1.2",
    "Drop": Drop.UNKNOWN_KEY,
    "PathFault": PathFault.NO_PATH,
    "Refusal": Refusal.AHEAD,
    "RenewalReason": RenewalReason.CLOSED,
    "int": 3,
    "float": 1.5,
    "bool": True,
}


def example(kind):
    fields = {field.name: VALUES[field.type] for field in dataclasses.fields(kind)}
    if "phase" in fields:
        fields["phase"] = "add"
    return kind(**fields)


@contextmanager
def logged(style="json", level=logging.DEBUG):
    """Collect the lines that the library's loggers write."""
    lines = []
    log = logging.getLogger("gossipmm")
    before, propagate = log.level, log.propagate
    handler = logs.handler(lines.append, style)
    log.addHandler(handler)
    log.setLevel(level)
    log.propagate = False
    try:
        yield lines
    finally:
        log.removeHandler(handler)
        log.setLevel(before)
        log.propagate = propagate


@pytest.fixture
async def air():
    async with Air() as air:
        yield air


def test_every_event_keeps_the_names_of_its_fields():
    found = {}
    for kind in get_args(events.Event):
        with logged() as lines:
            logs.log_event(example(kind), "me")
        (line,) = map(json.loads, lines)
        always = {"time", "level", "logger", "message", "node", "event"}
        assert always <= line.keys()
        assert line["node"] == "me"
        assert line["logger"] == "gossipmm.events"
        assert line["message"]
        found[line["event"]] = set(line) - always
    known = {name: set(fields.split()) for name, fields in FIELDS.items()}
    assert found.keys() >= known.keys()
    for name, fields in known.items():
        assert found[name] >= fields, name


def test_values_are_those_of_the_control_api():
    with logged() as lines:
        logs.log_event(example(events.MemberJoined), "me")
        logs.log_event(example(events.HostChanged), "me")
        logs.log_event(example(events.AddressChanged), "me")
    joined, changed, moved = map(json.loads, lines)
    assert joined["generation"] == str(1 << 58)  # JavaScript would round it
    assert joined["addresses"] == ["10.0.0.1:7946", "10.0.0.1:7946"]
    assert changed["state"] == "live"
    assert moved["previous"] == ["10.0.0.1:7946", "10.0.0.1:7946"]


def test_how_loud_each_event_is():
    def level(event):
        with logged() as lines:
            logs.log_event(event, "me")
        return json.loads(lines[0])["level"]

    assert level(example(events.MemberDied)) == "warning"
    assert level(example(events.NameConflict)) == "error"
    assert level(example(events.MemberJoined)) == "info"
    assert level(example(events.HostChanged)) == "info"
    # A service that began to work was a warning, though nothing had been wrong with it.
    service = example(events.ServiceChanged)
    assert level(dataclasses.replace(service, state="up", before="starting")) == "info"
    assert level(dataclasses.replace(service, state="up", before="unhealthy")) == "warning"
    assert level(dataclasses.replace(service, state="unhealthy", before="up")) == "warning"
    with logged(level=logging.WARNING) as lines:
        logs.log_event(example(events.HostChanged), "me")
    assert lines == []


def test_a_line_is_one_line_whatever_is_in_it():
    record = logging.makeLogRecord(
        {"name": "gossipmm.x", "levelname": "INFO", "levelno": 20, "msg": "seed %s"}
    )
    record.created = 0.25
    record.args = ("a\nERROR forged\x1b[31m\u202e\u2028b",)
    text = logs.formatter("text").format(record)
    shown = "seed a\\nERROR forged\\x1b[31m\\u202e\\u2028b"
    assert text == f"1970-01-01T00:00:00.250Z  {shown}"
    assert re.fullmatch(r"\d\d:\d\d:00\.250", logs.TextFormatter().format(record)[:12])
    line = logs.JsonFormatter().format(record)
    assert line.isascii()
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "1970-01-01T00:00:00.250Z",
        "level": "info",
        "logger": "gossipmm.x",
        "message": record.getMessage(),
    }


def test_an_exception_comes_with_its_traceback():
    log = logging.getLogger("gossipmm.test")
    for style in logs.STYLES:
        with logged(style) as lines:
            try:
                raise ValueError("wrong\nlines")
            except ValueError:
                log.exception("it failed")
        if style == "json":
            assert "ValueError: wrong\nlines" in json.loads(lines[0])["exception"]
        else:
            assert lines[0].splitlines()[0].endswith("  error: it failed")
            assert "ValueError: wrong" in lines[0]


def test_what_json_does_not_know_is_written_as_text():
    record = logging.makeLogRecord({"msg": "m", "levelname": "INFO", logs.FIELDS: {"x": {1, 2}}})
    assert json.loads(logs.JsonFormatter().format(record))["x"] == "{1, 2}"


def test_a_writer_that_fails_does_not_fail_the_agent(monkeypatch):
    monkeypatch.setattr(logging, "raiseExceptions", False)
    handler = logs.handler(lambda line: 1 / 0)
    handler.handle(logging.makeLogRecord({"msg": "m", "levelname": "INFO"}))


async def test_the_story_of_a_cluster_is_logged(autojump_clock, air):
    with logged() as lines:
        # The task that logs ends by itself when the agent does.
        async with trio.open_nursery() as nursery, agents(air, "a", "b") as (a, _):
            nursery.start_soon(logs.log_events, a)
            await trio.testing.wait_all_tasks_blocked()
            async with open_agent(config("c", 3, 1), network=air.host()):
                await trio.sleep(2)
            air.lost = lambda source, target: ("127.0.0.1", 2) in (source, target)
            await trio.sleep(15)
    told = [(line["event"], line.get("name")) for line in map(json.loads, lines) if "event" in line]
    wanted = [
        ("member_joined", "c"),
        ("member_left", "c"),
        ("member_suspected", "b"),
        ("member_died", "b"),
        ("leave_finished", None),
    ]
    assert [each for each in told if each in wanted] == wanted


async def test_too_many_events_at_once_are_said_and_the_log_goes_on(autojump_clock, air, nursery):
    with logged() as lines:
        async with agents(air, "a") as (a,):
            nursery.start_soon(lambda: logs.log_events(a, buffer=4))
            await trio.testing.wait_all_tasks_blocked()
            for number in range(10):
                a.register(f"topic-{number}")
            await trio.testing.wait_all_tasks_blocked()
            a.register("afterwards")
            await trio.testing.wait_all_tasks_blocked()
    found = [json.loads(line) for line in lines]
    topics = [line["topic"] for line in found if line.get("event") == "host_changed"]
    assert topics[:4] == [f"topic-{number}" for number in range(4)]
    assert "afterwards" in topics
    assert "more than 4 events at once: some were not logged" in [line["message"] for line in found]


@pytest.mark.parametrize(
    "package", ["gossipmm.agent", "gossipmm.matchmaker", "gossipmm.embed.thread"]
)
def test_the_library_prints_nothing_by_itself(package):
    code = f"import logging, {package}; logging.getLogger('gossipmm.agent.seeds').error('x')"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert (result.stdout, result.stderr) == ("", "")


def test_an_agent_writes_its_whole_log_as_json():
    with programs() as start:
        a = start("a", "--control", "none", "--register", "compute")
        b = start(
            "b", "--control", "none", "--log-format", "json", "--join", a.address, as_json=False
        )
        until(lambda: any('"host_changed"' in line for line in b.errors), "a registration told")
        b.signal(signal.SIGTERM)
        assert b.wait() == 0
    lines = [json.loads(line) for line in b.errors]
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)
    told = [line for line in lines if line.get("event") == "member_joined"]
    assert [(line["node"], line["name"]) for line in told] == [("b", "a")]
    assert lines[-2]["message"] == "SIGTERM: leaving"
    assert (lines[-1]["event"], lines[-1]["confirmed"]) == ("leave_finished", 1)


def test_a_style_that_does_not_exist_is_refused():
    with pytest.raises(ConfigError, match="log_format: 'xml' is not text or json"):
        Config(log_format="xml")


class ClosedAfterTooMuch:
    """An agent that ends while more happens than its readers have room for."""

    name = "a"
    leaving = False

    def __init__(self):
        self.watched = 0

    def watch(self, *_, **more):
        self.watched += 1
        if self.watched > 1:
            raise AgentClosedError("agent a was closed: open another one")
        return self

    __enter__ = __aiter__ = lambda self: self
    __exit__ = close = lambda *_: None

    async def __anext__(self):
        raise WatchOverflowError("more events than fit")


async def test_an_agent_that_ends_with_more_events_than_fit_ends_its_readers_quietly():
    """AgentClosedError came out of the log, and with it out of the program's nursery."""
    with logged():
        await logs.log_events(ClosedAfterTooMuch())
    await log_troubles(ClosedAfterTooMuch())
    agent, told = ClosedAfterTooMuch(), []
    output = SimpleNamespace(log=told.append, broken=False)
    await command._tell(agent.watch(), agent, output, False, trio.Event())
    assert len(told) == 1
