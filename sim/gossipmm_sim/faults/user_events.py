"""User events: programs that send them, members that flood, and insiders that forge them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil, inf
from typing import TYPE_CHECKING, Any

from gossipmm.core.identity.signed import Texts
from gossipmm.core.values.user_events import EventText, UserEvent
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.event_text import encode_event
from gossipmm.errors import UserEventRateError
from gossipmm_sim.faults.base import Context, Window, fault, select
from gossipmm_sim.faults.hostile import Insider, key_at

if TYPE_CHECKING:
    from gossipmm_sim.engine.host import Host

__all__ = ("EventLog", "FloodEvents", "ForgeEvents", "Sent", "UserEvents", "event_log")

#: Seconds after the last event until what was measured of all is written down.
_SETTLES = 5.0


@dataclass(slots=True)
class Sent:
    """One event: when it was sent, by which process, and to which it has to be told."""

    at: float
    sender: tuple[int, int]
    number: int
    #: Processes (index of the host, its boots) that were up when it was sent.
    due: frozenset[tuple[int, int]]
    #: When each process was told it.
    told: dict[tuple[int, int], float] = field(default_factory=dict)


class EventLog:
    """Every event that programs sent in a run, and who was told of it, when and how often."""

    def __init__(self, run: Context) -> None:
        self._cluster = run.cluster
        self.sent: list[Sent] = []
        #: (observer, number of the event in ``sent``): told twice, or in another order than sent.
        self.doubled: list[tuple[str, int]] = []
        self.disordered: list[tuple[str, int]] = []
        #: (observer, sender) of events that nobody sent.
        self.forged: list[tuple[str, str]] = []
        self._last: dict[tuple[tuple[int, int], tuple[int, int]], int] = {}
        run.cluster.watch(UserEvent, self._told)

    def send(self, host: Host, size: int, **chosen: Any) -> None:
        """Have a host's program send an event, whose payload says which it is."""
        due = frozenset((one.index, one.boots) for one in self._cluster.live)
        self.sent.append(Sent(self._cluster.now, (host.index, host.boots), 0, due))
        name = len(self.sent) - 1
        payload = name.to_bytes(4, "big") + bytes(max(0, size - 4))
        self.sent[name].number = host.send_event("test", payload, **chosen)

    def _told(self, host: Host, event: UserEvent) -> None:
        if event.event_name != "test":
            self.forged.append((host.label, event.name))
            return
        place = int.from_bytes(event.payload[:4], "big")
        sent, process = self.sent[place], (host.index, host.boots)
        if process in sent.told:
            self.doubled.append((host.label, place))
        sent.told[process] = self._cluster.now
        if place < self._last.get((process, sent.sender), -1):
            self.disordered.append((host.label, place))
        self._last[process, sent.sender] = place

    def owed(self, sent: Sent) -> list[tuple[int, int]]:
        """Return the processes that an event is due to and that are still up."""
        up = {(host.index, host.boots) for host in self._cluster.live}
        return [process for process in sent.due if process in up]

    def waits(self, since: float = -inf, until: float = inf) -> list[float]:
        """Return seconds until each process was told each event sent then; inf: it was not."""
        return [
            sent.told.get(process, inf) - sent.at
            for sent in self.sent
            if since <= sent.at < until
            for process in self.owed(sent)
        ]


def event_log(run: Context) -> EventLog:
    """Return the log of a run."""
    log: EventLog = run.memory("user_events", lambda: EventLog(run))
    return log


