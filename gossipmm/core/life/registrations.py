"""What a program says of registrations: its own ones, and how it fared with others'."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gossipmm.core.failure.probes import Probes
from gossipmm.core.life.generation import OwnGenerations
from gossipmm.core.sending.outbox import Context
from gossipmm.core.table.self_record import Lease
from gossipmm.core.values import events
from gossipmm.core.values.purpose import Purpose
from gossipmm.core.values.timers import cancel
from gossipmm.core.values.trail import EvidenceKind
from gossipmm.core.values.types import EntryState, NodeState, Status
from gossipmm.core.wire import frame as wire
from gossipmm.errors import RegistrationError

#: A change written anew because somebody expired it: at most once in so many seconds.
_REWRITE_EVERY: Final = 1.0


class Registrations:
    """Changes this node's own record, and acts on first-hand experience with other hosts."""

    def __init__(
        self,
        context: Context,
        own_generations: OwnGenerations,
        probes: Probes,
    ) -> None:
        self._c = context
        self._own = own_generations
        self._probes = probes
        self._rewritten: dict[tuple[str, str], float] = {}

    def register(
        self,
        topic: str,
        host: str,
        metadata: Mapping[str, Any] | None = None,
        *,
        ttl: float | None = None,
        draining: bool = False,
    ) -> None:
        """Register a host under a topic; the same call again renews its time to live [P11].

        Raises RegistrationError or LimitError and then changes nothing.
        """
        c = self._c
        if ttl is not None and not ttl > 0:
            raise RegistrationError(
                f"ttl of {topic!r} is {ttl!r}: give seconds above 0, or none for no end"
            )
        state = EntryState.DRAINING if draining else EntryState.UP
        pages = c.own.set(topic, host, metadata, state)
        self._own.write(pages)
        lease = c.own.leases.pop((topic, host), None)
        if lease is not None:
            cancel(lease.timer)
        if ttl is not None:
            self._lease(topic, host, ttl)

    def _lease(self, topic: str, host: str, ttl: float) -> None:
        c = self._c
        lease = Lease(ttl, c.now + ttl)
        lease.timer = c.timers.at(lease.deadline, self._expired, (topic, host))
        c.own.leases[topic, host] = lease

    def _expired(self, name: tuple[str, str]) -> None:
        c = self._c
        c.own.leases.pop(name, None)
        page = c.own.remove(*name)
        if page is not None:
            self._own.write([page])
            c.events.append(events.RegistrationExpired(c.now, *name))

    def unregister(self, topic: str, host: str) -> bool:
        """Remove one registration, and nothing else. False: it was not registered here."""
        c = self._c
        lease = c.own.leases.pop((topic, host), None)
        if lease is not None:
            cancel(lease.timer)
        page = c.own.remove(topic, host)
        if page is not None:
            self._own.write([page])
        return page is not None

    def drain(
        self,
        topic: str | None = None,
        host: str | None = None,
        *,
        draining: bool = True,
    ) -> int:
        """Take registrations, or without topic and host the whole node, out of picks (or back).

        Returns how many registrations changed; for the node, 1 or 0 [P10].
        """
        c = self._c
        changed = 0
        if topic is None and host is None:
            state = NodeState.DRAINING if draining else NodeState.UP
            if c.own.state is not state and not c.own.leaving:
                self._own.write([c.own.set_state(state)])
                changed = 1
        else:
            wanted = EntryState.DRAINING if draining else EntryState.UP
            for entry in c.own.registrations():
                matches = topic in (None, entry.topic) and host in (None, entry.host)
                if matches and entry.state is not wanted:
                    self._own.write(c.own.set(entry.topic, entry.host, entry.metadata, wanted))
                    changed += 1
        return changed

    def renew(self, topic: str, host: str) -> bool:
        """Acknowledge an own registration: its time to live begins again. False: unknown."""
        c = self._c
        if c.own.find(topic, host) is None:
            return False
        lease = c.own.leases.get((topic, host))
        if lease is not None:
            cancel(lease.timer)
            self._lease(topic, host, lease.ttl)
        return True

    def ack_alive(self, topic: str, host: str) -> bool:
        """A message was delivered to the host: first-hand evidence for its owners' life [P13].

        For an own registration the same as ``renew``. False: nobody registers it.
        """
        if self._c.own.find(topic, host) is not None:
            return self.renew(topic, host)
        c = self._c
        owners = c.table.owners(topic, host)
        for member in owners:
            member.reached(c.now)
            member.note(c.now, EvidenceKind.DELIVERED, c.own.name, f"{topic}.{host}")
            if member.doubted:
                member.doubted = False
                c.table.rejudge(member, c.now)
            if member.status in (Status.SUSPECT, Status.DEAD, Status.RETURNING):
                self._probes.start(member, Purpose.RETURNING)
        return bool(owners)

    def report_failure(self, topic: str, host: str) -> bool:
        """A message could not be delivered: probe the owners now, prefer others meanwhile [P13].

        Never gossiped as a death. False: nobody registers it.
        """
        c = self._c
        owners = [m for m in c.table.owners(topic, host) if m is not c.me]
        for member in owners:
            member.note(c.now, EvidenceKind.FAILURE_REPORTED, c.own.name, f"{topic}.{host}")
            if member.key in c.table.peers:
                probe = self._probes.start(member, Purpose.FAILURE)
                if probe is not None and not member.doubted:
                    member.doubted = True
                    c.table.rejudge(member, c.now)
        return bool(owners)

    def expire(self, topic: str, host: str) -> bool:
        """Hide a registration here at its current version, and ask its owner whether it stands.

        If it does, the owner writes it anew (a higher version), which shows it again. False:
        nobody registers it [P12].
        """
        c = self._c
        found = False
        for member in c.table.owners(topic, host):
            for page in member.pages.values():
                if any(entry.topic == topic and entry.host == host for entry in page.entries):
                    found = True
                    if member.hidden is None:
                        member.hidden = {}
                    member.hidden[topic, host] = page.version
            c.table.rejudge(member, c.now)
            if member is c.me:
                self.rewrite(topic, host)
            elif member.complete:
                c.send(wire.NEWS, member, options={wire.OPT_EXPIRE: [topic, host]})
        return found

    def rewrite(self, topic: str, host: str) -> None:
        """Somebody expired an own registration that still stands: write its page anew [P12]."""
        c = self._c
        if c.own.find(topic, host) is None:
            return
        wait = self._rewritten.get((topic, host), -1e18) + _REWRITE_EVERY - c.now
        if wait <= 0:
            self._rewrite_now((topic, host))
        elif wait < _REWRITE_EVERY:
            self._rewritten[topic, host] = c.now + wait
            c.timers.at(c.now + wait, self._rewrite_now, (topic, host))

    def _rewrite_now(self, name: tuple[str, str]) -> None:
        c = self._c
        if len(self._rewritten) > 4096:
            self._rewritten.clear()
        self._rewritten[name] = c.now
        page = c.own.touch(*name)
        if page is not None:
            self._own.write([page])
