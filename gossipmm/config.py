"""One typed configuration for every face; presets as differences from one another.

``Config`` is flat: a TOML key, an environment variable ``GOSSIPMM_<FIELD>``, a flag and a keyword
all name a field the same way. Loading from those sources is ``gossipmm.settings``.

Each field says what it does, in which unit, and what raising it costs or buys. Times are seconds,
sizes bytes. Numbers without a source are simulation results (see ``sim/RESULTS.md``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from ipaddress import ip_network
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Unpack

from gossipmm.addresses import parse_address, parse_registration, parse_seed
from gossipmm.config_identity import check_identity
from gossipmm.config_ranges import RANGES
from gossipmm.config_values import CONVERTERS, Given, nearest, unknown
from gossipmm.errors import ConfigError, SeedError
from gossipmm.mechanisms import Mechanism
from gossipmm.names import PREFERENCES, why_not_name

if TYPE_CHECKING:
    from gossipmm.config_fields import ConfigFields
    from gossipmm.config_handlers import Handler, QueryHandler
    from gossipmm.config_services import Service

__all__ = ("PRESETS", "Config", "converters")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything that can be set, validated when built.

    Lists may be given for tuples, and whole numbers for others. Raises ConfigError, naming the
    field, when a value is of the wrong type or out of range, and SeedError for a malformed seed.
    """

    # -- who and where ---------------------------------------------------------------------
    #: Name of this node, unique in the cluster; empty: the host's name. At most 64 bytes.
    name: str = ""
    #: Name of the cluster; datagrams of other clusters are counted and dropped. At most 64 bytes.
    cluster: str = "gossipmm"
    #: UDP address to bind, ``host:port`` or ``[v6]:port``. Port 0 lets the system choose.
    bind: str = "127.0.0.1:7946"
    #: Address at which others reach this node; empty: the bound one. Needed behind NAT, and when
    #: bound to a wildcard address.
    advertise: str = ""
    #: Seeds, ``name:port``: resolved again for as long as the node lives.
    join: tuple[str, ...] = ()
    #: Registrations to make at start: ``topic`` (for this node's own name) or ``topic=host``.
    register: tuple[str, ...] = ()
    #: Services, ``[[service]]`` in a file: registrations that are listed while their checks pass
    #: (see ``gossipmm/docs/services.md``). No flag and no variable gives them.
    service: tuple[Service, ...] = ()
    #: Handlers, ``[[on]]`` in a file: programs that run when something happens.
    on: tuple[Handler, ...] = ()
    #: Programs that answer queries (``gossipmm query``), ``[[query]]`` in a file.
    query: tuple[QueryHandler, ...] = ()
    #: A small map of strings shown beside this node in every member list (at most 256 bytes).
    metadata: Mapping[str, str | int | bool] = field(default_factory=lambda: MappingProxyType({}))
    #: Bind to other addresses than loopback although no key is configured. Anybody who can send
    #: a datagram to the port can then change the table.
    insecure: bool = False
    #: File that remembers the last generation and the last known peers; empty: none.
    state_file: str = ""
    #: File of gossip keys (JSON list of {kid, key}); empty: not encrypted. Its folder has to be
    #: writable: a rotation replaces the file.
    keyring: str = ""
    #: File of keys that is copied to ``keyring`` where that is missing, or when it has a key that
    #: ``keyring`` never had: for keys that come in a read-only folder, as those of systemd's
    #: ``LoadCredential`` and of Kubernetes' secrets. Empty: none.
    keyring_seed: str = ""
    #: How far this node goes with identities (see ``gossipmm/docs/howto/identities.md``): ``off``;
    #: ``announce``: it signs what it says of itself, and a name once seen signed is never taken
    #: unsigned again; ``require``: what is not signed is refused, whatever the name.
    identity: str = "off"
    #: File of this node's own key, made at the first start if it is not there; empty: beside
    #: ``state_file``, with ``.identity`` behind its name.
    identity_key: str = ""
    #: File of this node's certificate (``gossipmm ca issue``); read again at a reload. Empty: none.
    certificate: str = ""
    #: Public keys of the authorities whose certificates count (``gossipmm ca show`` prints them):
    #: with any, a key speaks for a name by a certificate only. Empty: the first key of a name that
    #: this node sees is the one that counts.
    authority: tuple[str, ...] = ()
    #: File of certificates that the authority revoked (``gossipmm ca revoke``); read again at a
    #: reload. One node that has it tells all others. Empty: none.
    revocations: str = ""
    #: Control socket of ``gossipmm agent``: a path, or a name in the default folder (see
    #: ``gossipmm.client.place``); empty: this node's name there; ``none``: no socket. Whoever may
    #: write to it (mode 0660) may do everything. An embedded agent has none.
    control: str = ""
    #: Loopback TCP port that serves the same, for browsers (the status page) and for programs
    #: without Unix sockets; 0: none. Every user of this machine may then use it.
    control_port: int = 0
    #: Address at which only ``/livez``, ``/readyz`` and ``/metrics`` are served, to other machines
    #: as well: for Kubernetes' probes and Prometheus. ``host:port``; empty: none.
    health_bind: str = ""
    #: Port of the sidecar's DNS responder on loopback, UDP and TCP (requires the extra ``[dns]``);
    #: 0: no DNS. Consul's 8600 is a usual choice.
    dns_port: int = 0
    #: The zone it answers for: ``compute.gossipmm.`` are the hosts of the topic ``compute``.
    dns_zone: str = "gossipmm."
    #: TCP port of the read part of Consul's catalog and health API, for programs that speak it;
    #: 0: none.
    consul_port: int = 0
    #: Address (an IP address) at which ``consul_port`` is served; empty: loopback only. Anybody who
    #: can reach it can read the table.
    consul_bind: str = ""
    #: How the agent's log is written to stderr: ``text``, or ``json`` (an object a line, with the
    #: fields of each event; see ``gossipmm.sidecar.ops.logs``).
    log_format: str = "text"
    #: Classical JSON ring file; answers while the table is not yet joined. Empty: none.
    ring_file: str = ""

    # -- the protocol period ---------------------------------------------------------------
    #: Time between two exchanges with the successor on the ring; every fourth time another member
    #: is asked as well. Lower: faster detection and more traffic, both in proportion (2.5 datagrams
    #: a node in each interval, about 86 bytes each).
    gossip_interval: float = 1.25
    #: Share of the interval by which each one is randomly longer or shorter, so that nodes
    #: booted together drift apart.
    jitter: float = 0.1
    #: An unanswered probe is sent again after resend_base x (1, 3, 7); at 8 x, helpers are asked.
    #: Stretched to the measured round trip. Lower: more duplicates on slow networks.
    resend_base: float = 0.025
    #: Members asked to reach an unresponsive one. Raising it makes false suspicions under loss
    #: rarer, at the price of that many datagrams per failed probe.
    helpers: int = 3
    #: Shortest time from suspicion to death, when it is confirmed by ``confirmations`` others.
    #: Raising it gives the accused more time and delays every detection by as much.
    suspicion_min: float = 1.0
    #: Longest time to death = suspicion_min x this, when nobody confirms (Lifeguard, section IV.B).
    #: Raising it protects healthy members from a single sick accuser.
    suspicion_factor: float = 3.0
    #: Independent confirmations that bring a suspicion down to its minimum.
    confirmations: int = 3

    # -- broadcasts ------------------------------------------------------------------------
    #: Live peers to which a change is pushed at once, and as many again 15 ms later. 4 and 4 reach
    #: all of 100 nodes at p99 38 ms; 3 and 3 leave more to the exchanges; 8 doubles the bytes.
    fanout: int = 4
    #: Delay of the second push.
    second_push: float = 0.015
    #: Bytes a second of pushed broadcasts, and the burst allowed. Whatever finds no room within two
    #: intervals is left to the exchanges.
    broadcast_rate: float = 65536.0
    broadcast_burst: float = 65536.0
    #: Largest UDP payload sent, envelope included. 1,200 passes every path that IPv6 allows
    #: (RFC 8200 section 5 minus headers; as QUIC, RFC 9000 section 14). Single paths that carry
    #: less are found out by themselves, and what goes there is cut, for a fifth more bytes. Smaller
    #: values are for networks in which all paths are small, such as VPNs in VPNs: give all members
    #: the same. Pages of a record are 200 bytes smaller, so long metadata may no longer fit.
    max_datagram: int = 1200

    # -- memory of the dead ----------------------------------------------------------------
    #: How long a dead or left record is kept and retried before its generation is closed.
    reap_after: float = 86400.0
    #: Closed generations remembered, the oldest forgotten first.
    max_closed_generations: int = 10_000
    #: How long a topic without a live host is answered with its last known ones, after more than
    #: half of the members vanished at once (this agent may be the one cut off). 0 turns it off.
    stale_for: float = 60.0
    #: Returns from the dead (and starts after a life that had not left) within flap_window that
    #: count at once; later ones bring probation of
    #: min(2**returns, probation_max) seconds (route flap damping, RFC 2439, in spirit).
    flap_free_returns: int = 2
    flap_window: float = 600.0
    probation_max: float = 60.0

    # -- limits ----------------------------------------------------------------------------
    #: Members held at most. For further ones records of the gone are closed, those that left first;
    #: while all live, they are refused and counted.
    max_members: int = 10_000
    #: Registrations held of one node, at most.
    max_registrations: int = 10_000
    #: Bytes of memory for one node's record, at most; further pages are refused and counted. 10,000
    #: registrations with names of 40 bytes each take 7 MB, and 1 kB more each with metadata.
    #: Raising it lets one node fill more of ``max_table``.
    max_record: int = 33_554_432
    #: Bytes of memory for all records, at most: there is room for 10,000 members with 10
    #: registrations each. An agent takes some 45 MB besides: all of it fits into the 192 MiB of the
    #: printed manifest. Raising it allows larger clusters, and lets whoever has the key fill more
    #: memory.
    max_table: int = 100_663_296
    #: A heartbeat or version that is more than this above the last one known is refused and
    #: counted. Never less than 8 x reap_after / gossip_interval is in force: honest counters rise
    #: by about two an interval, and records are forgotten after reap_after. Lowering it makes it
    #: take more forgeries to exhaust a member's counter (2**32).
    max_jump: int = 4_194_304
    #: Members that one accuser may hold suspect here at a time; its further accusations are counted
    #: and ignored. Each of N nodes fails to reach at most 2 members a second. Lowering it contains
    #: a confused or hostile accuser; too low, and the death of a rack is told slowly.
    max_accusations: int = 256
    #: Datagrams a second (and twice as many at once) read from one IP address that is not validated
    #: yet; the rest are dropped unread. An unread one costs about 1 us, a forged one that is read
    #: 10 us. Many agents on one new host share this at their start.
    source_rate: float = 1000.0
    #: The same for each validated address, counted after authentication: bounds the work that one
    #: member can cause, to half of a core. A datagram that takes more than 0.1 ms counts as
    #: several, by the records that are looked at for it. Bulk transfers reach a thousand or two.
    peer_rate: float = 5000.0
    #: Networks that may take part (``10.0.0.0/8``, ``2001:db8::/32``): datagrams from elsewhere,
    #: and records that announce an address elsewhere, are refused before anything else. Empty:
    #: everybody. An address is easily forged: this does not replace a key.
    allow: tuple[str, ...] = ()
    #: Time that a graceful leave may take.
    leave_timeout: float = 2.0
    #: Ask seeds at join whether they reach the address that this node announces, and answer such
    #: questions: a few datagrams each, which change nothing. Off: nothing explains why a join
    #: fails, and strangers get no answer at all.
    dial_back: bool = True
    #: Tell members that ask (``gossipmm status --all``) how this agent is: its verdict, reasons as
    #: codes, its version and since when it runs. False: they are told that it does not say.
    answer_health: bool = True
    #: Answer queries of members (``gossipmm query``): ``ping`` and ``version`` itself, ``health``
    #: if ``answer_health`` says so too, and others where something answers them (``[[query]]``, or
    #: a function of the program). False: they are told that it does not.
    answer_queries: bool = True
    #: Let members take this node, or registrations of it, out of new picks, and put them back
    #: (``gossipmm drain --member``). Whoever holds the key can then do so from any host: for
    #: clusters whose hosts have one operator. Without a key only on loopback.
    accept_drain: bool = False
    #: Tell watchers and handlers user events that were sent before this agent began, as far as they
    #: are remembered (60 s). False: only those sent since.
    replay_events: bool = False
    #: Time between two resolutions of the seeds while others are known (while alone: 1 s).
    seed_interval: float = 30.0
    #: Direct keys (``topic.host``) answer only a host that is alive in the topic. In a topic that
    #: nobody registers, such as ``zmq_replies`` of the classical RPC, the host has to be up in any
    #: topic, or a member to have its name. False: always, as the classical matchmaker did.
    direct_checks_liveness: bool = True
    #: Which hosts a topic is answered with: ``none``: any live one in turn. ``zone``: those of this
    #: node's own zone (``metadata.zone``) first. ``near``: those at most twice as far as the
    #: nearest and 5 ms more, which takes ``distances``. Weights (metadata ``weight`` of a
    #: registration, 100 without) count either way. Each call of ``queues`` and ``lookup`` may say
    #: otherwise.
    prefer: str = "none"
    #: Live hosts of its own zone below which a node that prefers it picks from all zones. With 1 a
    #: zone's last host gets all of its work; with as many as it takes to do it, others help before.
    zone_spill: int = 1
    #: Exchange mostly within a zone: a third of the bytes between zones. Set it on all, or on none.
    zone_exchanges: bool = False

    #: Keep a network coordinate, by which distances (round trips) between any two members are
    #: estimated: for ``rtt``, for lists by distance, and for ``prefer = "near"``. 3 bytes a second.
    distances: bool = False

    # -- simulation only -------------------------------------------------------------------
    #: Mechanisms switched off, to show in simulation what each is for (``gossipmm-sim ablate``).
    #: Only code can set this: no file, no environment, no flag. Never in production.
    without: frozenset[Mechanism] = frozenset()

    def __new__(cls, **fields: Any) -> Config:
        """Refuse a misspelt field as every other face does, before Python says it in its way."""
        for name in fields:
            if name not in cls.__dataclass_fields__:
                raise unknown(name, name, cls.__dataclass_fields__)
        return object.__new__(cls)

    def __post_init__(self) -> None:
        """Refuse values of the wrong type or out of range, naming the field and what is allowed."""
        for name, convert in converters().items():
            value = getattr(self, name)
            converted = value if value == () else convert(Given(value, name))
            if converted is not value:
                object.__setattr__(self, name, converted)
        for name, allowed in RANGES.items():
            value = getattr(self, name)
            if not allowed.low <= value <= allowed.high:
                raise ConfigError(
                    f"{value!r} is not between {allowed.low} and {allowed.high}{allowed.why}",
                    path=name,
                )
        # A node without a name takes the host's when it is opened.
        if self.name and (reason := why_not_name("node name", self.name)):
            raise ConfigError(reason, path="name")
        if reason := why_not_name("cluster name", self.cluster):
            raise ConfigError(reason, path="cluster")
        if self.log_format not in ("text", "json"):
            raise ConfigError(f"{self.log_format!r} is not text or json", path="log_format")
        if self.prefer not in PREFERENCES:
            known = " or ".join(PREFERENCES)
            why = f"{self.prefer!r} is not {known}{nearest(self.prefer, PREFERENCES)}"
            raise ConfigError(why, path="prefer")
        if self.keyring_seed and not self.keyring:
            why = "names keys, but keyring does not say where this node keeps its own file of them"
            raise ConfigError(why, path="keyring_seed")
        check_identity(
            self.identity,
            self.identity_key or self.state_file,
            self.certificate,
            self.authority,
            self.revocations,
        )
        self._check_texts()

    def _check_texts(self) -> None:
        """Refuse addresses, networks, seeds and registrations that could never be used."""
        parse_address(self.bind, path="bind")
        if self.health_bind:
            parse_address(self.health_bind, path="health_bind")
        if self.consul_bind:
            _check_consul(self.consul_bind, self.consul_port)
        if self.advertise:
            parse_address(self.advertise, path="advertise", default_port=0)
        for text in self.allow:
            try:
                ip_network(text)
            except ValueError as exc:
                raise ConfigError(f"{exc}: write it like 10.0.0.0/8", path="allow") from None
        for text in self.join:
            try:
                parse_seed(text)
            except SeedError as exc:
                raise SeedError(f"join: {exc}") from None
        served: set[tuple[str, str]] = set()
        for one in self.service:
            name = (one.topic, one.host or self.name)
            if name in served:
                why = (
                    f"{one.topic} of {name[1]} is there twice: as this node's own, and by its name"
                )
                raise ConfigError(why, path="service")
            served.add(name)
        for text in self.register:
            topic, host = parse_registration(text)
            if (topic, host or self.name) in served:
                why = f"{text!r} is a service as well, whose checks decide: say it once"
                raise ConfigError(why, path="register")

    @property
    def jump(self) -> int:
        """Largest step of a counter that is believed: ``max_jump``, or what honest ones take."""
        return max(self.max_jump, int(8 * self.reap_after / self.gossip_interval))

    @property
    def probe_time(self) -> float:
        """Shortest time that a probe lasts, in seconds, and the unit of this node's own lateness.

        Twenty units of resends, in which all tries and the helpers' have their time.
        """
        return max(0.5, 20 * self.resend_base)

    @property
    def quiet_max(self) -> float:
        """Longest time without a datagram, in seconds, at a node that hears the others.

        Its predecessor on the ring asks it, and its successor answers it, once an interval: that is
        the longest interval and the tries up to the helpers'. Where intervals are short, two of
        them or a second, because at loss one exchange may fail.
        """
        longest = self.gossip_interval * (1.0 + self.jitter) + 8 * self.resend_base
        return min(2 * self.gossip_interval, max(1.0, longest))

    @property
    def suspicion_max(self) -> float:
        """Longest time from suspicion to death, in seconds, before it is stretched by loss."""
        return self.suspicion_min * self.suspicion_factor

    @classmethod
    def preset(cls, preset: str = "lan", /, **changes: Unpack[ConfigFields]) -> Config:
        """Build a configuration from a preset and the fields that differ from it."""
        try:
            base = PRESETS[preset]
        except KeyError:
            raise ConfigError(
                f"{preset!r} is not one of {', '.join(PRESETS)}{nearest(preset, PRESETS)}",
                path="preset",
            ) from None
        given: dict[str, Any] = {**changes}
        return replace(cls(**base), **given)


