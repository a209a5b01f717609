"""The zone that DNS clients see: one query in, one answer out; no sockets here.

    compute.gossipmm.            A, AAAA   addresses of the live hosts of the topic
    _compute._udp.gossipmm.      SRV       the same hosts with the port of their registration's
    _compute._tcp.gossipmm.                metadata ``port``; a host without one is left out
    host-a.node.gossipmm.        A, AAAA   what the member announces, whether it is alive or not;
                                           of several members of one DNS name, the live ones
    gossipmm.                    SOA, NS

* TTL 0 everywhere; an answer is whole, and in another order for each query. What does not fit into
  the datagram that the client takes loses its additional records first; then it is cut, in an order
  that stays the same for a client, and marked as truncated: over TCP it is whole (``fitting.py``).
* The hosts are those of a round-robin pick: draining ones are left out, suspected ones come only
  while nobody is live. Addresses are those of this node's own zone, or near ones, where it prefers
  that, without hosts of weight 0; services are all, with a priority and a weight each
  (``weights.py``). A host's address is that of the member of this name; without one, that of the
  nodes that register it.
* A topic that nobody live serves is NODATA; one that no record has is NXDOMAIN, or SERVFAIL while
  the table is not yet joined (then a missing topic proves nothing). Outside the zone: REFUSED.
* DNS ignores the case of ASCII letters: topics that differ only in it are one name, and so are
  members, which is logged once.
* A name with a label of more than 63 bytes is not a DNS name and cannot be asked for.

RFC 1035, 2181, 2308 (negative answers), 2782 (SRV), 6891 (EDNS), 8020, 8914 (extended errors).
"""

from __future__ import annotations

import logging
import random
import struct
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, NamedTuple

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from dns.rdtypes.IN.SRV import SRV

from gossipmm.core.values.types import HostEntry, MemberView, Status, TopicView
from gossipmm.errors import ConfigError
from gossipmm.matchmaker.near import NearTopicExchange
from gossipmm.matchmaker.placed import place_of
from gossipmm.sidecar.dns.fitting import fitted
from gossipmm.sidecar.dns.weights import Offer, offers

if TYPE_CHECKING:
    from gossipmm.agent import Agent

__all__ = ("MAX_PAYLOAD", "Zone")

#: Largest UDP answer, for a client that takes as much: loopback carries 65,536 bytes at once.
#: Beyond one machine it would be 1,232 (DNS flag day 2020).
MAX_PAYLOAD = 65_000
#: Records of one answer: more do not fit into any message.
MAX_RECORDS = 4096
#: Seconds for which a spelling in another case may be missed, or an address be old.
_INDEX_AGE = 0.25
#: Collisions of names that are remembered as said.
_MOST_SAID = 100
_LIVE = frozenset({Status.ALIVE, Status.SUSPECT})

_IN = dns.rdataclass.IN
_A, _AAAA = dns.rdatatype.A, dns.rdatatype.AAAA
_NS, _SOA, _SRV = dns.rdatatype.NS, dns.rdatatype.SOA, dns.rdatatype.SRV
_TRANSFERS = frozenset({dns.rdatatype.AXFR, dns.rdatatype.IXFR})
_PROTOCOLS = frozenset({b"_udp", b"_tcp"})
_HEADER = struct.Struct("!6H")

_log = logging.getLogger(__name__)


class _Index(NamedTuple):
    """What only a scan of the whole table can find; rebuilt when it is too old."""

    made: float
    #: Label in lower case -> topics that are spelled so.
    topics: dict[bytes, list[str]]
    #: Dotted name in lower case -> members.
    nodes: dict[bytes, list[str]]
    #: Names above the dotted names of members: they exist, and are empty.
    inner: set[bytes]
    addresses: dict[str, Mapping[str, dns.rdata.Rdata]]


class _Found(NamedTuple):
    """A name that exists; at most one of the three is given."""

    topics: Sequence[TopicView] = ()
    services: Sequence[TopicView] = ()
    nodes: Sequence[str] = ()
    apex: bool = False


