"""Every metric moves with what it is of, and there is a test that moves it."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import trio

from gossipmm.agent import Agent
from gossipmm.agent.faults import CODES
from gossipmm.agent.verdict import VERDICTS
from gossipmm.answers import Verdict
from gossipmm.core.values.types import Agreement, Disagreement, EntryState
from gossipmm.errors import UserEventRateError
from tests.agent.memory_network import Air
from tests.sidecar.helpers import agents
from tests.sidecar.test_metrics import values

HEALTH = {
    "queue_depth": ("broadcasts", 11),
    "impaired": ("impaired", True),
    "unheard_ratio": ("unheard", 0.25),
    "missed_ratio": ("missed", 0.375),
    "accusations_held": ("held", 12),
    "probe_loss_ratio": ("loss", 0.125),
    "round_trip_seconds": ("rtt", 0.5),
    "small_paths": ("small_paths", 13),
}
STATS = {
    "own_refutations_total": "own_refutations",
    "udp_sent_datagrams_total": "sent_datagrams",
    "udp_received_bytes_total": "received_bytes",
    "udp_received_datagrams_total": "received_datagrams",
    "late_steps_total": "late_steps",
    "size_tests_total": "size_tests",
    "frames_cut_total": "frames_cut",
    "later_lives_asked_total": "later_lives_asked",
}
EVENTS = {"host_changes_total": "HostChanged", "registrations_expired_total": "RegistrationExpired"}
#: Metrics with a label: (sample, value of the label).
LABELLED = {
    ("udp_send_errors_total", "EPERM"): lambda agent: agent.io_stats.send_errors,
    ("udp_receive_errors_total", "EPERM"): lambda agent: agent.io_stats.receive_errors,
    ("messages_sent_total", "syn"): lambda agent: agent.stats.sent_by_kind,
}
PROBES = {"answered": "probes_answered", "helped": "probes_helped", "failed": "probes_failed"}


@pytest.fixture
async def air():
    async with Air() as air:
        yield air


@pytest.fixture
async def agent(autojump_clock, air):
    async with agents(air, "a", "b") as (a, _):
        yield a


def metric(agent: Agent, name: str, *labels: str) -> float:
    return values(agent)[(f"gossipmm_{name}", *labels)]


@pytest.mark.parametrize("name", HEALTH)
async def test_figures_of_health(agent, monkeypatch, name):
    field, value = HEALTH[name]
    health = agent.health()._replace(**{field: value})
    assert metric(agent, name) != float(value)
    monkeypatch.setattr(agent, "health", lambda: health)
    assert metric(agent, name) == float(value)


@pytest.mark.parametrize("name", STATS)
async def test_counters_of_the_core(agent, name):
    before = metric(agent, name)
    setattr(agent.stats, STATS[name], getattr(agent.stats, STATS[name]) + 1000)
    assert metric(agent, name) == before + 1000


@pytest.mark.parametrize("name", EVENTS)
async def test_counters_of_events(agent, name):
    agent.io_stats.events[EVENTS[name]] = 7
    assert metric(agent, name) == 7


@pytest.mark.parametrize("sample", LABELLED, ids=str)
async def test_counters_by_label(agent, sample):
    name, label = sample
    LABELLED[sample](agent)[label] = 9
    assert metric(agent, name, label) == 9


@pytest.mark.parametrize("result", PROBES)
async def test_probes_by_result(agent, result):
    setattr(agent.stats, PROBES[result], 9000)
    assert metric(agent, "probes_total", result) == 9000


async def test_watchers_seeds_and_the_build(agent, monkeypatch):
    from importlib.metadata import version

    agent.io_stats.watchers_dropped = 3
    assert metric(agent, "watchers_dropped_total") == 3
    monkeypatch.setattr(type(agent), "seed_failures", property(lambda self: 4))
    assert metric(agent, "seed_failures_total") == 4
    assert metric(agent, "build_info", version("gossipmm")) == 1


async def test_queries_by_what_was_done(agent, monkeypatch):
    await agent.query("ping")
    agent._node.questions.querying.refused = 3
    agent._node.questions.asking.passed_on = 4
    monkeypatch.setattr(agent.answerers, "counts", lambda: {"failed": 5})
    found = [metric(agent, "queries_total", did) for did in ("asked", "refused", "around")]
    assert found == [1, 3, 4]
    assert metric(agent, "queries_total", "answered") == 1
    assert metric(agent, "query_runs_total", "failed") == 5


async def test_services_their_checks_and_handlers(agent, monkeypatch):
    failing = SimpleNamespace(state="unhealthy", checks=(SimpleNamespace(state="failing"),))
    registered = SimpleNamespace(state=EntryState.UNHEALTHY)
    extras = type(agent.extras)
    monkeypatch.setattr(agent, "services", lambda: (failing, failing))
    monkeypatch.setattr(agent, "registrations", lambda: (registered,))
    monkeypatch.setattr(extras, "counts", lambda self: ({("tcp", "fail"): 5}, 3))
    monkeypatch.setattr(extras, "handler_counts", lambda self: {"timeout": 2})
    assert metric(agent, "services", "unhealthy") == 2
    assert metric(agent, "checks", "failing") == 2
    assert metric(agent, "check_runs_total", "tcp", "fail") == 5
    assert metric(agent, "handler_runs_total", "timeout") == 2
    assert metric(agent, "service_flaps_total") == 3
    assert metric(agent, "own_registrations_unhealthy") == 1


async def test_user_events_by_what_became_of_them(agent):
    """[P171]."""
    told = {"sent": 1, "delivered": 1, "filtered": 0, "lost": 0, "refused": 0, "forgotten": 0}
    assert {metric(agent, "user_events_total", result) for result in told} == {0}
    agent.send_event("deploy", b"v1")
    await trio.sleep(1)
    assert {result: metric(agent, "user_events_total", result) for result in told} == told
    agent.send_event("deploy", topic="of-nobody")
    await trio.sleep(1)
    assert metric(agent, "user_events_total", "filtered") == 1


async def test_a_program_that_sends_too_much_is_counted_apart_from_what_others_sent(agent):
    """[P171]: one label had both, and an alert could not tell whom it was about."""
    with pytest.raises(UserEventRateError):
        for _ in range(2000):
            agent.send_event("flood")
    assert metric(agent, "user_events_total", "over_budget") == 1
    assert metric(agent, "user_events_total", "refused") == 0


@pytest.mark.parametrize("code", CODES)
async def test_what_is_wrong_with_the_node(agent, monkeypatch, code):
    assert metric(agent, "faults", code) == 0
    monkeypatch.setattr(agent, "faults", lambda: {code: "in words"})
    assert metric(agent, "faults", code) == 1


@pytest.mark.parametrize("name", VERDICTS)
async def test_what_to_take_the_node_for(agent, monkeypatch, name):
    status = agent.status()._replace(verdict=Verdict(name))
    monkeypatch.setattr(agent, "status", lambda: status)
    assert [metric(agent, "verdict", each) for each in VERDICTS] == [
        int(each == name) for each in VERDICTS
    ]
    assert metric(agent, "isolated") == int(name == "isolated")


async def test_how_long_the_longest_difference_lasts(agent, monkeypatch):
    since = (agent.now() - 2.0, agent.now() - 5.0)
    differ = tuple(Disagreement(f"n{number}", at) for number, at in enumerate(since))
    monkeypatch.setattr(agent, "agreement", lambda: Agreement(1, 0, differ, 0))
    assert metric(agent, "agreement_differs_seconds") == pytest.approx(5.0, abs=1.0)


def test_there_is_a_test_of_every_metric():
    here = Path(__file__).parent
    names = re.search(r'names = """(.*?)"""', (here / "test_metrics.py").read_text(), re.DOTALL)
    assert names is not None
    texts = "".join(path.read_text() for path in here.glob("test_metrics*.py"))
    quoted = set(re.findall(r'"(?:gossipmm_)?(\w+?)(?:_total|_count|_bucket)?"', texts))
    assert set(names[1].split()) - quoted == set()
