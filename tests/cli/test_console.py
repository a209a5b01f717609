"""Asking an agent by a line of text."""

import json
import os

import pytest
import trio

from gossipmm.agent import open_agent
from gossipmm.cli.console import Console, lines_of
from gossipmm.config import Config
from tests.agent.memory_network import Air


@pytest.fixture
async def agent():
    async with Air() as air:
        config = Config(name="a", bind="127.0.0.1:1", register=("compute", "volume=host-x"))
        async with open_agent(config, network=air.host()) as agent:
            yield agent


@pytest.fixture
def ask(agent):
    def ask(line):
        said = []
        Console(agent, said.append, as_json=False).take(line)
        return said[0] if said else None

    return ask


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("compute", "compute -> a"),
        ("  fanout~compute ", "fanout~compute -> a"),
        ("volume.host-x", "volume.host-x -> host-x"),
        ("queues compute", "compute -> a"),
        ("nothing", "nothing -> nobody  (unknown topic)"),
        ("topics", "compute: a live\nvolume: host-x live"),
        ("register volume", "registered volume for a"),
        ("register volume=b", "registered volume for b"),
        ("register", "error: topic must not be empty: write TOPIC or TOPIC=HOST, not ''"),
        ("unregister compute", "unregistered"),
        ("unregister nothing", "nothing was not registered here"),
        ("drain compute", "1 changed"),
        ("drain", "1 changed"),
        ("undrain", "0 changed"),
        ("why nobody", "nothing known of 'nobody'"),
        ("", None),
    ],
)
async def test_a_line_is_answered(autojump_clock, ask, line, answer):
    assert ask(line) == answer


async def test_an_error_is_an_answer(autojump_clock, ask):
    assert ask("register a.b").startswith("error: topic 'a.b' contains a dot")
    assert ask("fanout~").startswith("error: ")
    assert ask("members").endswith("1 registrations, this node") is False  # it has two
    assert "2 registrations, this node" in ask("members")
    assert "TOPIC.HOST" in ask("help")


async def test_answers_as_json_name_the_question(autojump_clock, agent):
    said = []
    console = Console(agent, said.append, as_json=True)
    for line in ("queues compute", "members", "topics", "why a", "register a.b", "help"):
        console.take(line)
    found = {value["asked"]: value["answer"] for value in map(json.loads, said)}
    assert found["queues compute"] == {"queues": [["compute.a", "a"]], "status": "ok"}
    assert found["members"][0]["status"] == "alive"
    assert "error" in found["register a.b"]
    assert len(found) == 6


async def test_a_drained_node_is_shown_so(autojump_clock, ask):
    ask("drain")
    assert "alive (draining)" in ask("members")


async def test_lines_come_from_a_pipe_until_its_end():
    reading, writing = os.pipe()
    os.write(writing, b"one\ntw")
    found = []

    async def read():
        async for line in lines_of(reading):
            found.append(line)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked(0.05)
        os.write(writing, b"o\nrest\xff\nunfinished")
        os.close(writing)
    os.close(reading)
    assert found == ["one", "two", "rest�"]


async def test_a_plain_file_is_read_to_its_end(tmp_path):
    path = tmp_path / "questions"
    path.write_text("one\ntwo\n")
    with path.open("rb") as file:
        assert [line async for line in lines_of(file.fileno())] == ["one", "two"]