def names_of(zone: str) -> tuple[dns.name.Name, dns.name.Name]:
    """Return a zone's name, and the one below which the nodes are. Raises ConfigError."""
    try:
        name = dns.name.from_text(zone)
        return name, dns.name.from_text("node", name)
    except (dns.exception.DNSException, UnicodeError) as exc:
        raise ConfigError(f"{zone!r} is not a DNS name: {exc}", path="dns_zone") from None


class Zone:
    """Answers queries about one agent's table. Raises ConfigError for a bad ``zone``."""

    def __init__(self, agent: Agent, zone: str, rng: random.Random) -> None:
        self._agent = agent
        self._rng = rng
        self._index = _Index(float("-inf"), {}, {}, set(), {})
        self._said_too_large = False
        self._near = NearTopicExchange(agent.table)
        #: Collisions of members' DNS names that have been logged.
        self._said: set[tuple[str, ...]] = set()
        self._name, self._below_nodes = names_of(zone)
        # The responder listens on loopback only, and has no other name.
        soa = "localhost. root.localhost. 1 3600 600 86400 0"
        self._soa = dns.rrset.from_text(self._name, 0, "IN", "SOA", soa)
        self._ns = dns.rrset.from_text(self._name, 0, "IN", "NS", "localhost.")

    # -- messages --------------------------------------------------------------------------

    def answer_untrusted(self, data: bytes, *, tcp: bool = False, client: str = "") -> bytes | None:
        """Answer one message; None: not one that deserves an answer. Never raises.

        ``client`` is the address that asks: what has to be cut is cut the same way for it each
        time.
        """
        if len(data) < _HEADER.size:
            return None
        identity, flags, questions, answers, authorities, more = _HEADER.unpack_from(data)
        if flags & dns.flags.QR:
            return None  # answering answers would make loops
        if (flags >> 11) & 15:
            return _bare(identity, flags, dns.rcode.NOTIMP)
        # Nothing beyond EDNS and a signature belongs here, and parsing it could take long.
        if questions != 1 or answers or authorities or more > 2:
            return _bare(identity, flags, dns.rcode.FORMERR)
        try:
            query = dns.message.from_wire(data)
        except Exception:  # whatever a parser may raise on hostile bytes
            return _bare(identity, flags, dns.rcode.FORMERR)
        try:
            return self._answer(query, tcp, client)
        except Exception:
            # A mistake here must cost an answer, not the agent.
            _log.exception("no answer to %s", query.question[0])
            return _bare(identity, flags, dns.rcode.SERVFAIL)

    def _answer(self, query: dns.message.Message, tcp: bool, client: str) -> bytes:
        response = dns.message.make_response(query, our_payload=MAX_PAYLOAD, pad=0)
        size = 512
        if query.edns >= 0:
            size = min(max(size, query.payload), MAX_PAYLOAD)
        notes: list[dns.edns.Option] = []
        if query.edns > 0:
            response.set_rcode(dns.rcode.BADVERS)
        else:
            self._fill(response, query.question[0], notes)
        if notes and query.edns == 0:
            response.use_edns(0, 0, MAX_PAYLOAD, query.payload, notes)
        wire, whole = fitted(response, 65535 if tcp else size, client)
        if tcp and not whole and not self._said_too_large:
            self._said_too_large = True
            _log.warning(
                "DNS: the hosts of %s do not fit into one message, even over TCP: clients see a "
                "part of them",
                query.question[0].name,
            )
        return wire

    def _fill(
        self,
        response: dns.message.Message,
        question: dns.rrset.RRset,
        notes: list[dns.edns.Option],
    ) -> None:
        name, rdtype = question.name, question.rdtype
        outside = question.rdclass != _IN or not name.is_subdomain(self._name)
        if outside or rdtype in _TRANSFERS:
            response.set_rcode(dns.rcode.REFUSED)
            return
        found = self._find(name.labels[: -len(self._name.labels)])
        if found is None and not self._agent.table.joined:
            response.set_rcode(dns.rcode.SERVFAIL)
            text = "this agent has not joined its cluster yet"
            notes.append(dns.edns.EDEOption(dns.edns.EDECode.NOT_READY, text))
            return
        response.flags |= dns.flags.AA
        if found is not None:
            self._add_records(response, name, rdtype, found)
            if response.answer and any(view.stale for view in (*found.topics, *found.services)):
                text = (
                    "no host is live: these are the last known ones, as this agent may be cut off"
                )
                notes.append(dns.edns.EDEOption(dns.edns.EDECode.STALE_ANSWER, text))
        else:
            response.set_rcode(dns.rcode.NXDOMAIN)
        if not response.answer:
            response.authority.append(self._soa)

    def _add_records(
        self,
        response: dns.message.Message,
        name: dns.name.Name,
        rdtype: dns.rdatatype.RdataType,
        found: _Found,
    ) -> None:
        wanted = (_SOA, _NS, _A, _AAAA, _SRV) if rdtype == dns.rdatatype.ANY else (rdtype,)
        for each in wanted:
            if found.apex and each in (_SOA, _NS):
                response.answer.append(self._soa if each == _SOA else self._ns)
            elif each in (_A, _AAAA) and not found.services:
                picked = [each for each in self._picks(found.topics) if each.priority == 0]
                hosts = [self._nodes(each.host) for each in picked if each.weight]
                _add(response.answer, name, self._some_addresses(each, found.nodes, *hosts))
            elif each == _SRV and found.services:
                self._add_services(response, name, found.services)

    # -- names -----------------------------------------------------------------------------

    def _find(self, labels: tuple[bytes, ...]) -> _Found | None:
        """Return what a name below the zone stands for; None: it does not exist."""
        lower = tuple(label.lower() for label in labels)
        if not labels:
            return _Found(apex=True)
        if len(labels) == 1 and (topics := self._topics(labels[0])):
            return _Found(topics=topics)
        if lower[-1] == b"node":
            return self._find_node(labels[:-1])
        if lower[-1] in _PROTOCOLS:
            if len(labels) == 1:
                return _Found()
            if len(labels) == 2 and labels[0].startswith(b"_"):
                services = self._topics(labels[0][1:])
                return _Found(services=services) if services else None
        return None

    def _topics(self, label: bytes) -> list[TopicView]:
        names = dict.fromkeys(self._fresh().topics.get(label.lower(), ()))
        names[label.decode(errors="surrogateescape")] = None  # one that the index does not have yet
        table = self._agent.table
        return [view for name in names if (view := table.topic(name)) is not None]

    def _find_node(self, labels: tuple[bytes, ...]) -> _Found | None:
        if not labels:
            return _Found()
        name = b".".join(labels)
        index = self._fresh()
        nodes = dict.fromkeys(index.nodes.get(name.lower(), ()))
        exact = name.decode(errors="surrogateescape")
        if self._agent.member(exact) is not None:
            nodes[exact] = None
        if nodes:
            return _Found(nodes=tuple(nodes) if len(nodes) < 2 else self._live_of(nodes))
        return _Found() if name.lower() in index.inner else None

    def _live_of(self, nodes: Iterable[str]) -> tuple[str, ...]:
        """Return the live ones of several members with one DNS name; none is live: all."""
        names = tuple(sorted(nodes))
        if names not in self._said and len(self._said) < _MOST_SAID:
            self._said.add(names)
            shown = ", ".join(map(repr, names))
            _log.warning(
                "members %s have one name in DNS, for which the live ones answer: rename one", shown
            )
        views = [self._agent.member(name) for name in names]
        live = [view.name for view in views if view is not None and view.status in _LIVE]
        return tuple(live) or names

    def _fresh(self) -> _Index:
        now = self._agent.now()
        if now - self._index.made > _INDEX_AGE:
            self._index = _index(self._agent, now)
        return self._index

    # -- hosts and addresses ---------------------------------------------------------------

    def _picks(self, views: Sequence[TopicView]) -> list[Offer]:
        """Return the hosts that a caller may pick, in random order, the preferred ones first."""
        config = self._agent.config
        place = place_of(config.prefer, self._agent.table.zone, config.zone_spill)
        near = self._near if config.prefer == "near" else None
        found = [each for view in views for each in offers(view, place, near)]
        self._rng.shuffle(found)
        return sorted(found, key=lambda each: each.priority) if place.zone or near else found

    def _some_addresses(
        self, rdtype: dns.rdatatype.RdataType, *hosts: Iterable[str]
    ) -> list[dns.rdata.Rdata]:
        """Return the addresses of a family; a host is given as its members."""
        chosen: dict[str, dns.rdata.Rdata] = {}
        for nodes in hosts:
            for node in nodes:
                for text, address in self._addresses(node).items():
                    if address.rdtype == rdtype:
                        chosen[text] = address
            if len(chosen) >= MAX_RECORDS:
                break
        return list(chosen.values())[:MAX_RECORDS]

    def _nodes(self, entry: HostEntry) -> tuple[str, ...]:
        """Return the members whose addresses are the host's."""
        if entry.host in entry.nodes or self._addresses(entry.host):
            return (entry.host,)
        return entry.nodes

    def _addresses(self, node: str) -> Mapping[str, dns.rdata.Rdata]:
        known = self._fresh().addresses.get(node)
        if known is None:
            view = self._agent.member(node)
            known = _announced(view) if view is not None else {}
        return known

    def _add_services(
        self, response: dns.message.Message, name: dns.name.Name, views: Sequence[TopicView]
    ) -> None:
        chosen: dict[tuple[int, str], tuple[int, int, dns.name.Name]] = {}
        for offer in self._picks(views):
            port = _port(offer.host)
            for node in self._nodes(offer.host) if port else ():
                target = _name_of(node, self._below_nodes)
                known = chosen.get((port, node), (offer.priority, -1))
                if target is not None and (offer.priority, -offer.weight) < (known[0], -known[1]):
                    chosen[port, node] = (offer.priority, offer.weight, target)
            if len(chosen) >= MAX_RECORDS:
                break
        targets = dict(list(chosen.items())[:MAX_RECORDS])
        make: Any = SRV  # a class without annotations
        records = [
            make(_IN, _SRV, priority, weight, port, target)
            for (port, _), (priority, weight, target) in targets.items()
        ]
        _add(response.answer, name, records)
        for node, target in {node: one[2] for (_, node), one in targets.items()}.items():
            for rdtype in (_A, _AAAA):
                _add(response.additional, target, self._some_addresses(rdtype, (node,)))


