"""Whom to ask for help with a member that does not answer: first who reached somebody lately."""

from __future__ import annotations

from typing import Any, Final

from gossipmm.core.failure.outcomes import RoundOutcomes
from gossipmm.core.failure.probe import Probe
from gossipmm.core.sending.outbox import Outbox
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values.purpose import Purpose
from gossipmm.core.values.types import Address, Status
from gossipmm.core.wire import frame as wire

__all__ = ("Helpers", "only_told")

#: Helpers remembered that reached somebody.
_BRIDGES: Final = 8

#: Of so many at random for each helper those are chosen that have a family of the target.
_OF_OTHERS: Final = 4


def _families(addresses: tuple[Address, ...]) -> set[bool]:
    """Return what families addresses are of: True for IPv6."""
    return {":" in host for host, _ in addresses}


def only_told(probe: Probe) -> bool:
    """Return whether others alone say that a member lives which this node holds dead [P42]."""
    buried = probe.member.declared_dead_at
    return (
        probe.purpose is Purpose.RETURNING and buried is not None and probe.member.seen_at < buried
    )


class Helpers:
    """Chooses helpers, and remembers which of them reached somebody."""

    def __init__(self, local: LocalState, outbox: Outbox, lately: RoundOutcomes) -> None:
        self._local = local
        self._outbox = outbox
        self._paths = outbox.paths
        self._lately = lately
        #: Members that reached somebody for this node, the latest last: each may be the only bridge
        #: to the other side of a split.
        self._bridges: dict[int, None] = {}

    def reached(self, helper: Member) -> None:
        """Take note that a helper reached somebody."""
        self._bridges.pop(helper.key, None)
        self._bridges[helper.key] = None
        if len(self._bridges) > _BRIDGES:
            del self._bridges[next(iter(self._bridges))]

    def choose(self, probe: Probe) -> list[Member]:
        """Choose helpers: first the one that last reached somebody for this node [P67].

        Where one host bridges a split, three helpers at random miss it nearly always: 1,254
        datagrams a second and node, for as long as it lasted.
        """
        local, member = self._local, probe.member
        peers, most = local.table.peers, local.config.helpers
        known = [peers[key] for key in self._bridges if key in peers and key != member.key]
        lost, families = self._paths.lost, _families(member.addresses)
        near = families & _families(local.own.addresses)
        if not near:
            known = [one for one in known if _families(one.addresses) & families]
        if known and member.key in lost and probe.stage == 1 and not probe.once:
            return [local.rng.choice(known)]  # one after the other: each has to probe it
        chosen = known[-1:] if most > 1 else []
        if member.vouched_by in peers and peers[member.vouched_by] not in chosen:
            chosen.append(peers[member.vouched_by])
        if probe.once:
            most = len(chosen) + 1
        elif self._lately.nearly_all_fail:
            most = min(most, 1)  # those asked for help are most likely gone as well
        elif not known:
            most += self._lately.last_failed
        taken = {member.key, *(one.key for one in chosen), *lost}
        wanted = max(0, most - len(chosen))
        if near:
            return chosen + local.peers.sample(wanted, taken)
        # Only who has both families can be of help.
        some = local.peers.sample(_OF_OTHERS * wanted, taken)
        some.sort(key=lambda one: not _families(one.addresses) & families)
        return chosen + some[:wanted]

    def tell_known(self, member: Member, seeker: Member, source: Address, identity: int) -> None:
        """Tell who asked for help what is known, and who reached the member lately [P67, P198]."""
        local, key = self._local, member.key
        rows = b""
        if member.status is Status.ALIVE:
            rows = wire.row(key, member.k, wire.ALIVE, wire.age_up(local.now - member.heard))
        options: dict[int, Any] = {wire.OPT_TARGET: key}
        if member.indirect and member.helped_by in local.table.peers:
            options[wire.OPT_BRIDGE] = member.helped_by
        self._outbox.send(
            wire.HELPED, seeker, address=source, probe=identity, rows=rows, options=options
        )

    def tell(
        self, probe: Probe, number: int, told: list[Any] | None
    ) -> list[tuple[Member, Address, int]]:
        """Tell those who asked for help that the target answered this node itself [P139].

        With what it signed for them; returns those who came too late for try ``number`` to ask
        for that [P156].
        """
        member = probe.member
        row = wire.row(member.key, max(member.k, 0), wire.ALIVE, 0)
        late: list[tuple[Member, Address, int]] = []
        for seeker, address, identity in probe.asked_by:
            options: dict[int, Any] = {wire.OPT_TARGET: member.key, wire.OPT_REACHED: True}
            if identity in probe.questions:
                if number < probe.questions[identity]:
                    late.append((seeker, address, identity))
                    continue
                if told is not None:
                    options[wire.OPT_LIFE] = told
            self._outbox.send(
                wire.HELPED, seeker, address=address, probe=identity, rows=row, options=options
            )
        return late
