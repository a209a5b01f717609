"""Answers questions of other members, as far as the configuration allows them to ask.

Health is told to members whose address is proved. A drain is carried out only where that was
allowed, and only for a member that speaks from an address of its record, with a key; or, without
one, where nobody beyond this machine can ask.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, Final

from gossipmm.core.life.budgets import Budgets
from gossipmm.core.life.conflict import NameConflict
from gossipmm.core.life.registrations import Registrations
from gossipmm.core.sending.inbound import Inbound
from gossipmm.core.sending.outbox import Outbox
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values.drained import DrainAsked
from gossipmm.core.values.questions import (
    ASK_DRAIN,
    ASK_HEALTH,
    ASK_PLACE,
    MAX_REASONS,
    TOLD,
    HealthTold,
    Outcome,
)
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.trail import EvidenceKind

__all__ = ("Answering",)

#: Seconds for which a verdict is told as it was found: finding it takes up to a millisecond.
_FRESH: Final = 0.5
#: Answers to one member at once, and a second: a question is asked about ten times a second.
_BURST: Final = 24.0
_RATE: Final = 12.0
#: Requests whose answers are remembered: more than a second of them.
_KEPT: Final = 256
#: Seconds between two events of refused requests.
_SAID_AGAIN: Final = 60.0
#: Steps of work to find a verdict, beyond those of an answer.
_WORK: Final = 40


class Answering:
    """What this node answers to questions [P143, P144]."""

    def __init__(
        self,
        local: LocalState,
        outbox: Outbox,
        registrations: Registrations,
        conflict: NameConflict,
    ) -> None:
        self._local = local
        self._paths = outbox.paths
        self._registrations = registrations
        self._conflict = conflict
        self._sealed = outbox.seals
        #: Says how this node is; the shell knows more than the core.
        self.health: Callable[[], HealthTold] = self._own_health
        self._told: HealthTold | None = None
        self._told_at = local.now
        self._began = local.now
        self._budgets = Budgets(_BURST, _RATE)
        #: (key of a member, probe id) -> the answer to a request that was acted on.
        self._acted: dict[tuple[int, int], list[Any]] = {}
        self._refused_at = local.now - _SAID_AGAIN

    def hear(self, inbound: Inbound, sender: Member, ask: list[Any]) -> None:
        """Answer a question of a member, whose address is proved."""
        local = self._local
        if not self._budgets.charge(sender.key, local.now):
            local.stats.drop(Drop.QUESTION_RATE)
            self._say(inbound, Outcome.BUSY, [])
            return
        if ask[0] == ASK_HEALTH:
            self._say_health(inbound)
        elif ask[0] == ASK_PLACE:
            self._say_place(inbound)
        elif ask[0] == ASK_DRAIN and _is_drain(ask):
            self._drain(inbound, sender, ask)
        else:
            self._say(inbound, Outcome.UNKNOWN_QUESTION, [])

    def _say(self, inbound: Inbound, outcome: Outcome, facts: list[Any]) -> None:
        inbound.reply.told = [TOLD.index(outcome)] + facts  # noqa: RUF005  (mypyc has no stars)

    def prove(self, inbound: Inbound) -> None:
        """Say that the answer has to wait until the address is proved."""
        self._say(inbound, Outcome.PROVING, [])

    def _say_place(self, inbound: Inbound) -> None:
        """Tell where this node is, and how many members that was found by [P182]."""
        distances = self._local.distances
        own = distances.own_bytes()
        if own is None:
            self._say(inbound, Outcome.NOT_ALLOWED, [])
        else:
            self._say(inbound, Outcome.DONE, [own, distances.met])

    # -- health --------------------------------------------------------------------------------

    def _say_health(self, inbound: Inbound) -> None:
        local = self._local
        if not local.config.answer_health:
            self._say(inbound, Outcome.NOT_ALLOWED, [])
            return
        told = self.verdict()
        age = local.now - self._told_at
        reasons = list(told.reasons[:MAX_REASONS])
        times = [int(told.uptime + age), int(1000 * age)]
        self._say(inbound, Outcome.DONE, [told.verdict, reasons, told.version] + times)  # noqa: RUF005

    def verdict(self) -> HealthTold:
        """Return how this node is, as it was found lately."""
        local, told = self._local, self._told
        if told is None or local.now - self._told_at > _FRESH:
            told = self.health()
            self._told, self._told_at = told, local.now
            local.stats.work += _WORK
        return told

    def _own_health(self) -> HealthTold:
        """Say how this node is, as far as the core knows."""
        local = self._local
        reasons: list[str] = []
        if local.own.leaving:
            reasons.append("leaving")
        if self._conflict.current is not None:
            reasons.append("conflict")
        if not local.table.joined:
            reasons.append("not_joined")
        verdict = reasons[0] if reasons else "ok"
        for code, holds in (
            ("impaired", local.own.impaired),
            ("slow", local.now < local.slow_until),
        ):
            if holds:
                reasons.append(code)
                verdict = "degraded" if verdict == "ok" else verdict
        return HealthTold(verdict, tuple(reasons), "", local.now - self._began)

    # -- drains --------------------------------------------------------------------------------

    def _drain(self, inbound: Inbound, sender: Member, ask: list[Any]) -> None:
        """Carry out a drain that a member asks for, once; a later try gets the same answer."""
        name = (sender.key, inbound.frame.probe)
        answer = self._acted.get(name)
        if answer is None:
            topic, host, draining = ask[1], ask[2], ask[3]
            outcome = self._why_not(inbound, sender) or self._unknown(topic, host)
            changed = 0
            if outcome is None:
                changed = self._registrations.drain(topic, host, draining=draining)
            self._tell(sender, outcome, (topic or "", host or "", draining), changed)
            answer = [TOLD.index(outcome or Outcome.DONE), changed]
            if len(self._acted) >= _KEPT:
                del self._acted[next(iter(self._acted))]
            self._acted[name] = answer
        inbound.reply.told = answer

    def _why_not(self, inbound: Inbound, sender: Member) -> Outcome | None:
        """Return why a member may not drain this node; None: it may [P144]."""
        local = self._local
        if not local.config.accept_drain:
            return Outcome.NOT_ALLOWED
        if local.own.leaving:
            return Outcome.LEAVING
        source = inbound.source
        if not self._sealed and not self._is_local(source[0]):
            return Outcome.NO_KEY
        if sender.key not in local.table.peers or (
            source not in sender.addresses and source != self._paths.to(sender)
        ):
            return Outcome.WRONG_ADDRESS
        return None

    def _is_local(self, source: str) -> bool:
        """Return whether only this machine reaches this node, and a source is of it."""
        hosts = [host for host, _ in self._local.own.addresses]
        hosts.append(source)
        return all(ip_address(host.partition("%")[0]).is_loopback for host in hosts)

    def _unknown(self, topic: str | None, host: str | None) -> Outcome | None:
        if topic is None and host is None:
            return None
        for entry in self._local.own.registrations():
            if topic in (None, entry.topic) and host in (None, entry.host):
                return None
        return Outcome.NOT_REGISTERED

    def _tell(
        self,
        sender: Member,
        refused: Outcome | None,
        what: tuple[str, str, bool],
        changed: int,
    ) -> None:
        """Record who asked; of refused ones, once in a while."""
        local = self._local
        topic, host, draining = what
        if refused is not None:
            if local.now - self._refused_at < _SAID_AGAIN:
                return
            self._refused_at = local.now
        local.me.note(
            local.now,
            EvidenceKind.DRAIN_ASKED,
            sender.name,
            topic=topic,
            host=host,
            draining=draining,
            said=(refused or Outcome.DONE).value,
        )
        reason = "" if refused is None else refused.value
        event = DrainAsked(local.now, sender.name, topic, host, draining, changed, reason)
        local.events.append(event)


def _is_drain(ask: list[Any]) -> bool:
    return (
        len(ask) >= 4
        and all(part is None or type(part) is str for part in ask[1:3])
        and type(ask[3]) is bool
    )
