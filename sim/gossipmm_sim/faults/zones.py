"""Zones of hosts, weights, and what programs pick by them. Not faults, but written the same."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from gossipmm_sim.engine.host import Host
from gossipmm_sim.faults.base import Context, Fault, fault, select
from gossipmm_sim.faults.hosts import Each
from gossipmm_sim.faults.probes import Measurement

__all__ = ("PickZones", "Weigh", "Zone")


@fault("zone")
@dataclass(frozen=True, slots=True, kw_only=True)
class Zone(Fault):
    """Puts ``on`` into a zone from the beginning, and says what its programs prefer."""

    on: str
    name: str
    prefer: str = "zone"
    spill: int = 1

    def prepare(self, run: Context, key: str) -> None:
        """Configure the hosts."""
        for host in select(run, self.on):
            metadata = {**host.config.metadata, "zone": self.name}
            host.config = replace(
                host.config, metadata=metadata, prefer=self.prefer, zone_spill=self.spill
            )

    def act(self, run: Context, key: str) -> None:
        """Do nothing: it holds from the beginning."""


@fault("weigh")
@dataclass(frozen=True, slots=True, kw_only=True)
class Weigh(Each):
    """Gives what ``on`` registers for ``topic`` a weight."""

    weight: int = 50
    topic: str = "compute"

    def one(self, run: Context, host: Host) -> None:
        """Change the metadata."""
        if host.up:
            host.set_metadata({"weight": self.weight}, self.topic)


@fault("pick_zones")
@dataclass(frozen=True, slots=True, kw_only=True)
class PickZones(Measurement):
    """A program at each of ``on`` picks ``rate`` times a second, with what its node prefers.

    Leaves ``NAME_near``: the share of picks in the node's own zone; ``NAME_nobody``: picks that
    found no host; ``NAME_down``: the share of hosts that were down; ``NAME_uneven``: the largest
    share of a host over its share by the weights in the zone, as they are at the end.
    """

    on: str
    name: str = "picks"
    topic: str = "compute"
    rate: float = 100.0

    def look(self, run: Context, key: str) -> None:
        """Pick once for each of ``on``."""
        counts = run.memory(key, Counter)
        for host in select(run, self.on):
            if not host.up:
                continue
            counts["picks"] += 1
            found = host.queues(self.topic)
            view = host.table.topic(self.topic)
            counts["nobody"] += not found
            for _, name in found:
                entry = view.entries[name]
                target = run.cluster.by_label.get(name or "")
                counts["near"] += entry.zone == host.table.zone
                counts["down"] += target is not None and not target.up
                counts["host", name] += 1

    def pause(self) -> float:
        """Return the time to the next pick."""
        return 1.0 / self.rate

    def end(self, run: Context, key: str) -> None:
        """Leave the figures."""
        counts = run.memory(key, Counter)
        picks = max(1, counts["picks"])
        run.measured[f"{self.name}_near"] = counts["near"] / picks
        run.measured[f"{self.name}_nobody"] = counts["nobody"]
        run.measured[f"{self.name}_down"] = counts["down"] / picks
        (host,) = select(run, self.on)[:1]
        weights = {one.host: one.weight for one in host.lookup(self.topic).hosts}
        total = max(1, sum(weights.values()))
        shares = [
            counts["host", name] / picks * total / weight
            for name, weight in weights.items()
            if weight
        ]
        run.measured[f"{self.name}_uneven"] = max(shares, default=0.0)
