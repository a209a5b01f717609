"""One run: a scenario and a seed in, verdicts, figures and a trace hash out.

The order: hosts boot and register, the warm-up passes, the faults act, the time after the last one
is watched for agreement, and then every checker gives its verdict. All that a run needs is in
(scenario, seed): a ``Result`` has both, and the command that repeats it.
"""

from __future__ import annotations

import time
import traceback
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

from gossipmm.core.values.events import MemberReaped
from gossipmm.core.values.types import HostState, Status
from gossipmm_sim.engine.clock import Overrun
from gossipmm_sim.engine.cluster import Cluster
from gossipmm_sim.engine.host import Host
from gossipmm_sim.errors import UsageError
from gossipmm_sim.faults import Fault
from gossipmm_sim.judge.checks import SAFETY, Check, parse_check
from gossipmm_sim.judge.tracker import Tracker
from gossipmm_sim.runs.result import Result, Verdict
from gossipmm_sim.runs.scenario import Scenario

__all__ = ("Run", "run")

#: Seconds between two samples of the safety checkers, and between two looks for agreement.
SAMPLE = 0.5
STEP = 0.05
#: Events a second and host at which a run is ended: a loop, not a protocol.
STORM = 5000
#: Hosts whose whole member list one sample looks at, in turn.
LOOKS = 4


