"""A cluster of real cores in virtual time, for scripts, tests and scenarios.

    from gossipmm_sim import Cluster

    cluster = Cluster(100, seed=7, config=Config(suspicion_min=2.0), latency="lan", seeds=1)
    cluster.boot()                          # all at once; boot(over=5.0): spread over 5 s
    cluster.settle(within=10)               # advance until all live views agree; seconds it took
    host = cluster[3]                       # or cluster["n03"]; cluster.spawn("late") adds one
    host.register("compute")                # this host's own name; register("compute", "gpu-1")
    cluster.advance(2.0)                    # virtual seconds
    cluster[5].table.topic("compute").picks # the table of any host, as readers see it
    cluster[5].queues("fanout~compute")      # what a program there gets from its matchmaker
    cluster[5].member("n03")                # MemberView or None; members(), why("n03")
    host.crash(); host.restart()            # restart(new_address=True, lose_state=True, wall=-3600)
    host.pause(); host.resume()             # SIGSTOP; block(): Lifeguard's anomaly; leave()
    host.bind("any")                        # [::], both families; "any4", "v4", "v6"
    host.lose_address(4); host.gain_address(4)  # under a running process
    host.change_clock(rate=1.01)            # 1 % fast; jump=5.0: monotonic; wall=-3600: wall clock
    cluster.loss(0.25)                      # of every datagram; loss(0) ends it; on=[hosts]
    cluster.delay(0.2, on=[3])              # seconds more; delay(0) ends it
    cluster.cut([0, 1], range(2, 100))      # partition; cut(a, b, both=False): one way only
    cluster.heal()                          # ends loss, cuts and every other network fault
    cluster.until(lambda: ..., within=5)    # advance until true; seconds it took, or None
    cluster.watch(MemberDied, lambda host, event: ...)   # called as the core says so
    cluster.trace.hexdigest()               # equal for equal runs
    cluster.traffic(since=mark)             # bytes/s and datagrams/s a host; mark = cluster.mark()
    cluster.counts                          # events by class name
    cluster.events                          # (time, host label, event), without the frequent ones

Bytes count 28 of IP and UDP header for each datagram. Every random choice comes from ``seed``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from gossipmm.config import Config
from gossipmm.core.node import Node
from gossipmm.core.values import events as core_events
from gossipmm.core.values.types import make_generation
from gossipmm.core.wire.pages import page_untrusted
from gossipmm_sim.engine.clock import Clock
from gossipmm_sim.engine.host import Host
from gossipmm_sim.engine.links import Link
from gossipmm_sim.engine.network import Network
from gossipmm_sim.engine.peer import Peer
from gossipmm_sim.engine.shell import Core
from gossipmm_sim.engine.signing import Keys
from gossipmm_sim.engine.streams import Streams
from gossipmm_sim.engine.trace import Trace
from gossipmm_sim.engine.world import World

if TYPE_CHECKING:
    from gossipmm.core.values.types import Address

__all__ = ("Cluster", "Traffic")

#: Simulated hosts share what they parse from equal bytes: a thousand of them hold a million pages.
_read_page: Final = lru_cache(maxsize=1 << 16)(page_untrusted.__wrapped__)

HostLike: TypeAlias = "Host | str | int"
Watcher: TypeAlias = Callable[[Host, Any], None]

#: Too frequent to keep individually: N x N of them at every boot. ``counts`` has their number.
_FREQUENT: Final = frozenset({core_events.HostChanged, core_events.MemberJoined})


class Traffic:
    """Rates over a span of time, headers included: lists by host, in the order of hosts."""

    def __init__(self, seconds: float, datagrams: list[float], sent: list[float]) -> None:
        self.seconds = seconds
        self.datagrams = datagrams
        self.bytes = sent

    @property
    def mean_bytes(self) -> float:
        """Mean bytes sent per second and host."""
        return sum(self.bytes) / max(1, len(self.bytes))

    @property
    def mean_datagrams(self) -> float:
        """Mean datagrams sent per second and host."""
        return sum(self.datagrams) / max(1, len(self.datagrams))

    def __repr__(self) -> str:
        return f"<{self.mean_datagrams:.2f} datagrams/s, {self.mean_bytes:.0f} bytes/s a host>"


class Cluster(World):
    """N hosts on one virtual network."""

    def __init__(
        self,
        nodes: int = 0,
        *,
        seed: int = 0,
        config: Config | None = None,
        latency: str = "lan",
        seeds: int | Iterable[HostLike] = 3,
        core: Callable[..., Core] | None = None,
        own_clocks: bool = True,
        encrypted: bool = False,
        identity: str = "off",
        trust: str = "pin",
        signatures: str = "stand_in",
        label: str = "",
    ) -> None:
        """Make the hosts; none is started.

        ``seeds`` is how many of the first hosts everybody joins by (or which ones). ``core`` stands
        in for ``Node``. ``own_clocks`` gives each host a monotonic clock that begins at a time of
        its own, as in reality; False makes event times equal to virtual time. ``encrypted`` gives
        all hosts a common key (``host.keyring``). ``identity`` is how far they go with identities
        of their own (``host.identity``: off, announce, require), ``trust`` what binds a key to a
        name (pin, authority), ``signatures`` what signs (stand_in, ed25519). ``label`` names them
        by their number (``"n{}"``: n0, n1, whatever the size); by default they sort by it.
        """
        self.seed = seed
        self.streams = Streams(seed)
        self._booting = 0
        self.clock = Clock()
        self.trace = Trace()
        self.network = Network(self.clock, self.streams, latency)
        self.config = config or Config(join=("seeds:7946",))
        self.network.limit = self.config.max_datagram
        self.own_clocks = own_clocks
        self.encrypted = encrypted
        self.identity = identity
        self.keys = Keys(self.config.cluster, trust=trust, signatures=signatures)
        self._core: Callable[..., Any] = core or partial(Node, page_reader=_read_page)
        self.hosts: list[Host] = []
        self.by_label: dict[str, Host] = {}
        self.counts: Counter[str] = Counter()
        self.events: list[tuple[float, str, Any]] = []
        self.name_service = True
        #: Statistics of every core that was ever started, dead ones included.
        self.stats: list[Any] = []
        #: Called with each host that is added, before it starts.
        self.on_spawn: list[Callable[[Host], None]] = []
        self.on_register = []
        self._watchers: dict[type, list[Watcher]] = {}
        self._addresses = 0
        label = label or f"n{{:0{len(str(max(nodes - 1, 1)))}}}"
        for index in range(nodes):
            self.spawn(label.format(index), start=False)
        self.seeds: list[Host] = (
            self.hosts[:seeds] if isinstance(seeds, int) else [self[one] for one in seeds]
        )

    # -- hosts -----------------------------------------------------------------------------

    def __getitem__(self, key: HostLike) -> Host:
        """Look a host up by number or label."""
        if isinstance(key, Host):
            return key
        return self.by_label[key] if isinstance(key, str) else self.hosts[key]

    def __iter__(self) -> Iterator[Host]:
        return iter(self.hosts)

    def __len__(self) -> int:
        return len(self.hosts)

    @property
    def live(self) -> list[Host]:
        """Hosts that are up (a paused one is)."""
        return [host for host in self.hosts if host.up]

    @property
    def peers(self) -> list[Host]:
        """Hosts that are up and belong to this cluster, not to another one on the same network."""
        own = self.config.cluster
        return [host for host in self.hosts if host.up and host.config.cluster == own]

    def spawn(
        self,
        label: str,
        *,
        name: str = "",
        address: Address | None = None,
        config: Config | None = None,
        start: bool = True,
    ) -> Host:
        """Add a host; ``name`` is its node's name, if another host has that label."""
        if label in self.by_label:
            raise ValueError(f"there is a host {label!r} already")
        host = Host(
            self,
            label,
            len(self.hosts),
            address or self.new_address(),
            config or self.config,
            name or label,
        )
        self.hosts.append(host)
        self.by_label[label] = host
        for call in self.on_spawn:
            call(host)
        if start:
            host.start()
        return host

    def new_address(self) -> Address:
        """Return an address that nobody has had."""
        self._addresses += 1
        high, low = divmod(self._addresses, 250)
        return (f"10.{high // 250}.{high % 250}.{low + 1}", 7946)

    def taken(self, address: Address) -> bool:
        """Return whether a host that is up has that address."""
        return any(host.up and host.address == address for host in self.hosts)

    def new_literal(self, family: int) -> str:
        """Return an IPv4 or IPv6 literal that nobody has had."""
        if family == 4:
            return self.new_address()[0]
        self._addresses += 1
        return f"fd00::{self._addresses:x}"

    def new_core(self, host: Host) -> Core:
        """Build a host's core for its next boot."""
        stream = self.streams(f"node/{host.label}/{host.boots}")
        more: dict[str, Any] = {}
        if self.encrypted:
            more["envelope"] = host.new_envelope(self.streams)
        if host.identity != "off":
            more["identity"] = self.keys.identity(
                host.node_name, host.identity, host.pins, host.wall_ms(), host.revocations
            )
        core: Core = self._core(
            host.config,
            name=host.node_name,
            addresses=host.announced(),
            generation=make_generation(host.wall_ms(), stream, above=host.last_generation),
            rng=stream,
            now=host.core_time(),
            wall_ms=host.wall_ms(),
            **more,
        )
        self.stats.append(core.stats)
        return core

    def resolve_seeds(self, host: Host) -> list[Address] | None:
        """Resolve the seeds of a host; None while the name service is down."""
        if not self.name_service:
            return None
        if host.seeds is not None:
            found = list(host.seeds)
        else:
            found = [address for seed in self.seeds for address in seed.announced()]
        return [address for address in found if host.reaches(address)]

    @staticmethod
    def live_count(core: Core) -> int:
        """Count the members that a core talks to, itself included."""
        return core.table.live_count()  # type: ignore[no-any-return]

    # -- time ------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """Virtual seconds since the beginning."""
        return self.clock.now

    def advance(self, seconds: float) -> None:
        """Let virtual time pass."""
        self.clock.run_until(self.clock.now + seconds)

    def until(self, true: Callable[[], bool], *, within: float, step: float = 0.05) -> float | None:
        """Advance by steps until ``true()``: the seconds it took, or None when it did not."""
        begin = self.now
        while not true():
            if self.now - begin >= within:
                return None
            self.advance(min(step, begin + within - self.now) or step)
        return self.now - begin

    def boot(self, *, over: float = 0.0, hosts: Iterable[HostLike] | None = None) -> None:
        """Start hosts, all of them by default: now, or spread evenly over some seconds."""
        chosen = self.hosts if hosts is None else [self[host] for host in hosts]
        for place, host in enumerate(chosen):
            if over:
                self._booting += 1
                self.clock.at(self.now + over * place / len(chosen), self._start, host)
            elif not host.up:
                host.start()

    def _start(self, host: Host, _: object) -> None:
        self._booting -= 1
        if not host.up:
            host.start()

    def settle(self, *, within: float = 30.0, step: float = 0.05) -> float:
        """Advance until all live hosts agree; the seconds it took.

        Raises AssertionError, saying who differs, when they do not within ``within`` seconds.
        """
        took = self.until(self.agreed, within=within, step=step)
        if took is None:
            prints = Counter(self.fingerprints().values())
            common = prints.most_common(1)[0][0]
            odd = [label for label, value in self.fingerprints().items() if value != common]
            raise AssertionError(
                f"{len(prints)} different views after {within:g} s; differing from the most"
                f" common one: {', '.join(odd[:10])}{' ...' if len(odd) > 10 else ''}"
            )
        return took

    def fingerprints(self) -> dict[str, int]:
        """Fingerprint of each live host's view."""
        return {host.label: host.fingerprint for host in self.peers}

    def agreed(self) -> bool:
        """Return whether all live hosts have the same view, and all of them are in it.

        Not as long as ``boot(over=...)`` has hosts left to start.
        """
        if self._booting:
            return False
        live = self.peers
        first = live[0].fingerprint if live else 0
        if any(host.fingerprint != first for host in live):
            return False
        return not live or self.live_count(live[0].core) == len({h.node_name for h in live})

    # -- faults of the network ---------------------------------------------------------------

    def loss(self, p: float, on: Iterable[HostLike] | None = None) -> None:
        """Lose a share of all datagrams, or of those sent or received by some hosts."""
        self.network.remove_rule("loss")
        chosen = None if on is None else {self[host].index for host in on}

        def rule(host: Peer, peer: Peer, link: Link) -> None:
            if chosen is None or host.index in chosen or peer.index in chosen:
                link.add_loss(p)

        if p:
            self.network.add_rule("loss", rule)

    def delay(self, seconds: float, on: Iterable[HostLike] | None = None) -> None:
        """Delay all datagrams, or those sent or received by some hosts, beyond their latency."""
        self.network.remove_rule("delay")
        chosen = None if on is None else {self[host].index for host in on}

        def rule(host: Peer, peer: Peer, link: Link) -> None:
            if chosen is None or host.index in chosen or peer.index in chosen:
                link.extra += seconds

        if seconds:
            self.network.add_rule("delay", rule)

    def cut(self, a: Iterable[HostLike], b: Iterable[HostLike], *, both: bool = True) -> str:
        """Let nothing pass from ``a`` to ``b`` (and back); the key for ``heal``."""
        left = {self[host].index for host in a}
        right = {self[host].index for host in b}

        def rule(host: Peer, peer: Peer, link: Link) -> None:
            there = host.index in left and peer.index in right
            if there or (both and host.index in right and peer.index in left):
                link.cut = True

        key = f"cut/{len(self.network.rules)}/{self.clock.order()}"
        self.network.add_rule(key, rule)
        return key

    def heal(self, key: str | None = None) -> None:
        """End one fault of the network, or all of them."""
        for one in [key] if key is not None else list(self.network.rules):
            self.network.remove_rule(one)

    # -- what happens ------------------------------------------------------------------------

    def watch(self, kind: type, call: Watcher) -> None:
        """Call ``call(host, event)`` for each event of that class, from now on."""
        self._watchers.setdefault(kind, []).append(call)

    def unwatch(self, kind: type, call: Watcher) -> None:
        """Call it no longer."""
        self._watchers[kind].remove(call)

    def on_event(self, host: Any, event: Any) -> None:
        """Take an event of a core (called by hosts)."""
        kind = type(event)
        name = kind.__name__
        self.counts[name] += 1
        now = self.clock.now
        self.trace.event(now, host.index, name)
        if kind not in _FREQUENT:
            self.events.append((now, host.label, event))
        for call in tuple(self._watchers.get(kind, ())):
            call(host, event)

    def note(self, host: Host, what: str) -> None:
        """Write down what was done to a host: into the trace and the events."""
        self.trace.event(self.clock.now, host.index, what)
        self.events.append((self.clock.now, host.label, what))

    def mark(self) -> tuple[float, list[int], list[int]]:
        """Remember now, for ``traffic(since=...)``."""
        datagrams = [host.sent_datagrams for host in self.hosts]
        return (self.now, datagrams, [host.sent_bytes for host in self.hosts])

    def traffic(
        self, *, since: tuple[float, list[int], list[int]], hosts: Iterable[HostLike] | None = None
    ) -> Traffic:
        """Rates sent since a mark by all hosts or some (those added later are left out)."""
        begin, datagrams, sent = since
        span = max(self.now - begin, 1e-9)
        chosen = range(len(sent)) if hosts is None else [self[host].index for host in hosts]
        return Traffic(
            span,
            [(self.hosts[i].sent_datagrams - datagrams[i]) / span for i in chosen],
            [(self.hosts[i].sent_bytes - sent[i]) / span for i in chosen],
        )
