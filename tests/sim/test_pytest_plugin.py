"""The plugin as a user has it: in a test run of its own."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest

pytest_plugins = ["pytester"]

ROUTER = '''
class Router:
    """A client that sends each call to the next host, and to another one when that fails."""

    def __init__(self, matchmaker, reachable):
        self.matchmaker, self.reachable = matchmaker, reachable

    def call(self, topic):
        for _ in range(5):
            for _, host in self.matchmaker.queues(topic):
                if self.reachable(host):
                    return host
                self.matchmaker.report_failure(topic, host)
        return None


def test_router_survives_a_partition(sim_cluster):
    cluster = sim_cluster(5, topic="compute")
    mine = {"n0", "n1"}
    router = Router(cluster[0].matchmaker, lambda host: host in mine)
    cluster.cut([0, 1], [2, 3, 4])
    assert {router.call("compute") for _ in range(10)} <= mine
    cluster.advance(10)
    assert {host for _, host in cluster[0].queues("fanout~compute")} == mine
    cluster.heal()
    cluster.settle()
    assert len(cluster[0].queues("fanout~compute")) == 5
'''


@pytest.fixture
def run(pytester: pytest.Pytester):
    def run(text: str, *args: str) -> pytest.RunResult:
        pytester.makepyfile(text)
        options = ["-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:benchmark"]
        if not any(one.value == "sim.pytest_plugin" for one in entry_points(group="pytest11")):
            options += ["-p", "sim.pytest_plugin"]  # this installation was made before it was one
        return pytester.runpytest_inprocess(*options, *args)

    return run


def test_a_routing_client_is_tested_against_a_partition(run):
    run(ROUTER).assert_outcomes(passed=1)


def test_a_failing_test_says_which_seed_it_had(run):
    result = run("def test_it(sim_cluster):\n    sim_cluster(2)\n    assert False\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*gossipmm simulation*", "seed *; repeat: pytest *--sim-seed *"])


def test_the_seed_can_be_given(run):
    text = "def test_it(sim_cluster):\n    assert sim_cluster(2, boot=False).seed == 7\n"
    run(text, "--sim-seed", "7").assert_outcomes(passed=1)


def test_the_same_test_has_the_same_seed_each_time(run):
    text = (
        "seeds = []\n"
        "import pytest\n"
        "def test_it(sim_cluster):\n"
        "    assert sim_cluster(2, boot=False).seed == sim_cluster(3, boot=False).seed\n"
    )
    run(text).assert_outcomes(passed=1)
