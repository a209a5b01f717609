"""Programs and functions that answer queries: what they are told, and what of them is an answer."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import trio

from gossipmm.agent import open_agent
from gossipmm.answers import QueryAnswer
from gossipmm.config import Config
from gossipmm.core.values.queries import QueryAsked
from gossipmm.core.values.questions import Outcome
from gossipmm.errors import AgentClosedError, ConfigError, QueryError
from gossipmm.services import programs
from gossipmm.services.programs import Ended
from tests.agent.memory_network import Air

RUN = ["/usr/bin/uptime"]


@pytest.fixture
async def air():
    async with Air() as air:
        yield air


class Runs:
    """What was run, and how each run ends."""

    def __init__(self) -> None:
        self.all: list[tuple[str, bytes, dict[str, str]]] = []
        self.ends = Ended(0, b"up 3 days\n")
        self.takes = 0.0

    async def run(
        self, argv: Any, *, within: float, stdin: bytes, env: dict[str, str], head: bool
    ) -> Ended:
        assert head
        self.all.append((argv[0], stdin, env))
        with trio.move_on_after(within):
            await trio.sleep(self.takes)
            return self.ends
        return Ended(-15, b"begun", late=True)


@pytest.fixture
async def runs(monkeypatch):
    found = Runs()
    monkeypatch.setattr(programs, "run", found.run)
    return found


def config(air: Air, name: str, **fields: Any) -> Config:
    return Config.preset("lan", name=name, bind=f"127.0.0.1:{'ab'.index(name) + 1}", **fields)


async def asked(air: Air, seconds: float = 2.0, **fields: Any) -> QueryAnswer:
    """Ask b, whose configuration has that, for its uptime."""
    table = {"name": "uptime", "run": RUN, **fields}
    async with (
        open_agent(config(air, "b", query=(table,)), network=air.host()) as b,
        open_agent(config(air, "a", join=("127.0.0.1:2",)), network=air.host()) as a,
    ):
        await a.wait_joined()
        await trio.sleep(1)
        found = await a.query("uptime", b"please", timeout=seconds)
        own, other = found.answers
        assert own.outcome is Outcome.NO_HANDLER
        assert sum(b.answerers.counts().values()) <= 1
        return other


async def test_what_a_program_prints_is_the_answer(air, runs, autojump_clock):
    found = await asked(air)
    assert found[:5] == ("b", Outcome.DONE, b"up 3 days\n", False, 0)
    ((program, stdin, env),) = runs.all
    assert (program, stdin) == (RUN[0], b"please")
    told = {name: env[f"GOSSIPMM_{name}"] for name in ("NODE", "QUERY", "ASKER")}
    assert told == {"NODE": "b", "QUERY": "uptime", "ASKER": "a"}


@pytest.mark.parametrize(
    ("ends", "answer"),
    [
        (Ended(3, b"no disk\n"), (Outcome.FAILED, b"no disk\n", False, 3)),
        (Ended(-11, b""), (Outcome.FAILED, b"", False, 139)),
        (
            Ended(None, trouble="/usr/bin/uptime: No such file"),
            (
                Outcome.FAILED,
                b"cannot be run: /usr/bin/uptime: No such file",
                False,
                127,
            ),
        ),
        (Ended(-9, b"y" * 4096, endless=True), (Outcome.FAILED, b"y" * 900, True, 137)),
        (Ended(0, b"z" * 4096), (Outcome.DONE, b"z" * 900, True, 0)),
    ],
)
async def test_a_program_that_fails_is_an_answer_with_a_status(
    air, runs, autojump_clock, ends, answer
):
    """Silence would look like a host that is gone."""
    runs.ends = ends
    assert (await asked(air))[1:5] == answer


async def test_a_program_that_hangs_is_ended_and_told_as_late(air, runs, autojump_clock):
    runs.takes = 100.0
    found = await asked(air, timeout=0.8)
    assert found[1:5] == (Outcome.LATE, b"begun", False, 0)


async def test_the_end_of_the_query_ends_what_answers_it(air, runs, autojump_clock):
    runs.takes = 100.0
    found = await asked(air, 0.5)
    assert found.outcome is Outcome.WORKING
    assert found.heard


async def test_functions_of_the_program_answer_as_well(air, autojump_clock, caplog):
    """What one raises is told, without its words, and logged here."""
    caplog.set_level(logging.ERROR)
    seen: list[QueryAsked] = []

    async def load(query: QueryAsked) -> str:
        seen.append(query)
        await trio.sleep(0.3)
        return f"0.5 for {query.asker}"

    async def broken(query: QueryAsked) -> bytes:
        raise KeyError("secret")

    async def nothing(query: QueryAsked) -> None:
        return None

    async with open_agent(config(air, "a"), network=air.host()) as a:
        for name, function in (("load", load), ("broken", broken), ("nothing", nothing)):
            a.on_query(name, function)
        assert (await a.query("load", "now")).done[0].payload == b"0.5 for a"
        assert seen[0].payload == b"now"
        (answer,) = (await a.query("broken")).answers
        assert answer[1:5] == (Outcome.FAILED, b"KeyError", False, 1)
        assert "the function that answers query 'broken' failed" in caplog.text
        (answer,) = (await a.query("nothing")).answers
        assert answer[1:5] == (Outcome.DONE, b"", False, 0)
        a.on_query("load", None)
        (answer,) = (await a.query("load")).answers
        assert answer.outcome is Outcome.NO_HANDLER
        for name in ("ping", "", "a\n"):
            with pytest.raises(QueryError):
                a.on_query(name, load)
        await a.leave()
        with pytest.raises(AgentClosedError):
            await a.query("load")
        with pytest.raises(AgentClosedError):
            a.on_query("load", load)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"name": "x"}, "does not say its run"),
        ({"run": RUN}, "does not say its name"),
        ({"name": "x", "run": ["uptime"]}, "is not a path from the root"),
        ({"name": "x", "run": "/usr/bin/uptime"}, "is a list, not a line for a shell"),
        ({"name": "ping", "run": RUN}, "is answered by every node itself"),
        ({"name": "x\n", "run": RUN}, "control characters"),
        ({"name": "n" * 65, "run": RUN}, "65 bytes, more than the 64 allowed"),
        ({"name": "x", "run": RUN, "timeout": 0}, "timeout"),
        ({"name": "x", "run": RUN, "timeout": 61}, "timeout"),
        ({"name": "x", "run": RUN, "retry": 1}, "retry"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused(table, words):
    with pytest.raises(ConfigError, match=words):
        Config(query=(table,))
    with pytest.raises(ConfigError, match="two programs answer query 'x'"):
        Config(query=({"name": "x", "run": RUN}, {"name": "x", "run": RUN}))


async def test_programs_change_when_the_configuration_is_read_again(air, runs, autojump_clock):
    async with open_agent(config(air, "a"), network=air.host()) as a:
        first, second = (
            Config(query=({"name": "x", "run": RUN, "timeout": one},)).query for one in (1.0, 2.0)
        )
        assert a.answerers.set_programs(first) == ["query: x added"]
        assert (await a.query("x")).done
        assert a.answerers.set_programs(second) == ["query: x changed"]
        assert a.answerers.set_programs(()) == ["query: x ended"]
        assert not (await a.query("x")).done


async def test_the_beginning_of_what_is_printed_is_kept_where_it_is_an_answer(tmp_path: Path):
    program = tmp_path / "count"
    program.write_text("#!/bin/sh\nseq 1 5000\n")
    program.chmod(0o755)
    ended = await programs.run([str(program)], within=20.0, head=True)
    assert (ended.status, ended.output[:6]) == (0, b"1\n2\n3\n")
    ended = await programs.run([str(program)], within=20.0)
    assert ended.output.endswith(b"4999\n5000\n")
