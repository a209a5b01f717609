"""Attackers: outsiders that send rubbish, insiders that lie.

The simulated cluster is not encrypted, so that whoever can send is an insider, as somebody with the
key is in an encrypted one. An insider is a host of the cast: its process goes on as usual, and
beside it forged datagrams leave from its address in its name. An outsider has addresses of its own.
Where hosts have identities, an insider has its own key, with which it signs what it forges.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import cbor2

from gossipmm.core.values.types import NodeState, Registration
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import encode_entry, encode_page, encode_page_zero
from gossipmm_sim.faults.base import Context, Window, fault, select

if TYPE_CHECKING:
    from gossipmm.core.values.types import Address
    from gossipmm.core.wire.pages import Seal
    from gossipmm_sim.engine.host import Host

__all__ = ("Accuse", "Forge", "Ghosts", "Impersonate", "Insider", "Rubbish", "key_at", "own_seal")

#: Rows of one forged datagram.
_ROWS = 70
#: Hosts that an insider names as accusers at a time: as many as confirm a suspicion.
_ACCUSERS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack(Window):
    """Something sent ``rate`` times a second, each time to ``to`` random hosts."""

    rate: float = 2.0
    to: int = 4

    def act(self, run: Context, key: str) -> None:
        """Do it once, and plan the next."""
        cluster = run.cluster
        if cluster.now >= self.over(run):
            return
        self.once(run, key)
        cluster.clock.at(cluster.now + 1.0 / self.rate, self._act, run, key)

    def end(self, run: Context, key: str) -> None:
        """Do nothing: each lie is over at once."""

    def once(self, run: Context, key: str) -> None:
        """Send it once."""
        raise NotImplementedError

    def targets(self, run: Context, key: str, but: Host | None) -> list[Host]:
        """Choose the targets of this time."""
        up = [host for host in run.cast if host.up and host is not but]
        return run.stream(f"attack/{key}").sample(up, min(self.to, len(up)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Insider(Attack):
    """A lie of the host ``by``."""

    by: str

    def once(self, run: Context, key: str) -> None:
        """Send it from each liar to each target."""
        for liar in select(run, self.by):
            if not liar.up:
                continue
            run.ill(liar, self.over(run))
            for target in self.targets(run, key, liar):
                for rows, options in self.lie(run, key, liar):
                    _send(run, liar, target, rows, options)

    def lie(self, run: Context, key: str, liar: Host) -> list[tuple[bytes, dict[int, Any]]]:
        """Return the lie: rows and options of each datagram."""
        raise NotImplementedError


def key_at(liar: Host, name: str) -> int:
    """Return the key of the record that a host holds of a name."""
    member = liar.member(name)
    generation = member.generation if member is not None else 1
    return wire.record_key(liar.config.cluster, name, generation)


def own_seal(run: Context, liar: Host) -> Seal | None:
    """Return what signs with the only key that an insider has; None: it has none."""
    return run.cluster.keys.seal(liar.node_name) if liar.identity != "off" else None


def _send(
    run: Context, liar: Host, target: Host, rows: bytes, options: dict[int, Any] | None = None
) -> None:
    core: Any = liar.core
    data = wire.encode(
        wire.cluster_tag(liar.config.cluster),
        wire.NEWS,
        key_at(liar, liar.node_name),
        key_at(liar, target.node_name),
        0,
        core.table.fingerprint,
        core.heartbeat,
        0,
        rows,
        cbor2.dumps(options) if options else b"",
    )
    if liar.envelope is not None:
        data = liar.envelope.seal(data, target.address, liar.core_time())
    run.cluster.network.inject(data, liar.address, target.address, delay=0.0003)


def _of_others(
    run: Context, liar: Host, of: str, claim: int, ahead: int, more: bytes = b""
) -> list[tuple[bytes, dict[int, Any]]]:
    """Rows that claim something of members, each ``ahead`` of the heartbeat that the liar knows.

    ``more``: rows that follow each.
    """
    rows = []
    for victim in select(run, of):
        member = liar.member(victim.node_name)
        if member is not None and victim is not liar:
            key = key_at(liar, victim.node_name)
            rows.append(wire.row(key, member.heartbeat + ahead, claim) + more)
    most = _ROWS * wire.ROW_SIZE // (wire.ROW_SIZE + len(more))
    parts = [rows[start : start + most] for start in range(0, len(rows), most)]
    return [(b"".join(part), {}) for part in parts]


@fault("accuse")
@dataclass(frozen=True, slots=True, kw_only=True)
class Accuse(Insider):
    """An insider says of others that it could not reach them, or that yet others could not.

    ``invented``: it names so many accusers that do not exist. ``framed``: it names these hosts as
    those who accuse, four of them each time.
    """

    of: str = "all"
    #: Above the heartbeat that it knows: accusing at what was never issued.
    ahead: int = 0
    invented: int = 0
    framed: str = "none"

    def lie(self, run: Context, key: str, liar: Host) -> list[tuple[bytes, dict[int, Any]]]:
        """Accuse."""
        stream = run.stream(f"accusers/{key}")
        names = [host.node_name for host in select(run, self.framed)]
        names = stream.sample(names, min(len(names), _ACCUSERS))
        keys = [key_at(liar, name) for name in names]
        keys += [stream.getrandbits(64) | 1 for _ in range(self.invented)]
        accusers = b"".join(wire.row(accuser, 0, wire.ACCUSER) for accuser in keys)
        return _of_others(run, liar, self.of, wire.SUSPECT, self.ahead, accusers)


@fault("forge")
@dataclass(frozen=True, slots=True, kw_only=True)
class Forge(Insider):
    """An insider tells heartbeats of others that they never issued.

    ``climb``: each time it tells ones that are higher by so many again.
    """

    of: str = "all"
    ahead: int = 1000
    climb: int = 0

    def lie(self, run: Context, key: str, liar: Host) -> list[tuple[bytes, dict[int, Any]]]:
        """Forge."""
        told = run.memory(f"{key}/{liar.label}", lambda: [0])
        told[0] += self.climb
        return _of_others(run, liar, self.of, wire.ALIVE, self.ahead + told[0])


@fault("impersonate")
@dataclass(frozen=True, slots=True, kw_only=True)
class Impersonate(Insider):
    """An insider announces a later life of the node ``of``, at its own address."""

    of: str

    def lie(self, run: Context, key: str, liar: Host) -> list[tuple[bytes, dict[int, Any]]]:
        """Announce it, a generation above the one known."""
        (victim,) = select(run, self.of)
        member = liar.member(victim.node_name)
        if member is None:
            return []
        generation = member.generation + (1 << 16)
        where, seal = (liar.address,), own_seal(run, liar)
        page = encode_page_zero(
            member.name, generation, 1, NodeState.UP, where, {"forged": True}, seal=seal
        )
        row = wire.row(wire.record_key(liar.config.cluster, member.name, generation), 5, wire.ALIVE)
        return [(row, {wire.OPT_PAGES: [page.raw]})]


@fault("ghosts")
@dataclass(frozen=True, slots=True, kw_only=True)
class Ghosts(Insider):
    """An insider invents members, each with ``pages`` pages of registrations of one topic."""

    topic: str = "ghostly"
    pages: int = 1

    def lie(self, run: Context, key: str, liar: Host) -> list[tuple[bytes, dict[int, Any]]]:
        """Invent one."""
        number = run.memory(f"{key}/{liar.label}", lambda: [0])
        number[0] += 1
        name = f"ghost-{liar.label}-{number[0]}"
        generation = (liar.wall_ms() << 16) | 1
        where, seal = (liar.address,), own_seal(run, liar)
        zero = encode_page_zero(name, generation, 1, NodeState.UP, where, {}, seal=seal)
        row = wire.row(wire.record_key(liar.config.cluster, name, generation), 5, wire.ALIVE)
        said: list[tuple[bytes, dict[int, Any]]] = [(row, {wire.OPT_PAGES: [zero.raw]})]
        for page in range(1, self.pages + 1):
            entries = []
            for index in range(25):
                entry = Registration(self.topic, f"{name}-{page}-{index}")
                for call in run.cluster.on_register:
                    call(liar, entry.topic, entry.host, True)
                entries.append((entry, encode_entry(entry)))
            raw = encode_page(name, generation, page, page + 1, entries, seal).raw
            said.append((b"", {wire.OPT_PAGES: [raw]}))
        return said


@fault("rubbish")
@dataclass(frozen=True, slots=True, kw_only=True)
class Rubbish(Attack):
    """Outsiders send random bytes, and real datagrams with some bits changed, from anywhere."""

    _HEADS: ClassVar[tuple[bytes, ...]] = (b"", b"\x85\x01\x44", b"\x83\x43")

    def once(self, run: Context, key: str) -> None:
        """Send one to each target."""
        stream = run.stream(f"rubbish/{key}")
        for target in self.targets(run, key, None):
            head = stream.choice(self._HEADS)
            core: Any = target.core
            real = (
                wire.encode(
                    wire.cluster_tag(target.config.cluster),
                    stream.choice(list(wire.KIND_NAMES)),
                    stream.getrandbits(64) or 1,
                    key_at(target, target.node_name),
                    stream.getrandbits(64),
                    core.table.fingerprint,
                    stream.getrandbits(32),
                    0,
                    stream.randbytes(14 * stream.randrange(4)),
                )
                if stream.random() < 0.5
                else head + stream.randbytes(stream.randrange(1400))
            )
            source: Address = (f"192.0.2.{stream.randrange(1, 255)}", stream.randrange(1, 65536))
            run.cluster.network.inject(real, source, target.address)
