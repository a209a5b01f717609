"""Attacks by datagram, each a kind of its own: outsiders' noise, and what insiders can forge.

They come from an address that no host has. Outsiders know neither key nor cluster; insiders (in a
cluster without a key: anybody) can build any frame. The checks of its scenario say what each kind
can do, and what it cannot. ``hostile`` has the attacks of hosts of the cast in their own names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

import cbor2

from gossipmm.core.values.types import NodeState, Registration
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire import pages
from gossipmm_sim.faults.base import Context, Window, fault, select

if TYPE_CHECKING:
    from gossipmm.core.values.types import Address
    from gossipmm_sim.engine.host import Host

__all__ = ("ATTACKER", "Attack")

ATTACKER: Address = ("198.51.100.66", 6666)
_Maker = Callable[[Context, "Host", Random], Iterator[bytes]]


@fault("attack")
@dataclass(frozen=True, slots=True, kw_only=True)
class Attack(Window):
    """``rate`` datagrams a second of one kind at hosts ``on``.

    Outsiders': junk, truncate, counts, nesting, tags, future, replay, other_cluster. Insiders':
    claim_me (a page in the victim's name), set_registrations, never_issued (a heartbeat of the
    victim's that it never issued), max_counter, left (a leave that the victim never said),
    accuse_all, newborns (members that do not exist), newest_life (a far higher generation).
    """

    what: str
    on: str = "all"
    rate: float = 50.0

    def __post_init__(self) -> None:
        Window.__post_init__(self)
        if self.what not in _MAKERS:
            raise ValueError(f"what={self.what!r} is none of {', '.join(_MAKERS)}")

    def act(self, run: Context, key: str) -> None:
        """Send one datagram, and plan the next."""
        cluster = run.cluster
        if cluster.now >= self.over(run):
            return
        if self.what == "replay" and cluster.network.tap is None:
            _record(run)
        data, victim = next(run.memory(key, lambda: self._endless(run, key)))
        if data:
            run.measured["attacks"] = run.measured.get("attacks", 0) + 1
            cluster.network.inject(data, ATTACKER, victim.address, 0.001)
        cluster.clock.at(cluster.now + 1.0 / self.rate, self._act, run, key)

    def end(self, run: Context, key: str) -> None:
        """Do nothing: each attack is over at once."""

    def _endless(self, run: Context, key: str) -> Iterator[tuple[bytes, Host]]:
        stream = run.stream(f"attack/{key}")
        maker = _MAKERS[self.what]
        while True:
            made = False
            for victim in select(run, self.on):
                if victim.up:
                    for data in maker(run, victim, stream):
                        made = True
                        yield data, victim
            if not made:  # nothing to replay yet, or nobody up: try again at the next turn
                yield b"", run.cast[0]


def _record(run: Context) -> None:
    """Keep what honest hosts send, for replays."""
    heard: list[bytes] = run.memory("recorded", list)

    def tap(host: Any, data: bytes, address: Address) -> None:
        if len(heard) < 4096:
            heard.append(data)

    run.cluster.network.tap = tap


def _tag(run: Context) -> bytes:
    return wire.cluster_tag(run.cluster.config.cluster)


def _key(run: Context, host: Host) -> int:
    return wire.record_key(run.cluster.config.cluster, host.node_name, host.core.generation)


def _frame(
    run: Context,
    sender: int,
    target: int,
    *,
    heartbeat: int = 1,
    rows: bytes = b"",
    options: dict[int, Any] | None = None,
) -> bytes:
    encoded = cbor2.dumps(options) if options else b""
    return wire.encode(_tag(run), wire.NEWS, sender, target, 1, 7, heartbeat, 0, rows, encoded)


def _insider(run: Context, victim: Host) -> Host:
    """Return the host whose identity the attacker uses: any but the victim."""
    return next(host for host in run.cast if host is not victim and host.up)


# -- outsiders ---------------------------------------------------------------------------------


def _junk(run: Context, victim: Host, stream: Random) -> Iterator[bytes]:
    size = 1 + int(stream.random() * 1400)
    yield stream.getrandbits(8 * size).to_bytes(size, "big")


def _truncate(run: Context, victim: Host, stream: Random) -> Iterator[bytes]:
    page = pages.encode_page_zero("x", 1 << 40, 1, NodeState.UP, (("10.9.9.9", 1),), {})
    whole = _frame(run, 5, 0, rows=wire.row(9, 9, 0), options={wire.OPT_PAGES: [page.raw]})
    for size in range(1, len(whole)):
        yield whole[:size]


def _counts(run: Context, victim: Host, stream: Random) -> Iterator[bytes]:
    for head in (b"\x9b", b"\xbb", b"\x5b", b"\x7b"):
        yield head + b"\x7f" + b"\xff" * 7
        yield _frame(run, 5, 0)[:-1] + head + b"\x00\x00\x00\x00\x7f\xff\xff\xff"
    yield b"\x9f" * 1000
    yield _frame(run, 5, 0, rows=wire.row(9, 9, 0) * 80)


def _nesting(run: Context, victim: Host, stream: Random) -> Iterator[bytes]:
    for head in (b"\x81", b"\xa1\x00", b"\xc1", b"\xd8\x1c\x81"):
        yield head * (1200 // len(head))
        yield _frame(run, 5, 0) + head * 300


def _tags(run: Context, victim: Host, stream: Random) -> Iterator[bytes]:
    for tag in (0, 2, 4, 28, 29, 35, 36, 258, 55799):
        yield cbor2.dumps(cbor2.CBORTag(tag, b"\xff" * 500))
        yield cbor2.dumps([1, _tag(run), cbor2.CBORTag(tag, [10**7, 1]), b"", b""])


def _future(run: Context, victim: Host, stream: Random) -> Iterator[bytes]:
    whole = bytearray(_frame(run, 5, 0))
    for version in (2, 7, 23):
        whole[1] = version
        yield bytes(whole)


def _replay(run: Context, victim: Host, stream: Random) -> Iterator[bytes]:
    heard = run.memory("recorded", list)
    if heard:
        yield heard[int(stream.random() * len(heard))]


def _other_cluster(run: Context, victim: Host, stream: Random) -> Iterator[bytes]:
    tag = wire.cluster_tag("somebody else's")
    yield wire.encode(tag, wire.SYN, 5, 0, 1, 7, 9, 0, b"", b"")


# -- insiders ----------------------------------------------------------------------------------


def _told_by_insider(run: Context, victim: Host, **content: Any) -> bytes:
    reporter = _insider(run, victim)
    heartbeat = reporter.core.heartbeat
    return _frame(run, _key(run, reporter), _key(run, victim), heartbeat=heartbeat, **content)


def _page(run: Context, victim: Host, page: pages.Page) -> bytes:
    return _told_by_insider(run, victim, options={wire.OPT_PAGES: [page.raw]})


def _page_zero(
    victim: Host, *, later: int = 0, version: int, state: NodeState, where: Address
) -> pages.Page:
    generation = victim.core.generation + later
    return pages.encode_page_zero(victim.node_name, generation, version, state, (where,), {})


def _claim_me(run: Context, victim: Host, stream: Random) -> Iterator[bytes]:
    for version in (2, 1000):
        page = _page_zero(victim, version=version, state=NodeState.UP, where=ATTACKER)
        yield _page(run, victim, page)


def _newest_life(run: Context, victim: Host, stream: Random) -> Iterator[bytes]:
    page = _page_zero(victim, later=1 << 30, version=1, state=NodeState.UP, where=ATTACKER)
    yield _page(run, victim, page)


def _left(run: Context, victim: Host, stream: Random) -> Iterator[bytes]:
    page = _page_zero(victim, version=1000, state=NodeState.LEFT, where=victim.address)
    yield _page(run, victim, page)


def _set_registrations(run: Context, victim: Host, stream: Random) -> Iterator[bytes]:
    entry = Registration("compute", victim.node_name)
    entries = [(entry, pages.encode_entry(entry))]
    generation = victim.core.generation
    yield _page(run, victim, pages.encode_page(victim.node_name, generation, 2, 1000, entries))


def _never_issued(run: Context, victim: Host, stream: Random) -> Iterator[bytes]:
    row = wire.row(_key(run, victim), victim.core.heartbeat + 1000, wire.ALIVE)
    yield _told_by_insider(run, victim, rows=row)


def _max_counter(run: Context, victim: Host, stream: Random) -> Iterator[bytes]:
    for counter in (wire.MAX_COUNTER - 1, wire.MAX_COUNTER, 0xFFFF_FFFF):
        row = wire.row(_key(run, victim), counter, wire.SUSPECT)
        yield _told_by_insider(run, victim, rows=row)


def _accuse_all(run: Context, victim: Host, stream: Random) -> Iterator[bytes]:
    others = [host for host in run.cast if host is not victim and host.up][:60]
    dead = wire.DEAD
    rows = b"".join(wire.row(_key(run, host), host.core.heartbeat, dead) for host in others)
    yield _told_by_insider(run, victim, rows=rows)


def _newborns(run: Context, victim: Host, stream: Random) -> Iterator[bytes]:
    number = stream.getrandbits(32)
    where = (("10.66.0.1", 1 + number % 60000),)
    page = pages.encode_page_zero(f"ghost{number}", number + 1, 1, NodeState.UP, where, {})
    key = wire.record_key(run.cluster.config.cluster, page.name, page.generation)
    yield _frame(run, key, 0, options={wire.OPT_PAGES: [page.raw]})


_MAKERS: dict[str, _Maker] = {
    "junk": _junk,
    "truncate": _truncate,
    "counts": _counts,
    "nesting": _nesting,
    "tags": _tags,
    "future": _future,
    "replay": _replay,
    "other_cluster": _other_cluster,
    "claim_me": _claim_me,
    "newest_life": _newest_life,
    "left": _left,
    "set_registrations": _set_registrations,
    "never_issued": _never_issued,
    "max_counter": _max_counter,
    "accuse_all": _accuse_all,
    "newborns": _newborns,
}
