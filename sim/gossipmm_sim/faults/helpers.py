"""Insiders that are asked for help and lie: they say that they reached whoever it is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gossipmm.core.wire import frame as wire
from gossipmm_sim.faults.base import Context, Window, fault, select

if TYPE_CHECKING:
    from gossipmm.core.table.member import Member
    from gossipmm.core.values.types import Address
    from gossipmm_sim.engine.host import Host

__all__ = ("Vouch",)


@fault("vouch")
@dataclass(frozen=True, slots=True, kw_only=True)
class Vouch(Window):
    """The hosts ``by`` tell whoever asks for their help that they reached any of ``of``, at once.

    It takes the identity of the question, so only who is asked can say it.
    """

    by: str
    of: str

    def act(self, run: Context, key: str) -> None:
        """Answer in place of the helper that each of them is, until the end."""
        names = {host.node_name for host in select(run, self.of)}
        for liar in select(run, self.by):
            run.ill(liar, self.over(run))
            self._lies(run, liar, names)

    def _lies(self, run: Context, liar: Host, names: set[str]) -> None:
        core: Any = liar.core
        honest = core._parts.probes.help

        def lie(about: int, seeker: Member, source: Address, frame: wire.Frame) -> None:
            member = core.table.by_key.get(about)
            if member is None or member.name not in names or run.cluster.now >= self.over(run):
                honest(about, seeker, source, frame)
                return
            told = {wire.OPT_TARGET: about, wire.OPT_REACHED: True}
            core._outbox.send(wire.HELPED, seeker, address=source, probe=frame.probe, options=told)

        core._parts.probes.help = lie

    def end(self, run: Context, key: str) -> None:
        """Do nothing: who is asked after the end answers as ever."""
