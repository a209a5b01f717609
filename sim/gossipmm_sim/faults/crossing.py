"""Sites far from each other, the zones that their hosts announce, and what travels between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from gossipmm_sim.engine.network import HEADERS
from gossipmm_sim.faults.base import Context, Fault, Window, fault, select

if TYPE_CHECKING:
    from gossipmm.core.values.types import Address
    from gossipmm_sim.engine.links import Link
    from gossipmm_sim.engine.network import Network
    from gossipmm_sim.engine.peer import Peer

__all__ = ("MeasureCrossing", "MoveZone", "Sites")

#: Key of what all faults of this module know: where each host is, and what was counted.
_KNOWN: Final = "sites"


class _Counts:
    """Where hosts are, and what was sent from one site to another so far."""

    def __init__(self) -> None:
        self.sites: dict[int, int] = {}
        self.datagrams = 0
        self.bytes = 0


@fault("sites")
@dataclass(frozen=True, slots=True, kw_only=True)
class Sites(Fault):
    """Puts the hosts into sites, in blocks and from the beginning; ``announce`` tell their zone.

    ``sizes`` are how many hosts each site has, the last one all others; empty: ``count`` equal
    ones. A way takes ``within`` seconds in a site and ``across`` between two, lognormal by
    ``sigma``. ``old`` do not exchange by zones, as agents of earlier versions.
    """

    count: int = 3
    sizes: str = ""
    within: float = 0.00025
    across: float = 0.04
    sigma: float = 0.05
    announce: str = "all"
    old: str = "none"

    def prepare(self, run: Context, key: str) -> None:
        """Delay what goes between hosts, count what crosses, and configure the zones."""
        cluster = run.cluster
        known: _Counts = run.memory(_KNOWN, _Counts)
        sites = known.sites
        for host, site in zip(run.cast, self._sites(len(run.cast)), strict=True):
            sites[host.index] = site
        for host in select(run, self.announce):
            metadata = {**host.config.metadata, "zone": f"zone-{sites[host.index]}"}
            host.config = replace(host.config, metadata=metadata)
        for host in select(run, self.old):
            host.config = replace(host.config, zone_exchanges=False)

        def rule(host: Peer, peer: Peer, link: Link) -> None:
            same = sites.get(host.index, 0) == sites.get(peer.index, 0)
            link.latency = f"lognormal({self.within if same else self.across},{self.sigma})"

        cluster.network.add_rule(key, rule)
        homes = {host.address: sites[host.index] for host in run.cast}
        cluster.network.tap = _counting(cluster.network, known, homes)

    def _sites(self, hosts: int) -> list[int]:
        if not self.sizes:
            return [place * self.count // hosts for place in range(hosts)]
        found: list[int] = []
        for site, size in enumerate(self.sizes.split(",")):
            found += [site] * int(size)
        found += [found[-1]] * hosts
        return found[:hosts]

    def act(self, run: Context, key: str) -> None:
        """Do nothing: it holds from the beginning."""


def _counting(
    network: Network, known: _Counts, homes: dict[Address, int]
) -> Callable[[Peer, bytes, Address], None]:
    """Return a tap that counts what is sent to another site, also to hosts that are down."""
    before, sites = network.tap, known.sites

    def tap(host: Peer, data: bytes, address: Address) -> None:
        if before is not None:
            before(host, data, address)
        if homes.get(address, 0) != sites.get(host.index, 0):
            known.datagrams += 1
            known.bytes += len(data) + HEADERS

    return tap


@fault("measure_crossing")
@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureCrossing(Window):
    """Leaves what went between sites a second and host of all that are up at ``until``.

    ``NAME_bytes`` and ``NAME_datagrams``; headers are counted, and so is what was sent to hosts
    that are down.
    """

    name: str = "crossing"

    @property
    def last(self) -> float:
        """It disturbs nothing."""
        return 0.0

    def act(self, run: Context, key: str) -> None:
        """Begin to count."""
        known: _Counts = run.memory(_KNOWN, _Counts)
        run.memory(key, lambda: (run.cluster.now, known.datagrams, known.bytes))

    def end(self, run: Context, key: str) -> None:
        """Leave the figures."""
        known: _Counts = run.memory(_KNOWN, _Counts)
        begin, datagrams, size = run.memory(key, lambda: (run.cluster.now, 0, 0))
        over = (run.cluster.now - begin) * sum(host.up for host in run.cast)
        run.measured[f"{self.name}_datagrams"] = (known.datagrams - datagrams) / over
        run.measured[f"{self.name}_bytes"] = (known.bytes - size) / over


@fault("move_zone")
@dataclass(frozen=True, slots=True, kw_only=True)
class MoveZone(Fault):
    """Hosts ``on`` announce zone ``name`` while they run; where they are does not change."""

    on: str
    name: str

    def act(self, run: Context, key: str) -> None:
        """Change their metadata."""
        for host in select(run, self.on):
            if host.up:
                host.set_metadata({"zone": self.name})