class Run:
    """A running scenario. ``execute`` runs it to its end."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self.scenario = scenario
        self.seed = seed
        config = scenario.build_config()
        self.faults: tuple[Fault, ...] = scenario.build_faults()
        named = tuple(parse_check(scenario.fill(text)) for text in scenario.checks)
        kinds = {one.kind for one in named}
        self.checks: tuple[Check, ...] = named + tuple(c for c in SAFETY if c.kind not in kinds)
        self.cluster = Cluster(
            scenario.nodes,
            seed=seed,
            config=config,
            latency=scenario.latency,
            seeds=min(scenario.seeds, scenario.nodes),
            encrypted=scenario.encrypted,
        )
        self.cast: list[Host] = list(self.cluster.hosts)
        self.tracker = Tracker(self.cluster)
        self.cluster.watch(MemberReaped, self._reaped)
        self.zero = 0.0
        self.joined_after: float | None = None
        self.converged_after: float | None = None
        #: First difference between a live table and the owners' records, in words.
        self.difference: str | None = None
        self.first_fingerprints: dict[str, int] = {}
        self.heartbeats: dict[tuple[int, int, str, int], int] = {}
        self.peak_rate: tuple[float, str] = (0.0, "")
        self.figures: dict[str, Any] = {}
        #: Figures that faults leave, and what they remember meanwhile.
        self.measured: dict[str, float] = {}
        self._memory: dict[str, Any] = {}
        #: (virtual time, live members each host knows), every half second.
        self.views: list[tuple[float, list[int]]] = []
        self._broken: dict[Check, str] = {}
        self._streams: dict[str, Random] = {}
        self._turn = 0
        self._rates: list[tuple[float, list[int]]] = []

    # -- what faults use ---------------------------------------------------------------------

    def stream(self, name: str) -> Random:
        """Give the stream of that name; the same object for the same name."""
        if name not in self._streams:
            self._streams[name] = self.cluster.streams(name)
        return self._streams[name]

    def memory(self, key: str, make: Callable[[], Any]) -> Any:
        """Give what a fault keeps under its key."""
        if key not in self._memory:
            self._memory[key] = make()
        return self._memory[key]

    def ill(self, host: Host, until: float) -> None:
        """Note that a host is not healthy until then."""
        self.tracker.ill(host, until)

    def gone(self, host: Host, how: str) -> None:
        """Note that a host's process ends now."""
        self.tracker.gone(host, how)

    def _reaped(self, host: Host, event: MemberReaped) -> None:
        """Forget what a host knew of a record that it has reaped: it may learn it anew."""
        self.heartbeats.pop((host.index, host.boots, event.name, event.generation), None)

    def looked_at(self) -> list[Host]:
        """Hosts whose tables this sample looks at."""
        live = self.cluster.live
        if len(live) <= LOOKS:
            return live
        begin = self._turn * LOOKS % len(live)
        return (live + live)[begin : begin + LOOKS]

    # -- the order of things -----------------------------------------------------------------

    def execute(self) -> Result:
        """Run to the end. A core that raises is a broken promise, not an error of the caller."""
        begin, cpu = time.perf_counter(), time.process_time()
        raised = ""
        try:
            self._warm_up()
            self._act()
        except UsageError:
            raise
        except Overrun as error:
            where = f"{self.cluster.now - self.zero:.2f} s"
            raised = f"storm: {error} at {where}; the run was ended"
        except Exception:
            raised = traceback.format_exc()
        self._finish()
        verdicts = self._judge(raised)
        spent = (time.perf_counter() - begin, time.process_time() - cpu)
        return _collect(self, verdicts, *spent)

    def _warm_up(self) -> None:
        scenario, cluster = self.scenario, self.cluster
        topics = max(1, round(scenario.nodes / scenario.hosts_per_topic))
        for host in self.cast:
            host.register(f"compute{host.index % topics}" if topics > 1 else "compute")
        cluster.boot(over=scenario.boot)
        if scenario.warmup:
            cluster.advance(scenario.boot)
            self.joined_after = cluster.until(cluster.agreed, within=scenario.warmup, step=STEP)
            cluster.advance(scenario.boot + scenario.warmup - cluster.now)
        self.zero = cluster.now
        cluster.clock.most = int(STORM * max(len(cluster), 10) * SAMPLE)
        self.first_fingerprints = cluster.fingerprints()
        self._mark = cluster.mark()

    def _act(self) -> None:
        scenario, cluster = self.scenario, self.cluster
        for place, one in enumerate(self.faults):
            one.plan(self, f"{one.kind}#{place}")
        calm = self.zero + max((one.last for one in self.faults), default=0.0)
        end = self.zero + scenario.duration
        if calm > end:
            raise UsageError(
                f"{scenario.name}: the last fault ends at {calm - self.zero:g} s, after the"
                f" duration of {scenario.duration:g} s"
            )
        while cluster.now < calm:
            cluster.advance(min(SAMPLE, calm - cluster.now))
            self._sample()
        next_sample = cluster.now
        while cluster.now < end:
            if self.converged_after is None:
                if cluster.agreed():
                    self.converged_after = cluster.now - calm
                cluster.advance(min(STEP, end - cluster.now))
            else:
                cluster.advance(min(SAMPLE, end - cluster.now))
            if cluster.now >= next_sample:
                next_sample += SAMPLE
                self._sample()

    def _sample(self) -> None:
        self._turn += 1
        cluster = self.cluster
        for one in self.checks:
            if one not in self._broken:
                wrong = one.sample(self)
                if wrong is not None:
                    self._broken[one] = f"at {cluster.now - self.zero:.3f} s {wrong}"
        self.views.append(
            (cluster.now - self.zero, [cluster.live_count(h.core) if h.up else 0 for h in cluster])
        )
        self._rates.append((cluster.now, [host.sent_bytes for host in cluster]))
        if len(self._rates) > 20:
            then, sent = self._rates.pop(0)
            span = cluster.now - then
            rates = [(cluster.hosts[i].sent_bytes - sent[i]) / span for i in range(len(sent))]
            most = max(rates)
            if most > self.peak_rate[0]:
                self.peak_rate = (most, cluster.hosts[rates.index(most)].label)

    def _finish(self) -> None:
        cluster = self.cluster
        if not cluster.agreed():
            self.converged_after = None
            self.difference = self._who_differs()
        else:
            self.difference = self._compare_with_owners()
        figures: dict[str, Any] = self.tracker.figures()
        if self.joined_after is not None:
            figures["joined_after"] = self.joined_after
        if self.converged_after is not None:
            figures["converged_after"] = self.converged_after
        if cluster.now > self.zero and self.zero + self.joined_mark > 0:
            up = [host for host in self.cast if host.up]
            traffic = cluster.traffic(since=self._mark, hosts=up)
            if up:
                figures["bytes_per_second"] = traffic.mean_bytes
                figures["bytes_per_second_max"] = max(traffic.bytes)
                figures["datagrams_per_second"] = traffic.mean_datagrams
                figures["datagrams_per_second_max"] = max(traffic.datagrams)
        figures["peak_bytes_per_second"] = self.peak_rate[0]
        for name, number in cluster.counts.items():
            figures[f"events.{name}"] = number
        totals: Counter[str] = Counter()
        for stats in cluster.stats:
            for key, value in stats.as_dict().items():
                if isinstance(value, int):
                    totals[f"core.{key}"] += value
            for reason, number in stats.dropped.items():
                totals[f"dropped.{reason}"] += number
        for reason, number in cluster.network.lost.items():
            totals[f"lost.{reason.replace(' ', '_')}"] += number
        self.figures = figures | self.measured | dict(sorted(totals.items()))

    @property
    def joined_mark(self) -> float:
        """Virtual time at which the traffic began to be counted."""
        return self._mark[0] if hasattr(self, "_mark") else 0.0

    def _judge(self, raised: str) -> tuple[Verdict, ...]:
        verdicts = []
        if raised:
            kind = "no_storm" if raised.startswith("storm:") else "no_exception"
            verdicts.append(Verdict(kind, False, raised))
        for one in self.checks:
            wrong = self._broken.get(one)
            if wrong is None and not raised:
                wrong = one.judge(self)
            if wrong is not None or not raised:
                verdicts.append(Verdict(str(one), wrong is None, wrong or ""))
        return tuple(verdicts)

    # -- agreement with the owners -------------------------------------------------------------

    def _who_differs(self) -> str:
        prints = Counter(self.cluster.fingerprints().values())
        if len(prints) == 1:
            some = self.cluster.peers[0]
            known = self.cluster.live_count(some.core)
            return f"all agree, but on {known} members where {len(self.cluster.peers)} are up"
        common = prints.most_common(1)[0][0]
        odd = [k for k, value in self.cluster.fingerprints().items() if value != common]
        names = ", ".join(odd[:8]) + (" ..." if len(odd) > 8 else "")
        return f"{len(prints)} different views; {names} differ from the most common one"

    def _compare_with_owners(self) -> str | None:
        """Compare every live table with what the owners register, entry by entry."""
        truth: dict[str, dict[str, tuple[bool, set[str]]]] = {}
        for host in self.cluster.peers:
            core: Any = host.core
            me = host.member(host.node_name)
            off = me is not None and me.node_state != 0
            for one in core.registrations():
                up = not off and one.state == 0
                was, nodes = truth.setdefault(one.topic, {}).get(one.host, (False, set()))
                truth[one.topic][one.host] = (was or up, nodes | {host.node_name})
        for host in self.cluster.peers:
            damped = {one.name for one in host.members() if one.status is Status.PROBATION}
            for topic in sorted(truth.keys() | host.table.topics.keys()):
                view = host.table.topic(topic)
                known = view.entries if view is not None else {}
                # Last known hosts of a host that was cut off: shown as stale, answered for only
                # while the topic has no live one.
                entries = {k: one for k, one in known.items() if one.state is not HostState.STALE}
                # Whoever came and went too often is kept out of lookups for a while, on purpose.
                wanted = {
                    name: (up, nodes)
                    for name, (up, nodes) in truth.get(topic, {}).items()
                    if not nodes & damped
                }
                if entries.keys() != wanted.keys():
                    odd = sorted(entries.keys() ^ wanted.keys())[0]
                    word = "lists" if odd in entries else "lacks"
                    return f"{host.label} {word} {odd} under {topic}, unlike its owner"
                for name, (up, nodes) in wanted.items():
                    entry = entries[name]
                    state = HostState.LIVE if up else HostState.DRAINING
                    if entry.state is not state or set(entry.nodes) != nodes:
                        return (
                            f"{host.label} has {name} under {topic} as {entry.state.label} of"
                            f" {', '.join(entry.nodes)}; it is {state.label} of"
                            f" {', '.join(sorted(nodes))}"
                        )
        return None