def _services(given: Given) -> tuple[Service, ...]:
    from gossipmm.config_services import services  # most programs have none

    return services(given)


def _handlers(given: Given) -> tuple[Handler, ...]:
    from gossipmm.config_handlers import handlers

    return handlers(given)


def _query_handlers(given: Given) -> tuple[QueryHandler, ...]:
    from gossipmm.config_handlers import query_handlers

    return query_handlers(given)


#: The conversion for each annotation of ``Config``.
_READERS = {
    **CONVERTERS,
    "tuple[Service, ...]": _services,
    "tuple[Handler, ...]": _handlers,
    "tuple[QueryHandler, ...]": _query_handlers,
}


@cache
def _check_consul(host: str, port: int) -> None:
    """Refuse an address at which nothing can be served, or nothing is. Raises ConfigError."""
    from ipaddress import ip_address

    try:
        ip_address(host)
    except ValueError:
        why = f"{host!r} is not an IP address: write one, as 10.0.0.1, without a port"
        raise ConfigError(why, path="consul_bind") from None
    if not port:
        raise ConfigError(f"is {host}, but consul_port says no port", path="consul_bind")


def converters() -> Mapping[str, Callable[[Given], Any]]:
    """Return the conversion of each field, by its annotation."""
    return MappingProxyType({each.name: _READERS[str(each.type)] for each in fields(Config)})


#: Presets, each as its differences from the defaults (``lan``).
PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "lan": MappingProxyType({}),
        # Round trips up to 300 ms: resends wait for them, suspicions for a few of them.
        "wan": MappingProxyType(
            {
                "gossip_interval": 2.5,
                "resend_base": 0.1,
                "suspicion_min": 3.0,
                "second_push": 0.1,
                "seed_interval": 60.0,
            }
        ),
        # Everything on one machine: tests, demos, development.
        "local": MappingProxyType(
            {
                "gossip_interval": 0.5,
                "resend_base": 0.02,
                "suspicion_min": 0.5,
                "second_push": 0.005,
            }
        ),
    }
)