def _index(agent: Agent, now: float) -> _Index:
    index = _Index(now, {}, {}, set(), {})
    for topic in list(agent.table.topics):
        index.topics.setdefault(topic.encode().lower(), []).append(topic)
    for view in agent.members():
        name = view.name.encode().lower()
        index.nodes.setdefault(name, []).append(view.name)
        while b"." in name:
            name = name.partition(b".")[2]
            index.inner.add(name)
        index.addresses[view.name] = _announced(view)
    return index


def _announced(view: MemberView) -> Mapping[str, dns.rdata.Rdata]:
    """Return the addresses of a member that did not leave, as records by their text."""
    hosts = () if view.status is Status.LEFT else (host for host, _ in view.addresses)
    return {record.to_text(): record for record in map(_record, hosts)}


@lru_cache(maxsize=16_384)
def _record(literal: str) -> dns.rdata.Rdata:
    """Return the record of an address in its canonical spelling: equal ones must be one record."""
    address = ip_address(literal)
    rdtype = _A if address.version == 4 else _AAAA
    return dns.rdata.from_text(_IN, rdtype, str(address))


@lru_cache(maxsize=16_384)
def _name_of(node: str, below: dns.name.Name) -> dns.name.Name | None:
    """Return the DNS name of a member; None when there can be none."""
    try:
        return dns.name.Name((*node.encode().split(b"."), *below.labels))
    except dns.exception.DNSException:
        return None


def _port(entry: HostEntry) -> int:
    """Return the port in a registration's metadata, 0 without a usable one."""
    port = entry.metadata.get("port")
    if isinstance(port, str) and port.isascii() and port.isdigit():
        port = int(port[:6])
    if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536:
        return 0
    return port


def _add(
    section: list[dns.rrset.RRset],
    name: dns.name.Name,
    rdatas: list[dns.rdata.Rdata],
) -> None:
    if rdatas:
        section.append(dns.rrset.from_rdata_list(name, 0, rdatas))


def _bare(identity: int, flags: int, rcode: int) -> bytes:
    """Return a header alone, for a message that could not be, or is not to be, parsed."""
    kept = flags & (0x7800 | dns.flags.RD)
    return _HEADER.pack(identity, dns.flags.QR | kept | rcode, 0, 0, 0, 0)
