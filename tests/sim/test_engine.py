"""The engine, with a stand-in for the core: clock, network, hosts, cluster."""

from __future__ import annotations

import pytest

from gossipmm.config import Config
from gossipmm.core.values.events import MemberDied
from gossipmm_sim.engine.clock import Clock, Overrun
from gossipmm_sim.engine.cluster import Cluster
from gossipmm_sim.engine.latency import quantiles
from gossipmm_sim.engine.streams import Streams
from tests.sim.fake_node import FakeNode


def cluster(nodes: int = 5, **keywords) -> Cluster:
    keywords.setdefault("config", Config(max_datagram=1452))
    return Cluster(nodes, core=FakeNode, **keywords)


def booted(nodes: int = 5, **keywords) -> Cluster:
    made = cluster(nodes, **keywords)
    made.boot()
    made.settle()
    return made


class TestClock:
    def test_runs_entries_in_order_of_time_and_then_of_adding(self):
        clock, seen = Clock(), []
        for when, name in ((2.0, "c"), (1.0, "a"), (1.0, "b")):
            clock.at(when, lambda a, b: seen.append((clock.now, a)), name)
        clock.run_until(3.0)
        assert seen == [(1.0, "a"), (1.0, "b"), (2.0, "c")]
        assert clock.now == 3.0

    def test_runs_what_is_due_at_the_deadline_and_not_what_is_later(self):
        clock, seen = Clock(), []
        clock.at(1.0, lambda a, b: seen.append(a), "due")
        clock.at(1.0000001, lambda a, b: seen.append(a), "later")
        clock.run_until(1.0)
        assert seen == ["due"]

    def test_a_time_in_the_past_means_now(self):
        clock, seen = Clock(), []
        clock.run_until(5.0)
        clock.at(1.0, lambda a, b: seen.append(clock.now))
        clock.run_until(5.0)
        assert seen == [5.0]

    def test_work_that_was_held_back_may_come_on_top_in_this_step_and_the_next(self):
        """32 hosts, blocked for 33 s, let 234,000 datagrams go at once: 'storm', said the run."""
        clock = Clock()
        clock.most = 10

        def add(entries):
            for _ in range(entries):
                clock.at(clock.now, lambda a, b: None)

        def let_go(extra, _):
            clock.held += extra

        clock.at(0.0, let_go, 5)
        add(14)
        clock.run_until(1.0)
        clock.at(2.0, let_go, 5)
        clock.run_until(2.0)
        add(15)
        clock.run_until(3.0)
        clock.at(4.0, let_go, 5)
        clock.run_until(4.0)
        clock.run_until(5.0)
        add(11)
        with pytest.raises(Overrun, match="11 events within"):
            clock.run_until(6.0)


class TestStreams:
    def test_one_stream_does_not_move_another(self):
        streams = Streams(1)
        alone = [streams("a").random() for _ in range(3)]
        assert [streams("a").random() for _ in range(3)] == alone
        assert streams("b").random() != streams("a").random()

    def test_streams_of_a_seed_are_pinned(self):
        # Another Python must not give other runs.
        assert Streams(7)("net/n003").getrandbits(32) == 3429195287


