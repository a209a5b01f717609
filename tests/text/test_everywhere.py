"""Why b is dead reads the same on every face: page, command, console, control API and log."""

import json
import logging
import re
import sys

import pytest
import trio

from gossipmm.cli import lookups, main
from gossipmm.cli.console import Console
from gossipmm.core.values.events import MemberDied
from gossipmm.sidecar.ops import logs
from gossipmm.text.events import as_line
from gossipmm.text.evidence import sentence
from gossipmm.text.members import why_status
from tests.sidecar.api import apis


@pytest.fixture
async def dead(autojump_clock):
    """The API of node a, for which b has died."""
    async with apis("a", "b", "c", register=("compute",)) as (a, b, _):
        await trio.sleep(2)
        b.agent._driver.port._air.lost = lambda source, target: ("127.0.0.1", 2) in (source, target)
        await trio.sleep(12)
        yield a


def _without_ages(text: str) -> str:
    """Blank every duration: the virtual clock goes on between two answers."""
    return re.sub(r"[\d.]+ m?s\b", "T", text)


async def test_why_b_is_dead_reads_the_same_on_every_face(dead, monkeypatch, capsys):
    """The console showed kinds and details as the core has them, the commands sentences."""
    agent = dead.agent
    trail = agent.why("b")
    sentences = [sentence(line, "a", "b") for line in trail]
    assert len(sentences) > 3

    found = await dead.get("/v1/members/b/why")  # the page shows summary and text as they are
    assert [line["text"] for line in found["evidence"]] == sentences
    listed = {member["name"]: member for member in (await dead.get("/v1/members"))["members"]}
    assert listed["b"]["reason"] == sentences[-1] == why_status(agent.member("b"), agent.why, "a")
    assert listed["b"]["reason_code"] == "evidence"

    said = []
    Console(agent, said.append, as_json=False).take("why b")
    summary, *lines = said.pop().splitlines()
    assert _without_ages(summary) == _without_ages(found["summary"])
    assert [line.partition(" ago  ")[2] for line in lines] == sentences
    Console(agent, said.append, as_json=False).take("members")
    assert f": {sentences[-1]}" in said.pop()
    Console(agent, said.append, as_json=True).take("why b")
    assert [line["text"] for line in json.loads(said.pop())["answer"]] == sentences

    monkeypatch.setenv("GOSSIPMM_CONTROL", "/no/such/socket")
    monkeypatch.setattr(lookups, "_trails", lambda client, host: [found])
    monkeypatch.setattr(sys, "argv", ["gossipmm", "why", "b"])
    with pytest.raises(SystemExit):
        main()
    summary, *lines = capsys.readouterr().out.splitlines()
    assert _without_ages(summary) == _without_ages(found["summary"])
    assert [line.partition(" ago  ")[2] for line in lines if " ago  " in line] == sentences


async def test_the_log_tells_a_death_as_the_watchers_are_told(dead, caplog):
    event = MemberDied(dead.agent.now(), "b", 1, 7, ("a", "c"))
    dead.state.hub.tell(event)
    told = json.loads(dead.state.hub._ring[-1].data.decode().partition("data: ")[2])
    with caplog.at_level(logging.WARNING, "gossipmm.events"):
        logs.log_event(event, "a")
    assert caplog.messages[-1] == told["text"] == as_line(event, "a")
