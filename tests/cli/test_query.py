"""``gossipmm query``, as an operator types it."""

import json
import time

import pytest
from click.testing import CliRunner

from gossipmm.cli.app import cli
from gossipmm.core.values.questions import Outcome
from gossipmm.errors import QueryError, QueryRateError
from tests.served import served


@pytest.fixture(scope="module")
def agents(tmp_path_factory):
    folder = tmp_path_factory.mktemp("agents")
    with (
        served(folder / "a.sock", name="a") as a,
        served(folder / "b.sock", name="b", join=(a.address,), register=("web",)) as b,
        served(folder / "c.sock", name="c", join=(a.address,), answer_queries=False) as c,
    ):
        while not all(len(one.do(one.agent.members)) == 3 for one in (a, b, c)):
            time.sleep(0.01)

        async def echo(asked):
            return f"{asked.name} \x1b[2J{asked.payload.decode()}\nsecond"

        async def broken(asked):
            raise ValueError

        b.do(lambda: b.agent.on_query("echo", echo))
        b.do(lambda: b.agent.on_query("broken", broken))
        yield a, b, c


@pytest.fixture
def run(agents, monkeypatch):
    monkeypatch.setenv("GOSSIPMM_CONTROL", agents[0].path)
    querying = agents[0].agent._node.questions.querying
    querying._budgets._left.clear()  # these tests ask more than an operator

    def run(*arguments, stdin=None):
        found = CliRunner().invoke(cli, ("query", "--timeout", "10", *arguments), input=stdin)
        return found.exit_code, found.stdout.splitlines(), found.stderr

    return run


def test_an_answer_is_shown_line_by_line_and_can_do_nothing_to_the_terminal(run):
    status, (head, *lines), err = run("echo", "hello")
    assert head.split() == ["MEMBER", "OUTCOME", "TOOK", "ANSWER"]
    assert [line.split()[:2] for line in lines] == [
        ["a", "no"],
        ["b", "done"],
        ["second"],
        ["c", "not"],
    ]
    assert r"echo \x1b[2Jhello" in lines[1]
    assert "nothing answers queries of that name there" in lines[0]
    assert "its configuration does not allow it" in lines[3]
    assert (status, err.startswith("1 of 3 members answered, in ")) == (0, True)


def test_only_some_are_asked_and_the_payload_may_come_from_a_pipe(run):
    status, lines, err = run("echo", "-", "--topic", "web", stdin="piped")
    assert (status, len(lines)) == (0, 3)
    assert lines[1].endswith("piped")
    assert err.startswith("1 of 1 member answered")
    status, lines, err = run("echo", "--metadata", "rack=7")
    assert (status, lines) == (1, [])
    assert err == "gossipmm: nobody is asked: no member is of that topic and metadata\n"


def test_a_failure_makes_the_exit_status(run):
    status, lines, _ = run("broken")
    assert status == 1
    assert lines[2].split()[1:3] == ["failed", "(1)"]
    assert lines[2].endswith("ValueError")


def test_scripts_get_json(run):
    status, lines, _ = run("echo", "x", "-o", "json")
    found = json.loads("\n".join(lines))
    assert (status, found["name"], found["fine"]) == (0, "echo", True)
    assert [one["outcome"] for one in found["answers"]] == ["no_handler", "done", "not_allowed"]
    assert found["answers"][1]["payload"] == "echo \x1b[2Jx\nsecond"


def test_ping_shows_who_reaches_whom(run, agents):
    status, lines, err = run("ping")
    assert status == 0
    assert [line.split()[-2:] for line in lines[1:3]] == [["reaches", "all"]] * 2
    b = agents[1]
    queried = b.agent._node.questions.queried
    queried._unreached, queried._unreached_at = ["no_path c", "dead d"], b.agent.now() + 60
    status, lines, err = run("ping")
    assert status == 1
    assert "c: without a path for b\nd: dead for b\n" in err
    status, lines, _ = run("ping", "-o", "json")
    assert json.loads("\n".join(lines))["unreached"] == {
        "c": {"no_path": ["b"]},
        "d": {"dead": ["b"]},
    }


def test_version_and_health_are_answered_by_all_that_may(run, agents):
    lines = run("version")[1]
    version = agents[0].do(agents[0].agent.status).version
    assert [line.split()[-1] for line in lines[1:3]] == [version] * 2
    assert [line.split()[-1] for line in run("health")[1][1:3]] == ["ok"] * 2


def test_what_is_refused_is_said_with_the_number(run, agents):
    def refused(*words):
        found = CliRunner().invoke(cli, ("query", *words))
        assert found.exit_code == 1  # what main() makes of it is tested with commands
        return found.exception

    assert isinstance(refused("x" * 65), QueryError)
    assert "more than the 64 allowed" in str(refused("x" * 65))
    storm = [refused("ping", "--topic", "none") for _ in range(20)][-1]
    assert isinstance(storm, QueryRateError)
    assert "retry after" in str(storm)


def test_every_outcome_of_a_member_has_words():
    from gossipmm.text.questions import OUTCOMES

    assert set(OUTCOMES) == set(Outcome)
