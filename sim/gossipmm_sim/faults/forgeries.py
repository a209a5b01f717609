"""Insiders that speak for others, where names have keys: forged pages, ends, helpers, addresses.

Each has its own key (that of its name), and nobody else's. What it forges it signs with that, or
not at all, or with rubbish under the right key. Without identities the same faults sign nothing.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cbor2

from gossipmm.core.values.types import NodeState, Registration
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import Seal, encode_entry, encode_page, encode_page_zero
from gossipmm.core.wire.strict import Refused
from gossipmm_sim.faults.base import Context, Fault, Window, fault, select
from gossipmm_sim.faults.hostile import Insider, key_at, own_seal
from gossipmm_sim.faults.puppets import Puppet

if TYPE_CHECKING:
    from random import Random

    from gossipmm.core.values.types import Address
    from gossipmm.core.wire.pages import Page
    from gossipmm_sim.engine.host import Host

__all__ = ("ForgePages", "LyingHelpers", "TakeAddress", "TellTwice")

_WHATS = ("address", "entries", "left", "left_rows", "equal")
_SIGNED = ("own", "none", "rubbish")
#: Versions by which a forged page is ahead of the true one the first time.
_AHEAD = 1000


@fault("forge_pages")
@dataclass(frozen=True, slots=True, kw_only=True)
class ForgePages(Insider):
    """An insider tells pages of the present lives of members ``of``.

    ``what``: another address, other entries, that they left (by page or by row), or other bytes of
    a version that they have (equal). ``signed``: with its own key, not at all, or by rubbish.
    """

    of: str = "all"
    what: str = "address"
    signed: str = "own"

    def __post_init__(self) -> None:
        super(ForgePages, self).__post_init__()
        for value, known in ((self.what, _WHATS), (self.signed, _SIGNED)):
            if value not in known:
                raise ValueError(f"{value!r} is none of {', '.join(known)}")

    def lie(self, run: Context, key: str, liar: Host) -> list[tuple[bytes, dict[int, Any]]]:
        """Tell a page of each of them."""
        told = run.memory(f"{key}/{liar.label}", lambda: [0])
        told[0] += 1
        said: list[tuple[bytes, dict[int, Any]]] = []
        for victim in select(run, self.of):
            member = liar.member(victim.node_name)
            if victim is liar or not victim.up or member is None:
                continue
            if self.what == "left_rows":
                row = wire.row(key_at(liar, victim.node_name), member.heartbeat, wire.LEFT)
                said.append((row, {}))
                continue
            seal = self._seal(run, liar, victim, run.stream(f"forged/{key}"))
            page = self._page(liar, victim, told[0], seal)
            said.append((b"", {wire.OPT_PAGES: [page.raw]}))
        return said

    def _seal(self, run: Context, liar: Host, victim: Host, stream: Random) -> Seal | None:
        own = own_seal(run, liar)
        if own is None or self.signed == "none":
            return None
        if self.signed == "own":
            return own
        public = run.cluster.keys.signer(victim.node_name).public
        return Seal(public, lambda _: stream.randbytes(64))

    def _page(self, liar: Host, victim: Host, time: int, seal: Seal | None) -> Page:
        name, generation = victim.node_name, victim.core.generation
        version = _version(victim) if self.what == "equal" else _AHEAD + time
        if self.what == "entries":
            entry = Registration("compute", liar.node_name)
            return encode_page(name, generation, 1, version, [(entry, encode_entry(entry))], seal)
        state = NodeState.LEFT if self.what == "left" else NodeState.UP
        where = (liar.address,) if self.what == "address" else (victim.address,)
        data = {"forged": time}
        return encode_page_zero(name, generation, version, state, where, data, seal=seal)


def _version(host: Host) -> int:
    """Return the version of a host's own page 0."""
    core: Any = host.core
    return core._local.me.pages[0].version  # type: ignore[no-any-return]


@fault("tell_twice")
@dataclass(frozen=True, slots=True, kw_only=True)
class TellTwice(Insider):
    """An insider signs another page 0 of its own version, and tells it to some."""

    def lie(self, run: Context, key: str, liar: Host) -> list[tuple[bytes, dict[int, Any]]]:
        """Tell it."""
        seal, version, data = own_seal(run, liar), _version(liar), {"other": True}
        page = encode_page_zero(
            liar.node_name,
            liar.core.generation,
            version,
            NodeState.UP,
            (liar.address,),
            data,
            seal=seal,
        )
        return [(b"", {wire.OPT_PAGES: [page.raw]})]


class _Helper:
    """The core of a host that says of whomever others ask it to reach that it has reached them."""

    def __init__(self, run: Context, host: Host, core: Any) -> None:
        self._run, self._host, self._true = run, host, core

    def __getattr__(self, name: str) -> Any:
        return getattr(self._true, name)

    def receive_datagram(self, data: bytes, source: Address, now: float) -> None:
        """Lie to who asks for help; leave the rest to the core."""
        host = self._host
        plain = data
        if host.envelope is None:
            with suppress(Refused):
                frame = wire.decode_untrusted(plain, wire.cluster_tag(host.config.cluster))
                target = frame.options.get(wire.OPT_TARGET)
                if frame.kind == wire.HELP and target is not None:
                    self._say_reached(frame, target, source)
                    return
        self._true.receive_datagram(data, source, now)

    def _say_reached(self, frame: wire.Frame, target: int, source: Address) -> None:
        host, core = self._host, self._true
        held = [member for member in host.members() if key_at(host, member.name) == target]
        row = wire.row(target, held[0].heartbeat if held else 1, wire.ALIVE, 0)
        options = {wire.OPT_TARGET: target, wire.OPT_REACHED: True}
        answer = wire.encode(
            wire.cluster_tag(host.config.cluster),
            wire.HELPED,
            key_at(host, host.node_name),
            frame.sender,
            frame.probe,
            core.table.fingerprint,
            core.heartbeat,
            0,
            row,
            cbor2.dumps(options),
        )
        self._run.cluster.network.inject(answer, host.address, source, delay=0.0003)


@fault("lying_helpers")
@dataclass(frozen=True, slots=True, kw_only=True)
class LyingHelpers(Fault):
    """Insiders say of whomever others ask them to reach that they have reached them."""

    by: str

    def act(self, run: Context, key: str) -> None:
        """Begin, for as long as their processes last."""
        for host in select(run, self.by):
            if host.up:
                run.ill(host, float("inf"))
                helper: Any = _Helper(run, host, host.core)
                host._core = helper


@fault("take_address")
@dataclass(frozen=True, slots=True, kw_only=True)
class TakeAddress(Window):
    """At the address of a host that has crashed somebody answers for its last life."""

    on: str

    def act(self, run: Context, key: str) -> None:
        """Take it, unless the host runs."""
        for host in select(run, self.on):
            if host.up:
                continue
            puppet = Puppet(run, f"in place of {host.label}", address=host.address)
            puppet.take(host.node_name, host.core.generation)
            run.memory(key, list).append(puppet)

    def end(self, run: Context, key: str) -> None:
        """Be silent from now on."""
        for puppet in run.memory(key, list):
            puppet.close()
