"""Insiders that cost others as much as they can: work, bytes, room in tables.

They are members that answer every probe, at addresses that are proved (``puppets``), and what they
say of themselves is theirs to say. What it costs the others is what budgets are for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from gossipmm.core.values.types import NodeState, Registration
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import encode_entry, encode_page
from gossipmm_sim.faults.base import Context, Window, fault, select
from gossipmm_sim.faults.puppets import Puppet

if TYPE_CHECKING:
    from gossipmm_sim.engine.host import Host

__all__ = ("Burden", "Sybils")

#: Seconds for which a puppet is a member before it begins: until its address is proved.
_INTRODUCED = 2.0
#: Pages of a record that a table attack writes over, registrations in each, and topics' names.
_PAGES, _ENTRIES, _NAMES = 40, 40, 50
#: Versions of page 0 in a datagram of the burst, and such datagrams (S1).
_VERSIONS, _NEWS = 18, 128
#: Registrations in a page of a large topic.
_IN_A_PAGE = 40

_Said = Iterator[dict[int, Any]]


class _Insider:
    """A puppet with one name, and what it says next."""

    def __init__(self, run: Context, label: str, what: str, hosts: int) -> None:
        self.puppet = Puppet(run, label)
        self.name = label
        self.generation = self.puppet.generation()
        self.key = self.puppet.take(label, self.generation)
        self.run = run
        self.hosts = hosts
        self.versions = count(1000)
        self.stream = run.stream(f"burden/{label}")
        self.said = _SAYS[what](self)

    def zero(self, version: int, state: NodeState = NodeState.UP) -> bytes:
        """Return its page 0."""
        return self.puppet.page_zero(self.name, self.generation, version, state).raw

    def page(self, number: int, version: int, *entries: tuple[str, str]) -> bytes:
        """Return a page of registrations; the run knows of them."""
        pairs = []
        for topic, host in entries:
            entry = Registration(topic, host)
            for call in self.run.cluster.on_register:
                call(self.run.cast[0], topic, host, True)
            pairs.append((entry, encode_entry(entry)))
        return encode_page(self.name, self.generation, number, version, pairs).raw

    def record(self) -> _Said:
        """Return its record, in datagrams: page 0, and as many registrations as it has."""
        yield {wire.OPT_PAGES: [self.zero(1)]}
        for number in range(0, self.hosts, _IN_A_PAGE):
            names = [("many", f"h{one}") for one in range(number, number + _IN_A_PAGE)]
            yield {wire.OPT_PAGES: [self.page(1 + number // _IN_A_PAGE, 2, *names)]}


def _burst(insider: _Insider) -> _Said:
    """S1: 140 registrations, and then page 0 up and draining, many versions in each datagram."""
    states = (NodeState.UP, NodeState.DRAINING)
    for version in count(1000, _NEWS * _VERSIONS):
        for page in range(1, 13):
            names = [("compute", f"h{page}-{number}") for number in range(12)]
            yield {wire.OPT_PAGES: [insider.page(page, version, *names)]}
        for news in range(_NEWS):
            first = version + news * _VERSIONS
            zeros = [insider.zero(first + n, states[n % 2]) for n in range(_VERSIONS)]
            yield {wire.OPT_PAGES: zeros[: _fitting(zeros)]}


def _fitting(pages: list[bytes]) -> int:
    return min(len(pages), 1050 // (len(pages[0]) + 3))


def _flips(insider: _Insider) -> _Said:
    """S7: a member with a large topic drains, and takes that back."""
    for version in insider.versions:
        state = NodeState.DRAINING if version % 2 else NodeState.UP
        yield {wire.OPT_PAGES: [insider.zero(version, state)]}


def _tables(insider: _Insider) -> _Said:
    """S7: pages with ever new topics and hosts."""
    for version in insider.versions:
        which = version % _NAMES
        names = [(f"t{which}-{n}", f"h{n}") for n in range(_ENTRIES)]
        yield {wire.OPT_PAGES: [insider.page(1 + version % _PAGES, version, *names)]}


def _topics(insider: _Insider) -> _Said:
    """Registrations that are each the only one of a topic, none of which comes twice."""
    for version in insider.versions:
        names = [(f"o{version}-{n}", "h") for n in range(_ENTRIES)]
        yield {wire.OPT_PAGES: [insider.page(1 + version % 200, version, *names)]}


def _questions(insider: _Insider) -> _Said:
    """Datagrams of a few bytes that ask for much: digests of nobody, wants, pulls, hashes."""
    stream = insider.stream
    while True:
        keys = [
            wire.record_key(insider.puppet.cluster_name, host.node_name, host.core.generation)
            for host in insider.run.cast
            if host.boots
        ]
        yield {wire.OPT_DIGEST: [0, b"\0", b""]}
        yield {wire.OPT_DIGEST: [0, b"\0", b"", 2]}
        yield {wire.OPT_WANT: [[key, b""] for key in stream.sample(keys, min(40, len(keys)))]}
        yield {wire.OPT_PULL: [0, 0]}
        yield {wire.OPT_PULL: [0, 0, True, wire.MAX_PULL]}
        yield {wire.OPT_BUCKETS: [8, 0, stream.randbytes(1000)]}


def _flood(insider: _Insider) -> _Said:
    """All of them in turn, as fast as the rate has it."""
    parts = [_SAYS[what](insider) for what in ("flips", "tables", "topics", "questions")]
    while True:
        for part in parts:
            yield next(part)


_SAYS: dict[str, Callable[[_Insider], _Said]] = {
    "burst": _burst,
    "flips": _flips,
    "tables": _tables,
    "topics": _topics,
    "questions": _questions,
    "flood": _flood,
}


@fault("burden")
@dataclass(frozen=True, slots=True, kw_only=True)
class Burden(Window):
    """Insiders beside the cast send ``rate`` datagrams a second each to hosts ``on``.

    ``what``: burst (registrations, then page 0 over and over), flips (drains and takes it back,
    with ``hosts`` registrations), tables (pages with ever new hosts), topics (each of its own),
    questions (digests, wants, pulls, hashes), flood (all of these). ``burden_bytes`` is what they
    sent, headers included.
    """

    what: str
    on: str = "0"
    insiders: int = 1
    rate: float = 100.0
    hosts: int = 40

    def __post_init__(self) -> None:
        Window.__post_init__(self)
        if self.what not in _SAYS:
            raise ValueError(f"what={self.what!r} is none of {', '.join(_SAYS)}")

    def act(self, run: Context, key: str) -> None:
        """Become members; the burden begins when their addresses are proved."""
        for number in range(self.insiders):
            insider = _Insider(run, f"insider{number}", self.what, self.hosts)
            for host in select(run, self.on):
                for said in insider.record():
                    insider.puppet.say_all(host, insider.key, [said])
            run.memory(f"{key}/all", list).append(insider.puppet)
            begin = run.cluster.now + _INTRODUCED
            run.cluster.clock.at(begin, self._say, run, (key, insider))

    def _say(self, run: Context, given: tuple[str, _Insider]) -> None:
        cluster = run.cluster
        if cluster.now >= self.over(run):
            return
        insider = given[1]
        # A few at a time, so that a flood is not one event of the clock each.
        every = max(1.0 / self.rate, 0.005)
        most = max(1, round(self.rate * every))
        for host in select(run, self.on):
            if host.up:
                said = [one for one, _ in zip(insider.said, range(most), strict=False)]
                before = insider.puppet.sent_bytes
                insider.puppet.say_all(host, insider.key, said)
                _add(run, "burden_bytes", insider.puppet.sent_bytes - before)
        cluster.clock.at(cluster.now + every, self._say, run, given)

    def end(self, run: Context, key: str) -> None:
        """End them, without a word."""
        for puppet in run.memory(f"{key}/all", list):
            puppet.close()


def _add(run: Context, name: str, number: int) -> None:
    run.measured[name] = run.measured.get(name, 0) + number


@fault("sybils")
@dataclass(frozen=True, slots=True, kw_only=True)
class Sybils(Window):
    """Members that do not exist, and answer: ``rate`` a second, ``most`` of them, at one address.

    ``pages`` pages of registrations each. ``answers``: the share of questions that they answer.
    """

    rate: float = 20.0
    most: int = 200
    pages: int = 0
    answers: float = 1.0
    to: int = 4

    def act(self, run: Context, key: str) -> None:
        """Invent one, tell some hosts of it, and plan the next."""
        cluster = run.cluster
        made: list[int] = run.memory(f"{key}/made", lambda: [0])
        if cluster.now >= self.over(run) or made[0] >= self.most:
            return
        made[0] += 1
        puppet = run.memory(f"{key}/puppet", lambda: Puppet(run, f"sybil-{key}", self.answers))
        name = f"sybil-{made[0]}"
        generation = puppet.generation()
        mine = puppet.take(name, generation)
        said: list[dict[int, Any]] = [
            {wire.OPT_PAGES: [puppet.page_zero(name, generation).raw]},
        ]
        for page in range(1, self.pages + 1):
            pairs = []
            for number in range(25):
                entry = Registration("ghostly", f"{name}-{page}-{number}")
                for call in cluster.on_register:
                    call(run.cast[0], entry.topic, entry.host, True)
                pairs.append((entry, encode_entry(entry)))
            raw = encode_page(name, generation, page, 2, pairs).raw
            said.append({wire.OPT_PAGES: [raw]})
        up: list[Host] = [host for host in run.cast if host.up]
        for host in run.stream(f"sybils/{key}").sample(up, min(self.to, len(up))):
            puppet.say_all(host, mine, said)
        cluster.clock.at(cluster.now + 1.0 / self.rate, self._act, run, key)

    def end(self, run: Context, key: str) -> None:
        """Let them be silent from now on."""
        puppet = run.memory(f"{key}/puppet", lambda: None)
        if puppet is not None:
            puppet.close()
