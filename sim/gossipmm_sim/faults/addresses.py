"""How hosts are reached: families, sockets, addresses that change, translators, slow starts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import inf
from typing import TYPE_CHECKING

from gossipmm_sim.engine.host import Startup
from gossipmm_sim.engine.nat import KINDS, Nat
from gossipmm_sim.engine.sockets import BINDS
from gossipmm_sim.errors import UsageError
from gossipmm_sim.faults.base import Context, Fault, Window, fault, select
from gossipmm_sim.faults.hosts import Each, OnHosts

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from gossipmm_sim.engine.host import Host

__all__ = (
    "AddAddress",
    "LoseAddress",
    "NoRoute",
    "Readdress",
    "Seeds",
    "SocketOf",
    "Translator",
    "Warm",
)

_FAMILIES = {"v4": 4, "v6": 6}


def _check_family(family: str) -> None:
    if family not in _FAMILIES:
        raise ValueError(f"family={family!r} is none of v4, v6")


def _from_the_start(run: Context, on: str, do: Callable[[Host], None]) -> None:
    """Applies to hosts before they boot; ``all`` includes those that come later."""
    for host in select(run, on):
        do(host)
    if on == "all":
        run.cluster.on_spawn.append(do)


@fault("socket")
@dataclass(frozen=True, slots=True, kw_only=True)
class SocketOf(Fault):
    """Binds the processes of ``on`` to ``bind`` from the beginning.

    v4, v6: to one address; any4: to 0.0.0.0; any: to [::], which is both families. Machines have
    ``v4`` and ``v6`` addresses; without numbers, one of each family that the socket has.
    """

    on: str
    bind: str = "any"
    v4: int = 0
    v6: int = 0

    def __post_init__(self) -> None:
        Fault.__post_init__(self)
        if self.bind not in BINDS:
            raise ValueError(f"bind={self.bind!r} is none of {', '.join(BINDS)}")
        if self.v4 < 0 or self.v6 < 0:
            raise ValueError(f"v4={self.v4} v6={self.v6}: fewer than no address")
        has = {4: self.v4, 6: self.v6}
        if any(has.values()) and not any(has[family] for family in BINDS[self.bind]):
            raise ValueError(f"v4={self.v4} v6={self.v6} leaves bind={self.bind} no address")

    def prepare(self, run: Context, key: str) -> None:
        """Set up the machines."""
        _from_the_start(run, self.on, self._one)

    def _one(self, host: Host) -> None:
        host.bind(self.bind, v4=self.v4, v6=self.v6)

    def act(self, run: Context, key: str) -> None:
        """Do nothing: it holds from the beginning."""


@fault("seeds")
@dataclass(frozen=True, slots=True, kw_only=True)
class Seeds(Fault):
    """Makes ``on`` join by one address of the host ``by``: its ``nth``, from 0."""

    on: str
    by: str
    nth: int = 0

    def prepare(self, run: Context, key: str) -> None:
        """Set them. Raises UsageError when a host of ``by`` has fewer addresses."""
        heard = [host.hears() for host in select(run, self.by)]
        if any(self.nth >= len(addresses) for addresses in heard):
            raise UsageError(f"seeds by={self.by} nth={self.nth}: there are fewer addresses")
        for host in select(run, self.on):
            host.seeds = tuple(addresses[self.nth] for addresses in heard)

    def act(self, run: Context, key: str) -> None:
        """Do nothing: it holds from the beginning."""


@fault("warm")
@dataclass(frozen=True, slots=True, kw_only=True)
class Warm(Fault):
    """A process of ``on`` that starts says hello, and reads its socket 50 to 100 ms later.

    At each start, the first one included; datagrams wait meanwhile. With ``service`` it shares its
    processor with others that start: each datagram and timer takes so many seconds for its first
    ``lasts`` seconds.
    """

    on: str = "all"
    least: float = 0.05
    most: float = 0.1
    service: float = 0.0
    lasts: float = 1.0

    def __post_init__(self) -> None:
        Fault.__post_init__(self)
        if not 0 <= self.least <= self.most:
            raise ValueError(f"least={self.least:g} most={self.most:g}: not in this order from 0")
        if self.service < 0 or self.lasts <= 0:
            raise ValueError(f"service={self.service:g} lasts={self.lasts:g}: below 0")

    def prepare(self, run: Context, key: str) -> None:
        """Set up the hosts."""
        _from_the_start(run, self.on, partial(self._one, run))

    def _one(self, run: Context, host: Host) -> None:
        host.startup = partial(self._startup, run.stream(f"warm/{host.label}"))

    def _startup(self, stream: Random) -> Startup:
        return Startup(stream.uniform(self.least, self.most), self.service, self.lasts)

    def act(self, run: Context, key: str) -> None:
        """Do nothing: it holds from the beginning."""


@fault("readdress")
@dataclass(frozen=True, slots=True, kw_only=True)
class Readdress(Each):
    """A machine's address goes, and ``gap`` seconds later another comes; the process runs on."""

    family: str = "v4"
    gap: float = 0.0

    def __post_init__(self) -> None:
        Each.__post_init__(self)
        _check_family(self.family)

    @property
    def last(self) -> float:
        """Seconds from the end of the warm-up until the last machine has its new address."""
        return self.at + self.spread + self.gap

    def one(self, run: Context, host: Host) -> None:
        """Take it away."""
        run.ill(host, run.cluster.now + self.gap)
        host.lose_address(_FAMILIES[self.family])
        if self.gap:
            run.cluster.clock.at(run.cluster.now + self.gap, self._gain, host)
        else:
            self._gain(host, None)

    def _gain(self, host: Host, _: object) -> None:
        host.gain_address(_FAMILIES[self.family])


