"""``gossipmm event send``, as an operator types it, and the client that it calls."""

import json

import pytest
from click.testing import CliRunner

from gossipmm.cli.app import cli
from gossipmm.client.asked import problem
from gossipmm.errors import UserEventRateError
from tests.served import served


@pytest.fixture(scope="module")
def agent(tmp_path_factory):
    with served(tmp_path_factory.mktemp("agents") / "a.sock", name="a") as a:
        yield a


def test_an_event_is_sent_with_text_or_with_what_comes_on_standard_input(agent):
    def run(*arguments, given=b""):
        found = CliRunner().invoke(cli, (*arguments, "--control", agent.path), input=given)
        return found.exit_code, found.stdout, found.stderr or str(found.exception)

    code, out, _ = run("event", "send", "deploy", "v1.2")
    assert (code, out) == (0, "event deploy is on its way to all live members (number 1)\n")
    chosen = ("--topic", "web", "--metadata", "rack=7", "-o", "json")
    code, out, _ = run("event", "send", "renew", "-", *chosen, given=b"\x00\xff")
    expected = {"name": "renew", "topic": "web", "metadata": {"rack": 7}, "number": 2}
    assert json.loads(out) == expected
    code, _, err = run("event", "send", "renew", "-", given=bytes(600))
    assert code != 0
    assert "the payload has 513 bytes, more than the 512 allowed" in err


def test_a_client_is_told_when_to_try_again():
    """The error is that of an agent in the same process."""
    told = {"type": "urn:gossipmm:event-rate", "detail": "too many", "retry_after": 0.25}
    error, kind = problem(429, told)
    assert isinstance(error, UserEventRateError)
    assert (str(error), kind, error.retry_after) == ("too many", "event-rate", 0.25)
