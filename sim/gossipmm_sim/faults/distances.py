"""Hosts on several continents, how well they know their distances, and those that lie of theirs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any, Final

from gossipmm.core.distances.coordinate import Coordinate, distance, pack, unpack
from gossipmm.core.wire.slim import COORDINATE, is_slim
from gossipmm_sim.faults.base import Context, Fault, Window, fault, select
from gossipmm_sim.faults.embedding import Embedding
from gossipmm_sim.faults.network import LinkFault

if TYPE_CHECKING:
    from gossipmm_sim.engine.host import Host
    from gossipmm_sim.engine.links import Link
    from gossipmm_sim.engine.network import Network
    from gossipmm_sim.engine.peer import Peer

__all__ = ("Continents", "LieOfDistance", "MeasureDistances")

#: Regions, two on each of three continents, and round trips in seconds between hosts of one region,
#: of one continent, of the two that are nearer to each other, and of others.
_REGIONS: Final = 6
_REGION, _CONTINENT, _NEARER, _FAR = 0.0005, 0.04, 0.08, 0.15
#: Where the bytes of a slim ACK of wire version 3 say so, and where its coordinate begins.
_KIND, _BRINGS, _BEGINS = 2, 0x32, 27
#: Seconds between two looks at how well round trips are embedded, and pairs that one looks at.
_LOOK, _LOOKS_AT = 1.0, 400


def region_of(index: int) -> int:
    """Return the region of a host."""
    return index % _REGIONS


def _trip(one: int, other: int) -> float:
    a, b = region_of(one), region_of(other)
    if a == b:
        return _REGION
    if a // 2 == b // 2:
        return _CONTINENT
    return _NEARER if a // 2 + b // 2 == 1 else _FAR


@fault("continents")
@dataclass(frozen=True, slots=True, kw_only=True)
class Continents(Fault):
    """Puts the hosts into six regions of three continents, from the beginning.

    Round trips are 0.5, 40, 80 and 150 ms, each way lognormal by ``sigma``, and each host is up to
    ``access`` seconds away from its region.
    """

    sigma: float = 0.05
    access: float = 0.0005

    def prepare(self, run: Context, key: str) -> None:
        """Delay what goes between any two hosts."""
        stream = run.stream("continents")
        ways = [stream.random() * self.access / 2 for _ in range(1024)]

        def rule(host: Peer, peer: Peer, link: Link) -> None:
            trip = _trip(host.index, peer.index)
            link.latency = f"lognormal({trip / 2},{self.sigma})"
            link.extra += ways[host.index % 1024] + ways[peer.index % 1024]

        run.cluster.network.add_rule(key, rule)

    def act(self, run: Context, key: str) -> None:
        """Do nothing: it holds from the beginning."""


def true_rtt(network: Network, a: Host, b: Host) -> float:
    """Return the median round trip between two hosts, in seconds, without what waits on the way."""
    total = 0.0
    for one, other in ((a, b), (b, a)):
        link = network.link(one, other, (one.address, other.address))
        table = link.table or network.table
        total += table[len(table) // 2] + link.extra
    return total


@fault("measure_distances")
@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureDistances(Window):
    """Compares, at ``until``, the coordinates of ``on`` with the true round trips between them.

    Leaves ``NAME_error`` and ``NAME_error_p90``: the share by which the estimate of a pair is off;
    ``NAME_ms``: the same in milliseconds, the median; ``NAME_near``: of each host's nearest
    neighbours, as many as its region has, the share that is of its region.
    """

    on: str = "all"
    name: str = "distances"

    @property
    def last(self) -> float:
        """It disturbs nothing."""
        return 0.0

    def prepare(self, run: Context, key: str) -> None:
        """Look now and then, from the boot on: that changes nothing in the run."""
        run.cluster.clock.at(_LOOK, self._look, run, key)

    def _look(self, run: Context, key: str) -> None:
        now = run.cluster.now
        if run.zero and now >= run.zero + self.until:
            return
        known = self._known(run)
        if len(known) > 2:
            every = 1 + len(known) * (len(known) - 1) // 2 // _LOOKS_AT
            run.embeddings.setdefault(self.name, Embedding()).errors.append(
                (now, *_shares(_pairs(run.cluster.network, known)[::every]))
            )
        run.cluster.clock.at(now + _LOOK, self._look, run, key)

    def act(self, run: Context, key: str) -> None:
        """Wait."""

    def end(self, run: Context, key: str) -> None:
        """Leave the figures."""
        known = self._known(run)
        pairs = _pairs(run.cluster.network, known)
        off = [abs(estimate - true) for true, estimate in pairs]
        shares = [abs(estimate - true) / true for true, estimate in pairs]
        found = run.embeddings.setdefault(self.name, Embedding())
        found.pairs = pairs
        found.errors.append((run.cluster.now, *_shares(pairs)))
        run.measured[f"{self.name}_error"] = median(shares)
        run.measured[f"{self.name}_error_p90"] = quantiles(shares, n=10)[-1]
        run.measured[f"{self.name}_ms"] = 1000 * median(off)
        run.measured[f"{self.name}_near"] = _near(known)

    def _known(self, run: Context) -> list[tuple[Host, Coordinate]]:
        """Return the hosts that have a coordinate, and where they say to be."""
        known: list[tuple[Host, Coordinate]] = []
        for host in select(run, self.on):
            told = _own(host) if host.up else None
            if told is not None:
                known.append((host, unpack(told)))
        return known


def _pairs(network: Network, known: list[tuple[Host, Coordinate]]) -> list[tuple[float, float]]:
    """Return the simulated and the estimated round trip of each pair."""
    return [
        (true_rtt(network, one, other), distance(here, there))
        for place, (one, here) in enumerate(known)
        for other, there in known[:place]
    ]


def _shares(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    """Return the median of the shares by which estimates are off, and their 90 % quantile."""
    shares = [abs(estimate - true) / true for true, estimate in pairs]
    return median(shares), quantiles(shares, n=10)[-1]


def _own(host: Host) -> bytes | None:
    core: Any = host.core
    told: bytes | None = core.distances.own_bytes()
    return told


def _near(known: list[tuple[Host, Coordinate]]) -> float:
    """Return which share of nearest neighbours is of a host's own region."""
    right = of = 0
    for one, here in known:
        others = [pair for pair in known if pair[0] is not one]
        others.sort(key=lambda pair: distance(here, pair[1]))
        mine = [pair for pair in others if region_of(pair[0].index) == region_of(one.index)]
        nearest = others[: len(mine)]
        right += sum(region_of(other.index) == region_of(one.index) for other, _ in nearest)
        of += len(mine)
    return right / max(1, of)


