"""One run: a scenario and a seed in, verdicts, figures and a trace hash out.

The order: hosts boot and register, the warm-up passes, the faults act, agreement is awaited after
the last one, and then every checker gives its verdict. Scenario and seed determine a run: a
``Result`` has both, and the command that repeats it.
"""

from __future__ import annotations

import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

from gossipmm.core.values.events import MemberReaped
from gossipmm_sim.engine.clock import Overrun
from gossipmm_sim.engine.cluster import Cluster
from gossipmm_sim.engine.host import Host
from gossipmm_sim.errors import UsageError
from gossipmm_sim.faults import Fault
from gossipmm_sim.faults.embedding import Embedding
from gossipmm_sim.judge import SAFETY, Breach, Check, Violation, parse_check
from gossipmm_sim.judge.owners import first_difference
from gossipmm_sim.judge.tracker import Tracker
from gossipmm_sim.runs.result import Result, Verdict
from gossipmm_sim.runs.scenario import Scenario

__all__ = ("Run", "run")

#: Seconds between two samples of the safety checkers, and between two looks for agreement.
SAMPLE = 0.5
STEP = 0.05
#: Events per second and host at which a run is ended: a loop, not a protocol.
STORM = 5000
#: Number of samples over which rates are measured: ten seconds.
_WINDOW = 20
#: Verdicts of a run that came to no end.
_ENDED_BY = {Violation.STORM: "no_storm", Violation.RAISED: "no_exception"}
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
            identity=scenario.identity,
            trust=scenario.trust,
            signatures=scenario.signatures,
        )
        self.cast: list[Host] = list(self.cluster.hosts)
        self.tracker = Tracker(self.cluster)
        self.cluster.watch(MemberReaped, self._reaped)
        self.zero = 0.0
        self.joined_after: float | None = None
        self.converged_after: float | None = None
        self.difference: Breach | None = None
        self.first_fingerprints: dict[str, int] = {}
        self.heartbeats: dict[tuple[int, int, str, int], int] = {}
        self.peak_bytes: tuple[float, str] = (0.0, "")
        self.peak_datagrams: tuple[float, str] = (0.0, "")
        #: Most steps of work of one host (2.5 us each), between two samples.
        self.peak_work = 0.0
        self._worked: dict[int, int] = {}
        self.figures: dict[str, Any] = {}
        #: Figures that faults leave behind, and what they remember meanwhile.
        self.measured: dict[str, float] = {}
        self.embeddings: dict[str, Embedding] = {}
        self._memory: dict[str, Any] = {}
        #: (virtual time, live members each host knows), every half second.
        self.views: list[tuple[float, list[int]]] = []
        #: Bytes a second that each host that was up at the end sent since the warm-up.
        self.rates: list[tuple[str, float]] = []
        #: When the warm-up ended, and what had been sent by then.
        self._mark = self.cluster.mark()
        self._broken: dict[Check, Breach] = {}
        self._streams: dict[str, Random] = {}
        self._turn = 0
        self._rates: list[tuple[float, list[int], list[int]]] = []

    # -- what faults use ---------------------------------------------------------------------

    def stream(self, name: str) -> Random:
        """Return the stream of that name; the same object for the same name."""
        if name not in self._streams:
            self._streams[name] = self.cluster.streams(name)
        return self._streams[name]

    def memory(self, key: str, make: Callable[[], Any]) -> Any:
        """Return what a fault keeps under its key."""
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
        """Forget what a host knew of a record that it has reaped: it may learn it again."""
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
        ended: Breach | None = None
        try:
            self._warm_up()
            self._act()
        except UsageError:
            raise
        except Overrun as error:
            at = self.cluster.now - self.zero
            ended = Breach(violation=Violation.STORM, at=at, detail=str(error))
        except Exception:
            ended = Breach(violation=Violation.RAISED, detail=traceback.format_exc())
        self._finish()
        verdicts = self._judge(ended)
        spent = (time.perf_counter() - begin, time.process_time() - cpu)
        return _collect(self, verdicts, *spent)

    def _warm_up(self) -> None:
        scenario, cluster = self.scenario, self.cluster
        for place, one in enumerate(self.faults):
            one.prepare(self, f"{one.kind}#{place}")
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
                    self._broken[one] = replace(wrong, at=cluster.now - self.zero)
        self.views.append(
            (cluster.now - self.zero, [cluster.live_count(h.core) if h.up else 0 for h in cluster])
        )
        self._look_at_work()
        self._rates.append(cluster.mark())
        if len(self._rates) > _WINDOW:
            traffic = cluster.traffic(since=self._rates.pop(0))
            self.peak_bytes = self._peak(self.peak_bytes, traffic.bytes)
            self.peak_datagrams = self._peak(self.peak_datagrams, traffic.datagrams)

    def _look_at_work(self) -> None:
        """Note what each host's core has done since the last sample."""
        for host in self.cluster.hosts:
            if not host.up:
                self._worked.pop(host.index, None)
                continue
            done = host.core.stats.work
            since = done - self._worked.get(host.index, done)
            self._worked[host.index] = done
            self.peak_work = max(self.peak_work, since / SAMPLE)

    def _peak(self, before: tuple[float, str], rates: list[float]) -> tuple[float, str]:
        most = max(rates)
        return (most, self.cluster.hosts[rates.index(most)].label) if most > before[0] else before

    def _finish(self) -> None:
        cluster = self.cluster
        if not cluster.agreed():
            self.converged_after = None
        self.difference = first_difference(cluster)
        figures: dict[str, Any] = self.tracker.figures()
        if self.joined_after is not None:
            figures["joined_after"] = self.joined_after
        if self.converged_after is not None:
            figures["converged_after"] = self.converged_after
        up = [host for host in self.cast if host.up]
        if up and cluster.now > self._mark[0]:
            traffic = cluster.traffic(since=self._mark, hosts=up)
            self.rates = list(zip((host.label for host in up), traffic.bytes, strict=True))
            figures["bytes_per_second"] = traffic.mean_bytes
            figures["bytes_per_second_max"] = max(traffic.bytes)
            figures["datagrams_per_second"] = traffic.mean_datagrams
            figures["datagrams_per_second_max"] = max(traffic.datagrams)
            figures["table_bytes_max"] = max(host.table.memory for host in up)
        figures["peak_bytes_per_second"] = self.peak_bytes[0]
        figures["peak_datagrams_per_second"] = self.peak_datagrams[0]
        figures["peak_work_per_second"] = self.peak_work
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

    def _judge(self, ended: Breach | None) -> tuple[Verdict, ...]:
        """Ask every check; if the run was ended early, take only what the samples have found."""
        if ended is not None:
            first = Verdict(_ENDED_BY[ended.violation], ended)
            return (first, *(Verdict(str(one), found) for one, found in self._broken.items()))
        return tuple(
            Verdict(str(one), self._broken.get(one) or one.judge(self)) for one in self.checks
        )


def _collect(run: Run, verdicts: tuple[Verdict, ...], wall: float, cpu: float) -> Result:
    """Return the result of a finished run."""
    cluster = run.cluster
    endings, news = run.tracker.endings, run.tracker.news
    crashes = [one for one in endings if one.how == "crash"]
    series = {
        "views": run.views,
        "bytes": run.rates,
        "crash_seen": [t for one in crashes for t in one.times],
        "registration_known": [t for one in news for t in one.times],
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
        "embeddings": {
            name: {
                "pairs": one.pairs,
                "errors": [(at - run.zero, *shares) for at, *shares in one.errors],
            }
            for name, one in run.embeddings.items()
        },
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
