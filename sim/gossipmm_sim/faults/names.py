"""Insiders that claim the names of others: by later lives, floors and leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gossipmm.core.values.types import MAX_GENERATION, NodeState
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import encode_page_zero
from gossipmm_sim.faults.base import Context, Window, fault, select
from gossipmm_sim.faults.hostile import Insider, own_seal
from gossipmm_sim.faults.puppets import Puppet

if TYPE_CHECKING:
    from gossipmm.core.wire.pages import Seal
    from gossipmm_sim.engine.host import Host

__all__ = ("Claimant", "LaterLife")

#: An address at which nobody is.
_NOWHERE = ("203.0.113.9", 7946)
_WHATS = ("page", "left", "floor")
#: Claims in a datagram: 120 bytes each, and 100 if signed.
_AT_ONCE = 7
_SIGNED_AT_ONCE = 4


@fault("later_life")
@dataclass(frozen=True, slots=True, kw_only=True)
class LaterLife(Insider):
    """An insider tells that members ``of`` have begun a later life, where nobody answers.

    ``what``: their page 0 (up, or left), or a floor. It begins ``ahead`` seconds after now; 0: at
    the last moment that there is. Where hosts have identities it signs with its own key, or
    (signed=False) not at all.
    """

    of: str = "all"
    ahead: float = 1.0
    what: str = "page"
    signed: bool = True

    def __post_init__(self) -> None:
        super(LaterLife, self).__post_init__()
        if self.what not in _WHATS:
            raise ValueError(f"what={self.what!r} is none of {', '.join(_WHATS)}")

    def lie(self, run: Context, key: str, liar: Host) -> list[tuple[bytes, dict[int, Any]]]:
        """Tell it of all of them."""
        generation = (liar.wall_ms() + int(self.ahead * 1000)) << 16
        generation |= run.stream(f"later/{key}").getrandbits(16)
        if not self.ahead:
            generation = MAX_GENERATION - 2
        names = [host.node_name for host in select(run, self.of) if host is not liar]
        said = []
        seal = own_seal(run, liar) if self.signed else None
        most = _AT_ONCE if seal is None else _SIGNED_AT_ONCE
        for start in range(0, len(names), most):
            said.append(self._about(liar, names[start : start + most], generation, seal))
        return said

    def _about(
        self, liar: Host, names: list[str], generation: int, seal: Seal | None
    ) -> tuple[bytes, dict[int, Any]]:
        if self.what == "floor":
            return b"", {wire.OPT_MINIMUMS: [[name, generation] for name in names]}
        state = NodeState.LEFT if self.what == "left" else NodeState.UP
        pages, rows = [], b""
        for name in names:
            page = encode_page_zero(name, generation, 9, state, (_NOWHERE,), {}, seal=seal)
            pages.append(page.raw)
            rows += wire.row(wire.record_key(liar.config.cluster, name, generation), 5, wire.ALIVE)
        return rows, {wire.OPT_PAGES: pages}


@fault("claimant")
@dataclass(frozen=True, slots=True, kw_only=True)
class Claimant(Window):
    """An insider claims the names of hosts ``of``, and answers for them, at an address of its own.

    It tells ``to`` random hosts of its lives, twice a second; at ``until`` it is silent. Where
    hosts have identities it signs with a key of its own, which is none of theirs.
    """

    of: str
    to: int = 4

    def act(self, run: Context, key: str) -> None:
        """Begin the lives the first time; tell of them, and plan to do it again."""
        cluster = run.cluster
        if cluster.now >= self.over(run):
            return
        puppet = run.memory(f"{key}/puppet", lambda: Puppet(run, f"claimant-{key}"))
        lives = run.memory(f"{key}/lives", dict)
        seal = cluster.keys.seal(puppet.label) if cluster.identity != "off" else None
        for victim in select(run, self.of):
            name = victim.node_name
            if name not in lives:
                generation = puppet.generation(1.0)
                mine = puppet.take(name, generation)
                lives[name] = mine, puppet.page_zero(name, generation, seal=seal).raw
            mine, page = lives[name]
            up = [host for host in run.cast if host.up and host is not victim]
            for host in run.stream(f"claimant/{key}").sample(up, min(self.to, len(up))):
                puppet.say(host, mine, options={wire.OPT_PAGES: [page]})
        cluster.clock.at(cluster.now + 0.5, self._act, run, key)

    def end(self, run: Context, key: str) -> None:
        """Be silent from now on."""
        puppet = run.memory(f"{key}/puppet", lambda: None)
        if puppet is not None:
            puppet.close()
