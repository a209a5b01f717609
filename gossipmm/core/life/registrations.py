"""A program's statements about registrations: its own, and its experience with others'."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gossipmm.core.failure.probes import Probes
from gossipmm.core.life.generation import OwnGenerations
from gossipmm.core.sending.outbox import Outbox
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.self_record import Lease, latest
from gossipmm.core.values import events
from gossipmm.core.values.purpose import Purpose
from gossipmm.core.values.timers import cancel
from gossipmm.core.values.trail import EvidenceKind
from gossipmm.core.values.types import EntryState, NodeState, Registration, Status
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import Page
from gossipmm.errors import GossipError
from gossipmm.names import changed_metadata, check_registration, check_ttl

#: A page written again because somebody expired a registration: at most once in so many seconds.
_REWRITE_EVERY: Final = 1.0


class Registrations:
    """Changes this node's record, and acts on first-hand experience with other hosts."""

    def __init__(
        self,
        local: LocalState,
        outbox: Outbox,
        own_generations: OwnGenerations,
        probes: Probes,
    ) -> None:
        self._local = local
        self._outbox = outbox
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
        local = self._local
        check_ttl(ttl)
        check_registration(topic, host)
        known = local.own.find(topic, host)
        state = (EntryState.UP if known is None else known.state).but(draining=draining)
        pages = local.own.set(topic, host, metadata, state)
        self._own.write(pages)
        lease = local.own.leases.pop((topic, host), None)
        if lease is not None:
            cancel(lease.timer)
        if ttl is not None:
            self._lease(topic, host, ttl)

    def _lease(self, topic: str, host: str, ttl: float) -> None:
        local = self._local
        lease = Lease(ttl, local.now + ttl)
        lease.timer = local.timers.at(lease.deadline, self._expired, (topic, host))
        local.own.leases[topic, host] = lease

    def _expired(self, name: tuple[str, str]) -> None:
        local = self._local
        local.own.leases.pop(name, None)
        page = local.own.remove(*name)
        if page is not None:
            self._own.write([page])
            local.events.append(events.RegistrationExpired(local.now, *name))

    def unregister(self, topic: str, host: str) -> bool:
        """Remove one registration, and nothing else. False: it was not registered here."""
        local = self._local
        lease = local.own.leases.pop((topic, host), None)
        if lease is not None:
            cancel(lease.timer)
        page = local.own.remove(topic, host)
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
        """Take registrations, or without topic and host the node, out of picks (or put them back).

        Returns how many registrations changed; for the node, 1 or 0 [P10].
        """
        local = self._local
        changed = 0
        if topic is None and host is None:
            state = NodeState.DRAINING if draining else NodeState.UP
            if local.own.state is not state and not local.own.leaving:
                self._own.write([local.own.set_state(state)])
                changed = 1
        else:
            for entry in self._chosen(topic, host):
                if entry.state.draining is not draining:
                    wanted = entry.state.but(draining=draining)
                    self._own.write(local.own.set(entry.topic, entry.host, entry.metadata, wanted))
                    changed += 1
        return changed

    def _chosen(self, topic: str | None, host: str | None) -> list[Registration]:
        """Return this node's registrations of a topic and a host; None is any."""
        return [
            entry
            for entry in self._local.own.registrations()
            if topic in (None, entry.topic) and host in (None, entry.host)
        ]

    def set_metadata(
        self, changes: Mapping[str, Any], topic: str | None = None, host: str | None = None
    ) -> int:
        """Change keys of the metadata of registrations, or without topic and host of the node.

        A value of None ends its key. Returns how many records changed. Raises RegistrationError or
        LimitError and then changes nothing [P2].
        """
        local = self._local
        if topic is None and host is None:
            before = local.own.metadata
            after = changed_metadata(f"node {local.own.name!r}", before, changes)
            if _same(before, after) or local.own.leaving:
                return 0
            self._own.write([local.own.set_metadata(after)])
            return 1
        done: list[Registration] = []
        pages: list[Page] = []
        try:
            for entry in self._chosen(topic, host):
                after = changed_metadata(repr(entry.topic), entry.metadata, changes)
                if not _same(entry.metadata, after):
                    pages += local.own.set(entry.topic, entry.host, after, entry.state)
                    done.append(entry)
        except GossipError:
            for entry in done:
                pages += local.own.set(entry.topic, entry.host, entry.metadata, entry.state)
            # As they were; but one that had outgrown its page may be in another one now.
            self._own.write(latest(pages))
            raise
        self._own.write(latest(pages))
        return len(done)

    def renew(self, topic: str, host: str) -> bool:
        """Acknowledge a registration: its time to live begins again. False: not this node's."""
        local = self._local
        if local.own.find(topic, host) is None:
            return False
        lease = local.own.leases.get((topic, host))
        if lease is not None:
            cancel(lease.timer)
            self._lease(topic, host, lease.ttl)
        return True

    def ack_alive(self, topic: str, host: str) -> bool:
        """Report that a message was delivered to the host: its owners are alive [P13].

        For a registration of this node the same as ``renew``. False: nobody registers it.
        """
        if self._local.own.find(topic, host) is not None:
            return self.renew(topic, host)
        local = self._local
        owners = local.table.owners(topic, host)
        for member in owners:
            member.reached(local.now)
            member.note(local.now, EvidenceKind.DELIVERED, local.own.name, topic=topic, host=host)
            if member.doubted:
                member.doubted = False
                local.table.rejudge(member, local.now)
            if member.status in (Status.SUSPECT, Status.DEAD, Status.RETURNING):
                self._probes.start(member, Purpose.RETURNING)
        return bool(owners)

    def report_failure(self, topic: str, host: str) -> bool:
        """Report that a message could not be delivered: probe the owners, prefer others [P13].

        Never gossiped as a death. False: nobody registers it.
        """
        local = self._local
        owners = [m for m in local.table.owners(topic, host) if m is not local.me]
        for member in owners:
            kind = EvidenceKind.FAILURE_REPORTED
            member.note(local.now, kind, local.own.name, topic=topic, host=host)
            if member.key in local.table.peers:
                probe = self._probes.start(member, Purpose.FAILURE)
                if probe is not None and not member.doubted:
                    member.doubted = True
                    local.table.rejudge(member, local.now)
        return bool(owners)

    def expire(self, topic: str, host: str) -> bool:
        """Hide a registration here at its current version, and ask its owner whether it stands.

        If it does, the owner writes it again (a higher version), which shows it again. False:
        nobody registers it [P12].
        """
        local = self._local
        found = False
        for member in local.table.owners(topic, host):
            for page in member.pages.values():
                if any(entry.topic == topic and entry.host == host for entry in page.entries):
                    found = True
                    if member.hidden is None:
                        member.hidden = {}
                    member.hidden[topic, host] = page.version
            local.table.rejudge(member, local.now)
            if member is local.me:
                self.rewrite(topic, host)
            elif member.complete:
                self._outbox.send(wire.NEWS, member, options={wire.OPT_EXPIRE: [topic, host]})
        return found

    def rewrite(self, topic: str, host: str) -> None:
        """Write the page of a registration that somebody expired again: it stands [P12]."""
        local = self._local
        if local.own.find(topic, host) is None:
            return
        wait = self._rewritten.get((topic, host), -1e18) + _REWRITE_EVERY - local.now
        if wait <= 0:
            self._rewrite_now((topic, host))
        elif wait < _REWRITE_EVERY:
            self._rewritten[topic, host] = local.now + wait
            local.timers.at(local.now + wait, self._rewrite_now, (topic, host))

    def _rewrite_now(self, name: tuple[str, str]) -> None:
        local = self._local
        if len(self._rewritten) > 4096:
            self._rewritten.clear()
        self._rewritten[name] = local.now
        page = local.own.touch(*name)
        if page is not None:
            self._own.write([page])


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether two maps are the same on the wire: to Python, 1 is True."""
    return one == other and all(type(one[key]) is type(other[key]) for key in one)