@fault("lose_address")
@dataclass(frozen=True, slots=True, kw_only=True)
class LoseAddress(Each):
    """A machine's address goes; ``back`` seconds later, if given, the same one comes again."""

    family: str = "v4"
    back: float = 0.0

    def __post_init__(self) -> None:
        Each.__post_init__(self)
        _check_family(self.family)

    @property
    def last(self) -> float:
        """Seconds from the end of the warm-up until the last one is back, or gone."""
        return self.at + self.spread + self.back

    def one(self, run: Context, host: Host) -> None:
        """Take it away."""
        run.ill(host, run.cluster.now + self.back if self.back else inf)
        literal = host.lose_address(_FAMILIES[self.family])
        if self.back and literal is not None:
            run.cluster.clock.at(run.cluster.now + self.back, self._again, host, literal)

    def _again(self, host: Host, literal: str) -> None:
        host.gain_address(_FAMILIES[self.family], literal)


@fault("add_address")
@dataclass(frozen=True, slots=True, kw_only=True)
class AddAddress(Each):
    """A machine gets one more address."""

    family: str = "v6"

    def __post_init__(self) -> None:
        Each.__post_init__(self)
        _check_family(self.family)

    def one(self, run: Context, host: Host) -> None:
        """Add it."""
        host.gain_address(_FAMILIES[self.family])


@fault("no_route")
@dataclass(frozen=True, slots=True, kw_only=True)
class NoRoute(OnHosts):
    """A machine has no route for a family: each send to it fails with ENETUNREACH."""

    family: str = "v6"

    def __post_init__(self) -> None:
        OnHosts.__post_init__(self)
        _check_family(self.family)

    def begin_one(self, run: Context, host: Host) -> None:
        """Take it away."""
        host.route(_FAMILIES[self.family], there=False)

    def end_one(self, run: Context, host: Host) -> None:
        """Give it back."""
        host.route(_FAMILIES[self.family], there=True)


@fault("nat")
@dataclass(frozen=True, slots=True, kw_only=True)
class Translator(Window):
    """Each of ``on`` is behind a translator of addresses that rewrites source ports.

    ``ports``: per_destination, alternating or cone (``engine.nat``). An unused mapping is forgotten
    after ``forget`` seconds. ``published``: the announced port is forwarded to the host.
    """

    on: str
    ports: str = "per_destination"
    forget: float = 30.0
    published: bool = True
    #: From before the first host boots, not only from ``at``.
    early: bool = False

    def __post_init__(self) -> None:
        Window.__post_init__(self)
        if self.ports not in KINDS:
            raise ValueError(f"ports={self.ports!r} is none of {', '.join(KINDS)}")
        if self.forget <= 0:
            raise ValueError(f"forget={self.forget:g} is not above 0")

    def prepare(self, run: Context, key: str) -> None:
        """Begin, if it is there from the beginning."""
        if self.early:
            self._begin(run)

    def act(self, run: Context, key: str) -> None:
        """Begin."""
        if not self.published:  # nobody can reach it first
            for host in select(run, self.on):
                run.ill(host, self.over(run))
        if not self.early:
            self._begin(run)

    def _begin(self, run: Context) -> None:
        for host in select(run, self.on):
            nat = Nat(self.ports, forget=self.forget, forwarded=self.published)
            run.cluster.network.translate(host, nat)

    def end(self, run: Context, key: str) -> None:
        """Take it away."""
        for host in select(run, self.on):
            run.cluster.network.translate(host, None)
