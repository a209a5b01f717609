"""The metrics: right numbers, names that stay, and nothing that grows with the cluster."""

import gc
import shutil

import pytest
import trio
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from gossipmm.agent import open_agent
from gossipmm.core.values.events import SelfSuspected
from gossipmm.core.values.stats import BOUNDS, Timing
from gossipmm.sidecar.ops import metrics
from tests.agent.memory_network import Air
from tests.sidecar.helpers import agents, config
from tests.sidecar.promlint import lint


@pytest.fixture
async def air():
    async with Air() as air:
        yield air


def families(agent):
    return list(text_string_to_metric_families(metrics.render(agent).decode()))


def values(agent):
    """Return {(sample name, label values ...): value}."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families(agent)
        for sample in family.samples
    }


async def test_the_numbers_are_those_of_the_agent(autojump_clock, air):
    async with agents(air, "a", "b", "c", register=("compute",)) as (a, b, _):
        a.register("volume", "other")
        b.drain()
        await trio.sleep(2)
        found = values(a)
        assert found["gossipmm_members", "alive"] == 3
        assert found["gossipmm_members", "dead"] == 0
        assert found[("gossipmm_members_draining",)] == 1
        assert found["gossipmm_agreement_peers", "agrees"] == 2
        assert found["gossipmm_member_events_total", "joined"] == 2
        assert found[("gossipmm_topics",)] == 2
        assert found[("gossipmm_registrations",)] == 4
        assert found[("gossipmm_own_registrations",)] == 2
        assert found[("gossipmm_joined",)] == 1
        assert found[("gossipmm_table_bytes",)] == a.table.memory > 3 * 2000
        assert found[("gossipmm_table_limit_bytes",)] == a.config.max_table
        assert found[("gossipmm_udp_sent_bytes_total",)] == a.stats.sent_bytes > 0
        assert found["gossipmm_messages_received_total", "ack"] == a.stats.received_by_kind["ack"]
        assert found["gossipmm_packets_dropped_total", "malformed"] == 0
        assert found[("gossipmm_health_score",)] == 0
        assert found[("gossipmm_probe_seconds_count",)] == a.stats.probes_answered > 0
        # A round trip of the network in memory takes 2 ms.
        assert found["gossipmm_probe_seconds_bucket", "0.001"] == 0
        assert found["gossipmm_probe_seconds_bucket", "0.0025"] == a.stats.probes_answered
        assert found[("gossipmm_gossip_seconds_count",)] > 0
        assert found[("process_resident_memory_bytes",)] > 1e6


async def test_a_death_a_return_and_garbage_are_counted(autojump_clock, air):
    async with agents(air, "a", "b", "c") as (a, _, _):
        cut = ("127.0.0.1", 3)
        air.lost = lambda source, target: cut in (source, target)
        await trio.sleep(10)
        air.carry(b"\xff", ("127.0.0.1", 9), ("127.0.0.1", 1))
        await trio.sleep(0.1)
        found = values(a)
        assert found["gossipmm_members", "dead"] == 1
        assert found["gossipmm_member_events_total", "suspected"] >= 1
        assert found["gossipmm_member_events_total", "died"] == 1
        assert found["gossipmm_packets_dropped_total", "malformed"] == 1
        air.lost = lambda source, target: False
        await trio.sleep(30)
        found = values(a)
        assert found["gossipmm_members", "alive"] == 3
        assert found[("gossipmm_member_flaps_total",)] == 1
        assert found["gossipmm_member_events_total", "returned"] == 1


async def test_a_deaf_node_says_so(autojump_clock, air):
    async with agents(air, "a", "b", "c") as (a, _, _):
        air.lost = lambda source, target: target == ("127.0.0.1", 1)
        await trio.sleep(2.0)  # longer than the longest silence at one that hears, 1.58 s
        assert values(a)[("gossipmm_health_score",)] == 2
        air.lost = lambda source, target: False
        await trio.sleep(2)
        assert values(a)[("gossipmm_health_score",)] == 0


async def test_what_is_wrong_with_this_node_is_a_gauge_for_each_kind(autojump_clock, air):
    async with agents(air, "a") as (a,):
        assert values(a)["gossipmm_faults", "suspected"] == 0
        a._faults.tell(SelfSuspected(a.now(), True, 10))
        assert values(a)["gossipmm_faults", "suspected"] == 1
        assert "again and again" in a.faults()["suspected"]
        assert values(a)["gossipmm_faults", "address_gone"] == 0
        a._faults.tell(SelfSuspected(a.now(), False, 1))
        assert a.faults() == {}


async def test_peers_that_say_that_they_are_slow_are_counted(autojump_clock, air, monkeypatch):
    async with agents(air, "a", "b") as (a, _):
        assert values(a)[("gossipmm_members_slow",)] == 0
        well = a.health()
        monkeypatch.setattr(a, "health", lambda: well._replace(slow_peers=2))
        assert values(a)[("gossipmm_members_slow",)] == 2


async def test_promtool_would_have_nothing_to_say(autojump_clock, air):
    async with agents(air, "a", "b") as (a, _):
        a.io_stats.send_errors["EPERM"] = 1
        found = families(a)
        assert lint([family for family in found if family.name.startswith("gossipmm_")]) == []
        assert {family.type for family in found} == {"counter", "gauge", "histogram"}


@pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed: apt-get install prometheus"
)
async def test_promtool_itself_has_nothing_to_say(autojump_clock, air):
    async with agents(air, "a", "b") as (a, _):
        text = metrics.render(a)
    command = ["promtool", "check", "metrics"]
    result = await trio.run_process(command, stdin=text, capture_stderr=True, check=False)
    assert (result.returncode, result.stderr) == (0, b"")


def test_the_lint_finds_what_promtool_finds():
    """A checker that never complains proves nothing."""
    bad = [
        Metric("things_milliseconds", "Help.", "gauge"),
        Metric("things_total", "Help.", "gauge"),
        Metric("things_sec", "Help.", "gauge"),
        Metric("things_gauge", "Help.", "gauge"),
        Metric("thingsDone", "Help.", "gauge"),
        Metric("things_count", "Help.", "gauge"),
        Metric("things_hours", "Help.", "gauge"),
        Metric("things_helpless", "", "gauge"),
        Metric("things_untold", "Help.", "unknown"),
    ]
    for one in bad:
        assert len(lint([one])) == 1, one.name
    assert lint([bad[0], bad[0]])[0] == "things_milliseconds: given twice"


async def test_names_that_dashboards_use_do_not_change(autojump_clock, air):
    names = """
        members members_draining agreement_peers agreement_differs_seconds joined topics
        table_bytes table_limit_bytes
        registrations own_registrations own_registrations_unhealthy services checks check_runs
        service_flaps handler_runs member_events member_flaps own_refutations
        later_lives_asked host_changes
        user_events
        registrations_expired udp_sent_bytes udp_sent_datagrams messages_sent udp_received_bytes
        udp_received_datagrams messages_received packets_dropped udp_send_errors
        udp_receive_errors queue_depth health_score impaired unheard_ratio missed_ratio
        accusations_held members_slow probe_loss_ratio
        round_trip_seconds probes late_steps gossip_seconds probe_seconds watchers_dropped
        seed_failures faults build_info verdict isolated small_paths size_tests frames_cut
        queries query_runs
    """
    async with agents(air, "a") as (a,):
        found = {family.name for family in families(a) if family.name.startswith("gossipmm_")}
        assert found == {f"gossipmm_{name}" for name in names.split()}


async def test_no_series_is_of_a_node_or_a_topic(autojump_clock, air):
    async with agents(air, "a", "b") as (a, b):
        before = values(a).keys()
        for number in range(20):
            b.register(f"topic-{number}", f"host-{number}")
        async with open_agent(config("newcomer", 3, 1), network=air.host()):
            await trio.sleep(2)
            text = metrics.render(a).decode()
            assert values(a).keys() == before
        assert len(before) < 250
        for name in ("newcomer", "topic-1", "host-1", "127.0.0.1"):
            assert name not in text


async def test_two_agents_in_one_process_do_not_mix(autojump_clock, air):
    async with agents(air, "a", "b") as (a, b):
        a.register("only-here")
        assert values(a)[("gossipmm_own_registrations",)] == 1
        assert values(b)[("gossipmm_own_registrations",)] == 0


async def test_scraping_leaves_nothing_behind(autojump_clock, air):
    async with agents(air, "a") as (a,):
        for _ in range(3):
            metrics.render(a)
        gc.collect()
        before = len(gc.get_objects())
        for _ in range(50):
            metrics.render(a)
        gc.collect()
        assert len(gc.get_objects()) - before < 200


def test_a_timing_counts_each_bound_once():
    timing = Timing()
    for seconds in (0.0, 0.0001, 0.00011, 1.0, 99.0):
        timing.add(seconds)
    assert timing.counts[0] == 2
    assert timing.counts[1] == 1
    assert timing.counts[BOUNDS.index(1.0)] == 1
    assert timing.counts[-1] == 1
    assert timing.as_dict()["count"] == 5


async def test_identities_are_counted_where_there_are_some(autojump_clock, air, tmp_path):
    wanted = config("a", 1, identity="announce", state_file=str(tmp_path / "state"))
    plain = config("b", 2, 1)
    async with (
        open_agent(wanted, network=air.host()) as a,
        open_agent(plain, network=air.host()) as b,
    ):
        await trio.sleep(5)
        found = values(a)
        assert found["gossipmm_identities", "unsigned"] == 1
        assert found["gossipmm_identities", "pinned"] == 1
        assert found[("gossipmm_identities_not_ready",)] == 1
        assert found[("gossipmm_identities_in_conflict",)] == 0
        assert found[("gossipmm_identities_ending",)] == 0
        assert found["gossipmm_faults", "identity"] == 0
        assert ("gossipmm_certificate_left_seconds",) not in found  # it has none
        assert not [name for name in values(b) if "identit" in name[0]]