def _quantile(values: Iterable[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else 0.0


@fault("user_events")
@dataclass(frozen=True, slots=True, kw_only=True)
class UserEvents(Window):
    """Programs at ``on`` send events in turn, ``rate`` a second together, of ``size`` bytes."""

    on: str = "all"
    rate: float = 1.0
    size: int = 32
    topic: str = ""

    def prepare(self, run: Context, key: str) -> None:
        """Begin to listen."""
        event_log(run)

    def act(self, run: Context, key: str) -> None:
        """Send one, and plan the next."""
        cluster = run.cluster
        if cluster.now >= self.over(run):
            return
        turn = run.memory(f"{key}/turn", lambda: [0])
        hosts = select(run, self.on)
        host = hosts[turn[0] % len(hosts)]
        turn[0] += 1
        if host.up:
            event_log(run).send(host, self.size, topic=self.topic or None)
        cluster.clock.at(cluster.now + 1.0 / self.rate, self._act, run, key)

    def end(self, run: Context, key: str) -> None:
        """Write down, a little later, how long it took."""
        cluster = run.cluster
        cluster.clock.at(cluster.now + _SETTLES, self._measure, run, key)

    def _measure(self, run: Context, _: str) -> None:
        waits = event_log(run).waits()
        run.measured["user_event_known_p50"] = _quantile(waits, 0.5)
        run.measured["user_event_known_p99"] = _quantile(waits, 0.99)
        run.measured["user_event_known_max"] = max(waits, default=0.0)
        stats = [host.core.event_stats for host in run.cluster.live]
        run.measured["user_events_sent"] = len(event_log(run).sent)
        run.measured["user_event_copies"] = sum(one.repeated for one in stats) / max(
            1, sum(one.delivered for one in stats)
        )


@fault("flood_events")
@dataclass(frozen=True, slots=True, kw_only=True)
class FloodEvents(Window):
    """Programs at ``on`` send ``rate`` events a second each; ``kept``: as their door allows."""

    on: str
    rate: float = 1000.0
    size: int = 128
    kept: bool = False

    def prepare(self, run: Context, key: str) -> None:
        """Begin to listen."""
        event_log(run)

    def act(self, run: Context, key: str) -> None:
        """Send one at each, and plan the next."""
        cluster = run.cluster
        if cluster.now >= self.over(run):
            return
        for host in select(run, self.on):
            if not host.up:
                continue
            if not self.kept:
                core: Any = host.core
                core._parts.user_events.keeps_budget = False
            try:
                host.send_event("flood", bytes(self.size))
            except UserEventRateError:
                run.measured["refused_at_the_door"] = run.measured.get("refused_at_the_door", 0) + 1
        cluster.clock.at(cluster.now + 1.0 / self.rate, self._act, run, key)

    def end(self, run: Context, key: str) -> None:
        """Count what the others were told and refused."""
        others = [host for host in run.cluster.live if host not in select(run, self.on)]
        stats = [host.core.event_stats for host in others]
        run.measured["flood_told_each"] = sum(one.delivered for one in stats) / len(stats)
        run.measured["flood_refused_each"] = sum(one.refused for one in stats) / len(stats)


@fault("forge_events")
@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeEvents(Insider):
    """An insider tells events in the name of members ``of``, ``ahead`` of those that they sent.

    ``signed``: with its own key where it has one, else not at all.
    """

    of: str = "all"
    ahead: int = 1
    signed: bool = True

    def prepare(self, run: Context, key: str) -> None:
        """Begin to listen."""
        event_log(run)

    def lie(self, run: Context, key: str, liar: Host) -> list[tuple[bytes, dict[int, Any]]]:
        """Tell one of each of them."""
        log = event_log(run)
        items = []
        for victim in select(run, self.of):
            if victim is liar or not victim.up or liar.member(victim.node_name) is None:
                continue
            mine = (victim.index, victim.boots)
            sent = [one.number for one in log.sent if one.sender == mine]
            number = max(sent, default=0) + self.ahead
            raw = encode_event(EventText(number, "forged", b"rm -rf"))
            record = key_at(liar, victim.node_name)
            items.append([record, number, 0, raw, self._signature(run, liar, record, number, raw)])
        return [(b"", {wire.OPT_EVENTS: items[at : at + 8]}) for at in range(0, len(items), 8)]

    def _signature(self, run: Context, liar: Host, key: int, number: int, raw: bytes) -> bytes:
        if not self.signed or liar.identity == "off":
            return b""
        text = Texts(liar.config.cluster).of_event(key, number, raw)
        signature: bytes = run.cluster.keys.signer(liar.node_name).sign(text)
        return signature