def _random_place(rng: Random, _: Coordinate) -> Coordinate:
    x, y, z = (rng.uniform(-0.6, 0.6) for _ in range(3))
    return Coordinate(x, y, z, 0.0, 0.0)


def _elsewhere(_: Random, __: Coordinate) -> Coordinate:
    return Coordinate(0.3, 0.3, 0.3, 0.001, 0.0)


def _drifting(rng: Random, true: Coordinate) -> Coordinate:
    """Return a place a little off, further with each lie: never far from what is believed."""
    return true._replace(x=true.x + 0.02 + 0.02 * rng.random(), error=0.0)


_LIES: Final[dict[str, Callable[[Random, Coordinate], Coordinate]]] = {
    "random": _random_place,
    "elsewhere": _elsewhere,
    "drift": _drifting,
}


@fault("lie_of_distance")
@dataclass(frozen=True, slots=True, kw_only=True)
class LieOfDistance(LinkFault):
    """Hosts ``on`` say in each answer to be somewhere else, and to be sure of that.

    ``what``: anywhere (random), at one place far away (elsewhere), or a little off (drift).
    """

    way: str = "out"
    what: str = "random"

    def __post_init__(self) -> None:
        LinkFault.__post_init__(self)
        if self.what not in _LIES:
            raise ValueError(f"what={self.what!r} is none of {', '.join(_LIES)}")

    def apply(self, link: Link) -> None:
        """Write another coordinate into answers."""
        rng, lie = Random(str(link.key)), _LIES[self.what]

        def rewrite(data: bytes) -> bytes:
            if not is_slim(data) or data[_KIND] != _BRINGS:
                return data
            end = _BEGINS + COORDINATE
            return data[:_BEGINS] + pack(lie(rng, unpack(data[_BEGINS:end]))) + data[end:]

        link.rewrite = rewrite