def _collect(run: Run, verdicts: tuple[Verdict, ...], wall: float, cpu: float) -> Result:
    """Give the result of a finished run."""
    cluster = run.cluster
    endings, news = run.tracker.endings, run.tracker.news
    crashes = [one for one in endings if one.how == "crash"]
    series = {
        "views": run.views,
        "bytes": [[host.label, host.sent_bytes] for host in run.cast],
        "crash_seen": [t for one in crashes for t in one.seen],
        "registration_known": [t for one in news for t in one.seen],
        "events": [
            (at - run.zero, label, what if isinstance(what, str) else _short(what))
            for at, label, what in cluster.events
        ],
        "samples": {
            "crash_seen_by_all": [one.all_seen for one in crashes],
            "leave_seen_by_all": [one.all_seen for one in endings if one.how == "leave"],
            "registration_known_to_all": [one.all_seen for one in news][:1000],
        },
        "hosts": [host.label for host in cluster],
    }
    return Result(
        scenario=run.scenario,
        seed=run.seed,
        verdicts=verdicts,
        figures=run.figures,
        trace_hash=cluster.trace.hexdigest(),
        virtual=cluster.now,
        wall=wall,
        cpu=cpu,
        datagrams=sum(host.received_datagrams for host in cluster),
        series=series,
        measured=tuple(run.measured),
    )


def _short(event: Any) -> str:
    kind = type(event).__name__
    about = getattr(event, "name", "") or getattr(event, "topic", "")
    return f"{kind} {about}".strip()


def run(scenario: Scenario, seed: int) -> Result:
    """Run a scenario once."""
    return Run(scenario, seed).execute()