class TestLatency:
    @pytest.mark.parametrize(
        ("text", "median"),
        [
            ("constant(0.01)", 0.01),
            ("uniform(0.001,0.003)", 0.002),
            ("exponential(0.001,0.002)", 0.001 + 0.002 * 0.6931),
            ("lognormal(0.04,0.5)", 0.04),
        ],
    )
    def test_median(self, text, median):
        table = quantiles(text)
        assert table[len(table) // 2] == pytest.approx(median, rel=0.01)

    @pytest.mark.parametrize(
        "text", ["lann", "uniform(1)", "constant(-1)", "constant(x)", "", "f()"]
    )
    def test_a_wrong_one_is_refused_with_the_known_ones(self, text):
        with pytest.raises(ValueError, match=r"known: lan, .*lognormal\(a,b\)"):
            quantiles(text)


class TestCluster:
    def test_the_same_seed_gives_the_same_run(self):
        first, second, other = (booted(seed=seed) for seed in (1, 1, 2))
        assert first.trace.hexdigest() == second.trace.hexdigest() != other.trace.hexdigest()

    def test_a_crash_is_seen(self):
        made = booted()
        made[2].crash()
        seen = []
        made.watch(MemberDied, lambda host, event: seen.append((host.label, event.name)))
        made.advance(12)
        assert {(f"n{i}", "n2") for i in (0, 1, 3, 4)} <= set(seen)

    def test_settle_says_who_differs(self):
        made = booted()
        made.cut([4], [0, 1, 2, 3])
        made.advance(12)
        with pytest.raises(AssertionError, match="2 different views after 1 s; .*n4"):
            made.settle(within=1)

    def test_bytes_count_headers(self):
        made = booted(2)
        mark = made.mark()
        made.advance(10)
        traffic = made.traffic(since=mark)
        assert traffic.mean_datagrams == pytest.approx(1.0, abs=0.11)
        assert traffic.mean_bytes > 28

    def test_a_cut_drops_and_healing_ends_it(self):
        made = booted(2)
        made.cut([0], [1])
        made.advance(3)
        assert made.network.lost["cut"] >= 5
        made.heal()
        before = made.network.lost["cut"]
        made.advance(3)
        assert made.network.lost["cut"] == before

    def test_a_delay_is_added_to_every_round_trip_and_taken_back(self):
        cluster = Cluster(3, seed=5)
        cluster.boot()
        cluster.settle()
        cluster.delay(0.05, on=[2])
        cluster.advance(60)
        slow = cluster[2].core.health(cluster[2].core_time()).rtt
        assert 0.09 < slow < 0.13
        cluster.delay(0)
        cluster.advance(120)
        assert cluster[2].core.health(cluster[2].core_time()).rtt < 0.02

    def test_loss_is_about_the_share_asked_for(self):
        made = booted(10)
        made.loss(0.3)
        mark = made.mark()
        made.advance(200)
        sent = made.traffic(since=mark).mean_datagrams * 10 * 200
        assert made.network.lost["loss"] / sent == pytest.approx(0.3, abs=0.04)

    def test_oversize_datagrams_are_written_down(self):
        made = cluster(3)
        made.network.limit = 10
        made.boot()
        made.advance(2)
        assert made.network.oversize[0][2] > 10


class TestHost:
    def test_a_paused_host_keeps_datagrams_up_to_its_inbox(self):
        made = booted(5)
        made[0].inbox_limit = 3
        made[0].pause()
        received = made[0].received_datagrams
        made.advance(20)
        assert made[0].received_datagrams == received
        assert made[0].inbox_dropped > 0
        made[0].resume()
        assert made[0].received_datagrams == received + 3

    def test_a_blocked_host_holds_what_it_sends(self):
        made = booted(3)
        made[0].block()
        sent = made[0].sent_datagrams
        made.advance(3)
        assert made[0].sent_datagrams == sent
        made[0].resume()
        assert made[0].sent_datagrams == sent + 3

    def test_a_slow_host_takes_datagrams_one_by_one(self):
        made = booted(5)
        made[0].slow(0.5)
        received = made[0].received_datagrams
        made.advance(10)
        assert 0 < made[0].received_datagrams - received <= 20

    def test_a_restart_is_a_new_generation_and_registers_again(self):
        made = booted(3)
        made[1].register("compute")
        generation = made[1].core.generation
        made[1].restart(new_address=True)
        assert made[1].core.generation > generation
        assert made[1].core.topics == {"compute": "n1"}

    def test_a_clock_that_was_stepped_back_does_not_lower_the_generation(self):
        made = booted(2)
        generation = made[1].core.generation
        made[1].restart(wall=-86400)
        assert made[1].core.generation > generation

    def test_a_fast_clock_fires_timers_more_often(self):
        made = booted(2)
        made[0].change_clock(rate=2.0)
        heartbeats = [host.core.heartbeat for host in made]
        made.advance(20)
        gained = [
            host.core.heartbeat - before for host, before in zip(made, heartbeats, strict=True)
        ]
        assert gained[0] == pytest.approx(40, abs=2)
        assert gained[1] == pytest.approx(20, abs=2)

    def test_a_clock_that_jumps_makes_its_timers_due(self):
        made = booted(2)
        before = made[0].core.heartbeat
        made[0].change_clock(jump=100.0)
        made.advance(0.01)
        assert made[0].core.heartbeat == before + 1

    def test_a_monotonic_clock_does_not_go_back(self):
        with pytest.raises(ValueError, match="does not jump back"):
            booted(2)[0].change_clock(jump=-1.0)

    def test_sends_that_fail_are_told_to_the_core(self):
        made = booted(2)
        made[0].send_errors = 1.0
        made.advance(5)
        assert made[0].core.failed >= 4

    def test_a_leaving_host_goes_down_when_its_core_says_so(self):
        made = booted(3)
        made[2].leave()
        made.advance(0.1)
        assert not made[2].up

    def test_a_core_that_never_stops_asking_for_its_timer_is_caught(self):
        made = booted(1)
        made[0].core.next_timer = lambda: 0.0
        made[0].core.handle_timer = lambda now: None
        with pytest.raises(RuntimeError, match="stays in the past"):
            made.advance(2)

    def test_each_host_has_a_clock_of_its_own(self):
        made = booted(2)
        assert made[0].core_time() != made[1].core_time()
