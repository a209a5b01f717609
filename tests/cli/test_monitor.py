"""``gossipmm monitor``: the agent's log at a level of one's own."""

import json
import logging
import threading

import pytest
from click.testing import CliRunner

from gossipmm.cli.app import cli
from gossipmm.client import Client
from gossipmm.errors import ControlError
from tests.served import served

_log = logging.getLogger("gossipmm.test")


@pytest.fixture(scope="module")
def agent(tmp_path_factory):
    with served(tmp_path_factory.mktemp("a") / "a.sock") as agent:
        yield agent


def reading(agent, *options):
    """Run the command; ``say`` logs until it ends. Returns (status, output lines)."""
    over = threading.Event()

    def say():
        while not over.wait(0.02):
            _log.warning("evil\x1b[2J %s", "name\nanother line")
            _log.debug("in detail")

    thread = threading.Thread(target=say)
    thread.start()
    try:
        found = CliRunner().invoke(cli, ["monitor", "--control", agent.path, *options])
    finally:
        over.set()
        thread.join()
    return found.exit_code, found.output.splitlines()


def test_lines_of_the_log_for_people_can_move_no_cursor(agent):
    status, lines = reading(agent, "--count", "1", "--level", "warning")
    assert status == 0
    assert len(lines) == 2
    assert "  monitoring a at warning; its log is at " in lines[0]
    assert lines[1].endswith("  warning: evil\\x1b[2J name\\nanother line")


def test_lines_of_the_log_for_programs(agent):
    status, lines = reading(agent, "--count", "2", "--level", "debug", "-o", "json")
    assert status == 0
    found = [json.loads(line) for line in lines]
    assert {"warning", "debug"} == {line["level"] for line in found[1:]}
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in found)


def test_what_the_api_is_asked_is_told_in_detail(agent):
    with Client(agent.path) as client:
        lines = client.monitor("debug")
        assert "monitoring a at debug" in next(lines)["message"]
        client.queues("nothing")
        asked = next(line for line in lines if line["logger"].endswith("connection"))
        assert asked["message"] == "the control API was asked: GET /v1/queues/nothing: 200"
        lines.close()


def test_a_level_that_there_is_not(agent):
    with Client(agent.path) as client, pytest.raises(ControlError, match="not a level of the log"):
        next(client.monitor("loud"))
    assert reading(agent, "--level", "loud")[0] == 2
