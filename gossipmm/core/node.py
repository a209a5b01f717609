"""Node: composes the parts of the core, and decides nothing itself.

The shape of aioquic's QuicConnection: five verbs, ``now`` is an argument, everything that comes
in comes through the arguments. So the same bytes, times and random numbers give the same history.

    node = Node(config, name="a", addresses=(("127.0.0.1", 7946),), generation=g, rng=rng, now=0.0)
    node.receive_datagram(data, source, now)
    node.handle_timer(now)
    node.next_timer()
    node.datagrams_to_send()
    node.next_event()
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

from gossipmm.config import Config
from gossipmm.core import events, wire
from gossipmm.core.context import Context
from gossipmm.core.detector import Detector
from gossipmm.core.envelope import Envelope, PlainEnvelope
from gossipmm.core.foreign import FOREIGN, Foreign
from gossipmm.core.health import Health, health_of
from gossipmm.core.lifecycle import Lifecycle
from gossipmm.core.member import Member
from gossipmm.core.news import News
from gossipmm.core.own import Lease, OwnRecord
from gossipmm.core.probes import Probes
from gossipmm.core.proofs import Proofs
from gossipmm.core.reconcile import Reconcile
from gossipmm.core.rhythm import Rhythm
from gossipmm.core.rotation import Rotation
from gossipmm.core.table import Table
from gossipmm.core.timers import cancel
from gossipmm.core.trace import Drop, Stats
from gossipmm.core.types import (
    Address,
    EntryState,
    Evidence,
    Generation,
    Heartbeat,
    MemberView,
    NodeId,
    NodeState,
    Registration,
    Status,
)
from gossipmm.errors import RegistrationError

#: A pause of so many seconds may have been a snapshot's: somebody else may have lived on from it.
_SNAPSHOT = 60.0
#: What is answered with more than a datagram, or sends others something: only for proved addresses.
_LARGE = (wire.OPT_DIGEST, wire.OPT_BUCKETS, wire.OPT_WANT, wire.OPT_PULL)
#: A change written anew because somebody expired it: at most once in so many seconds.
_REWRITE_EVERY = 1.0


class Disagreement(NamedTuple):
    """A live peer whose fingerprint differs, and since when (core time)."""

    name: NodeId
    since: float


class Agreement(NamedTuple):
    """How far the live peers agree with this node's table, as last heard from each."""

    fingerprint: int
    agree: int
    differ: tuple[Disagreement, ...]
    unheard: int  #: live peers that have not exchanged with this node yet


class Node:
    """One member of a gossip cluster, without any input or output of its own.

    ``addresses`` are announced to the others (IP literals). ``generation`` comes from
    ``make_generation``. ``now`` is core time: seconds on any clock that does not go back.
    ``envelope`` encrypts (``CoseEnvelope``); without one everything is sent as it is.
    """

    def __init__(
        self,
        config: Config,
        *,
        name: NodeId,
        addresses: tuple[Address, ...],
        generation: Generation,
        rng: random.Random,
        now: float,
        envelope: Envelope | None = None,
    ) -> None:
        own = OwnRecord(config, name, generation, tuple(addresses))
        c = self._c = Context(config, own, rng, now, envelope or PlainEnvelope())
        self.config = config
        self.table: Table = c.table
        self.stats: Stats = c.stats
        c.news = News(c)
        c.detector = Detector(c)
        c.probes = Probes(c)
        c.proofs = Proofs(c)
        c.reconcile = Reconcile(c)
        c.lifecycle = Lifecycle(c)
        c.rhythm = Rhythm(c)
        self._foreign = Foreign(c)
        self._budget_of = c.admission.proved.get
        #: An envelope lets nobody pass whose address is not proved.
        self._proves = not isinstance(c.envelope, PlainEnvelope)
        self._called_at = now
        self._late = 2 * config.gossip_interval
        self._lateness = 0.5 * config.gossip_interval
        self._rewritten: dict[tuple[str, str], float] = {}
        #: Its keys, and the cluster's rotations of them.
        self.keys = c.rotation = Rotation(c, self._advance)
        c.lifecycle.begin([own.page_zero()])
        self._publish()

    # -- the five verbs ------------------------------------------------------------------------

    def receive_datagram(self, data: bytes, source: Address, now: float) -> None:
        """Take one datagram from the network. Never raises on its bytes: see ``stats.dropped``."""
        c = self._c
        self._advance(now)
        stats = c.stats
        stats.received_datagrams += 1
        stats.received_bytes += len(data)
        budget = self._budget_of(source)
        if budget is None:
            refused_at_once = c.admission.refuses(source, c.now)
            if refused_at_once is not None:
                stats.drop(refused_at_once)
                return
        frame = None
        try:
            opened = c.envelope.open_untrusted(data, source, c.now)
            if opened is not None:
                frame = wire.decode_untrusted(opened, c.tag)
        except wire.Refused as refused:
            stats.drop(refused.reason)
            if refused.reason in FOREIGN:
                self._foreign.heard(refused.reason, source, data)
        if c.envelope.waiting:
            c.send_waiting()
        if frame is None:
            return
        if frame.sender == c.me.key:
            stats.drop(Drop.FROM_MYSELF)
            return
        if budget is not None:
            budget[0] -= 1.0
            if budget[0] < 0.0 and c.admission.exceeds(budget, c.now):
                stats.drop(Drop.PEER_RATE)
                return
        elif self._proves:
            c.admission.prove(source, c.now)
        else:
            c.limited, c.allowance = source, 3 * len(data)
        name = wire.KIND_NAMES[frame.kind]
        stats.received_by_kind[name] = stats.received_by_kind.get(name, 0) + 1
        self._receive(frame, source)
        c.limited = None
        if c.proofs.ready:
            c.proofs.serve()
        self._publish()

    def handle_timer(self, now: float) -> None:
        """Run what is due."""
        self._advance(now)
        c = self._c
        timers = c.timers
        if now - timers.next() > self._lateness:
            # Less than a pause, but its own probes and suspicions were not served in time.
            c.slow_until = max(c.slow_until, now + self.config.gossip_interval)
        while (token := timers.pop_due(now)) is not None:
            token[2](token[3])
        self._publish()

    def next_timer(self) -> float:
        """Core time at which ``handle_timer`` is wanted; perhaps in the past (call it now)."""
        return self._c.timers.next()

    def datagrams_to_send(self) -> list[tuple[bytes, Address]]:
        """Take the datagrams that wait to be sent, in order."""
        out = self._c.out
        if out:
            self._c.out = []
        return out

    def next_event(self) -> events.Event | None:
        """Take the next event, in order; None when there is none."""
        queue = self._c.events
        return queue.popleft() if queue else None

    # -- receiving -----------------------------------------------------------------------------

    def _advance(self, now: float) -> None:
        """Take the clock reading; a step of more than two intervals was this node's pause."""
        c = self._c
        late = now - self._called_at
        if late > self._lateness:
            c.now = now
            if late > _SNAPSHOT:
                c.envelope.new_boot()
            overdue = now - c.timers.next()
            if overdue > self._lateness:
                c.is_behind(late, now + 0.2 * self.config.gossip_interval)
            if overdue > self._late:
                c.detector.was_late(overdue)
        if now > self._called_at:
            c.now = self._called_at = now

    def _receive(self, frame: wire.Frame, source: Address) -> None:
        c = self._c
        sender = c.table.by_key.get(frame.sender)
        c.sender_key = frame.sender
        options = frame.options
        if options:
            sender = self._receive_records(frame, sender)
        delayed = False
        if sender is not None:
            delayed = frame.heartbeat < sender.k
            self._first_hand(sender, frame.heartbeat, source)
            if not sender.complete:
                c.reconcile.ask(sender.key)
        else:
            asks = frame.kind == wire.SYN
            c.lifecycle.stranger(frame.sender, options.get(wire.OPT_WANT, ()), asks=asks)
        if frame.rows:
            if sender is not None:
                c.detector.hear_rows(frame.rows, sender, delayed=delayed)
            else:
                c.detector.hear_stranger(frame.rows)
        if options and sender is not None and sender.complete:
            self._receive_requests(frame, sender, source)
        if frame.kind == wire.SYN:
            self._answer_syn(frame, sender, source)
        elif frame.kind == wire.ACK:
            self._receive_ack(frame, sender, source)
        if c.reply:
            room = self._room_to_reply(frame, sender, source) - 8
            rows, given = c.reply.take(room)
            c.send(wire.NEWS, sender, address=source, target=frame.sender, rows=rows, options=given)

    def _receive_records(self, frame: wire.Frame, sender: Member | None) -> Member | None:
        """Pages first: what else the datagram says may be about them."""
        c = self._c
        pages = frame.options.get(wire.OPT_PAGES)
        if pages:
            c.reconcile.hear_pages(pages, sender, quiet=wire.OPT_MORE in frame.options)
            if sender is None or c.table.by_key.get(sender.key) is not sender:
                sender = c.table.by_key.get(frame.sender)
        if wire.OPT_KEY in frame.options:
            c.rotation.hear_key(frame.options[wire.OPT_KEY])
        if sender is not None and wire.OPT_SLOW in frame.options:
            sender.slow_until = c.now + 2 * c.config.gossip_interval
        return sender

    def _first_hand(self, sender: Member, heartbeat: Heartbeat, source: Address) -> None:
        """The sender's own heartbeat, in every datagram of its own."""
        c = self._c
        now = c.now
        c.last_heard = sender.seen_at = now
        c.peers.heard(sender)
        if source != sender.source:
            sender.source = source
            if sender.complete and source not in sender.addresses:
                c.events.append(events.SourceDiffers(now, sender.name, source, sender.addresses))
        if heartbeat > sender.k:
            if sender.buried_at is None:
                c.detector.hear_alive(sender, heartbeat, now, sender.name)
            else:
                # It may be a replay: what is held dead has to answer a probe of our own.
                c.detector.hear_alive(sender, heartbeat, -1e18, sender.name)
        if sender.buried_at is not None:
            c.probes.start(sender, "returning")

    def _room_to_reply(self, frame: wire.Frame, sender: Member | None, source: Address) -> int:
        """Room for rows and options; what is too large for it goes once the source is proved."""
        c = self._c
        room = c.room_for(source) - wire.FRAME_SIZE - wire.ROW_SIZE
        if source == c.limited and c.reply.larger_than(room - 18):
            request = partial(self._receive, frame, source)
            c.proofs.ask(source, sender, frame.sender, request)
            room = c.room_for(source) - wire.FRAME_SIZE - wire.ROW_SIZE
        return room

    def _receive_requests(self, frame: wire.Frame, sender: Member, source: Address) -> None:
        c = self._c
        options = frame.options
        where = sender.addresses[0]
        if c.proofs.missing(where) and any(key in options for key in _LARGE):
            c.proofs.ask(where, sender, sender.key, partial(self._receive, frame, source))
            return
        if (floors := options.get(wire.OPT_FLOORS)) is not None:
            c.lifecycle.hear_floors(floors, sender)
        if (digest := options.get(wire.OPT_DIGEST)) is not None:
            c.reconcile.hear_digest(sender, digest[0], digest[1], digest[2])
        if (buckets := options.get(wire.OPT_BUCKETS)) is not None:
            c.reconcile.hear_buckets(sender, buckets[0], buckets[1], buckets[2])
        if (want := options.get(wire.OPT_WANT)) is not None:
            c.reconcile.hear_want(sender, want)
        if (cursor := options.get(wire.OPT_PULL)) is not None:
            c.reconcile.hear_pull(sender, cursor)
        if more := options.get(wire.OPT_MORE):
            c.reconcile.hear_more(more, frame.sender)
        if (expired := options.get(wire.OPT_EXPIRE)) is not None and frame.target == c.me.key:
            self._rewrite(expired[0], expired[1])
        key = options.get(wire.OPT_TARGET)
        if key is not None:
            if frame.kind == wire.HELP:
                c.probes.help(key, sender, source, frame.probe)
            elif frame.kind == wire.HELPED and wire.OPT_REACHED in options:
                c.probes.helped(frame.probe, key, sender)

    def _answer_syn(self, frame: wire.Frame, sender: Member | None, source: Address) -> None:
        """A question. Whoever lives at this address answers for itself, with its own key."""
        c = self._c
        own = c.own
        if frame.target == c.me.key:
            if frame.known >= own.heartbeat:
                if frame.known > own.heartbeat:
                    c.stats.drop(Drop.OWN_HEARTBEAT)
                    if sender is not None:
                        c.lifecycle.renew(
                            f"{sender.name} knows a heartbeat that this node never issued"
                        )
                else:
                    c.lifecycle.raise_heartbeat()
            if frame.known and sender is not None:
                own.acknowledged = True
        elif frame.target:
            c.stats.drop(Drop.NOT_FOR_ME)
        room = self._room_to_reply(frame, sender, source) - 18
        rows, options = c.reply.take(room) if c.reply else (b"", None)
        if not options:
            rows += c.news.riding_rows(sender, room - len(rows))
        c.send(
            wire.ACK,
            sender,
            address=source,
            target=frame.sender,
            probe=frame.probe,
            rows=rows,
            options=options,
        )
        if sender is not None and sender.key in c.table.peers:
            c.reconcile.compare(sender, frame.fingerprint, may_send=True)

    def _receive_ack(self, frame: wire.Frame, sender: Member | None, source: Address) -> None:
        c = self._c
        if frame.known and frame.target == c.me.key and sender is not None:
            c.own.acknowledged = True
        if c.proofs.open and c.proofs.answered(frame.probe):
            return
        answers = (
            c.lifecycle.leave_confirmed(frame.probe, frame.sender)
            or c.rhythm.knock_answered(frame.probe, frame.sender, source)
            or c.lifecycle.conflict_answered(frame.probe, frame.sender)
            or c.probes.answered(frame.probe, sender, source)
        )
        if not answers:
            return
        if sender is not None:
            c.reconcile.compare(sender, frame.fingerprint, may_send=False)
        elif wire.OPT_FLOORS in frame.options:
            c.lifecycle.hear_floors(frame.options[wire.OPT_FLOORS], None)

    # -- what the program says -----------------------------------------------------------------

    def join(self, addresses: Iterable[Address], now: float) -> None:
        """Set the seeds to their current resolution. Call again after each resolution."""
        self._advance(now)
        self._c.rhythm.join(list(dict.fromkeys(addresses)))
        self._publish()

    def register(
        self,
        topic: str,
        host: str,
        metadata: Mapping[str, Any] | None = None,
        *,
        ttl: float | None = None,
        draining: bool = False,
        now: float,
    ) -> None:
        """Register a host under a topic; the same call again renews its time to live.

        Raises RegistrationError or LimitError and then changes nothing.
        """
        self._advance(now)
        c = self._c
        if ttl is not None and not ttl > 0:
            raise RegistrationError(
                f"ttl of {topic!r} is {ttl!r}: give seconds above 0, or none for no end"
            )
        state = EntryState.DRAINING if draining else EntryState.UP
        pages = c.own.set(topic, host, metadata, state)
        c.lifecycle.write(pages)
        lease = c.own.leases.pop((topic, host), None)
        if lease is not None:
            cancel(lease.timer)
        if ttl is not None:
            self._lease(topic, host, ttl)
        self._publish()

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
            c.lifecycle.write([page])
            c.events.append(events.RegistrationExpired(c.now, *name))

    def unregister(self, topic: str, host: str, *, now: float) -> bool:
        """Remove one registration, and nothing else. False: it was not registered here."""
        self._advance(now)
        c = self._c
        lease = c.own.leases.pop((topic, host), None)
        if lease is not None:
            cancel(lease.timer)
        page = c.own.remove(topic, host)
        if page is not None:
            c.lifecycle.write([page])
        self._publish()
        return page is not None

    def drain(
        self,
        topic: str | None = None,
        host: str | None = None,
        *,
        draining: bool = True,
        now: float,
    ) -> int:
        """Take registrations, or without topic and host the whole node, out of picks (or back).

        Returns how many registrations changed; for the node, 1 or 0.
        """
        self._advance(now)
        c = self._c
        changed = 0
        if topic is None and host is None:
            state = NodeState.DRAINING if draining else NodeState.UP
            if c.own.state is not state and not c.lifecycle.leaving:
                c.lifecycle.write([c.own.set_state(state)])
                changed = 1
        else:
            wanted = EntryState.DRAINING if draining else EntryState.UP
            for entry in c.own.registrations():
                matches = topic in (None, entry.topic) and host in (None, entry.host)
                if matches and entry.state is not wanted:
                    c.lifecycle.write(c.own.set(entry.topic, entry.host, entry.metadata, wanted))
                    changed += 1
        self._publish()
        return changed

    def renew(self, topic: str, host: str, *, now: float) -> bool:
        """Acknowledge an own registration: its time to live begins again. False: unknown."""
        self._advance(now)
        c = self._c
        if c.own.find(topic, host) is None:
            return False
        lease = c.own.leases.get((topic, host))
        if lease is not None:
            cancel(lease.timer)
            self._lease(topic, host, lease.ttl)
        return True

    def ack_alive(self, topic: str, host: str, *, now: float) -> bool:
        """A message was delivered to the host: first-hand evidence for its owners' life.

        For an own registration the same as ``renew``. False: nobody registers it.
        """
        if self._c.own.find(topic, host) is not None:
            return self.renew(topic, host, now=now)
        self._advance(now)
        c = self._c
        owners = c.table.owners(topic, host)
        for member in owners:
            member.reached(c.now)
            member.note(c.now, "delivered", c.own.name, f"{topic}.{host}")
            if member.doubted:
                member.doubted = False
                c.table.rejudge(member, c.now)
            if member.status in (Status.SUSPECT, Status.DEAD, Status.RETURNING):
                c.probes.start(member, "returning")
        self._publish()
        return bool(owners)

    def report_failure(self, topic: str, host: str, *, now: float) -> bool:
        """A message could not be delivered: probe the owners now, prefer others meanwhile.

        Never gossiped as a death. False: nobody registers it.
        """
        self._advance(now)
        c = self._c
        owners = [m for m in c.table.owners(topic, host) if m is not c.me]
        for member in owners:
            member.note(c.now, "failure_reported", c.own.name, f"{topic}.{host}")
            if member.key in c.table.peers:
                probe = c.probes.start(member, "failure")
                if probe is not None and not member.doubted:
                    member.doubted = True
                    c.table.rejudge(member, c.now)
        self._publish()
        return bool(owners)

    def expire(self, topic: str, host: str, *, now: float) -> bool:
        """Hide a registration here at its current version, and ask its owner whether it stands.

        If it does, the owner writes it anew (a higher version), which shows it again. False:
        nobody registers it.
        """
        self._advance(now)
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
                self._rewrite(topic, host)
            elif member.complete:
                c.send(wire.NEWS, member, options={wire.OPT_EXPIRE: [topic, host]})
        self._publish()
        return found

    def _rewrite(self, topic: str, host: str) -> None:
        """Somebody expired an own registration that still stands: write its page anew."""
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
            c.lifecycle.write([page])

    def forget(self, name: NodeId, *, now: float) -> bool:
        """Close the generation of a dead or left member by hand, everywhere. False: not dead."""
        self._advance(now)
        closed = self._c.lifecycle.forget(name)
        self._publish()
        return closed

    def leave(self, now: float) -> None:
        """Leave gracefully; a LeaveFinished event follows within ``config.leave_timeout``."""
        self._advance(now)
        self._c.lifecycle.leave()
        self._publish()

    def new_boot(self, now: float) -> None:
        """Seal with IVs that no copy of this process can use: after a jump of the wall clock."""
        self._advance(now)
        self._c.envelope.new_boot()

    def send_failed(self, address: Address, now: float) -> None:
        """The shell could not send there: counted; the probe goes on with its next try."""
        self._advance(now)
        self._c.stats.drop(Drop.SEND_FAILED)

    # -- what a reader sees ----------------------------------------------------------------------

    @property
    def name(self) -> NodeId:
        """This node's name."""
        return self._c.own.name

    @property
    def generation(self) -> Generation:
        """This node's current generation."""
        return self._c.own.generation

    @property
    def heartbeat(self) -> Heartbeat:
        """This node's current heartbeat."""
        return self._c.own.heartbeat

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Addresses that this node announces."""
        return self._c.own.addresses

    @property
    def leaving(self) -> bool:
        """True once ``leave`` was called."""
        return self._c.lifecycle.leaving

    @property
    def left(self) -> bool:
        """True once the leave is confirmed, or its time is over."""
        return self._c.lifecycle.left

    @property
    def conflict(self) -> tuple[Address, ...]:
        """Addresses of another live process with this node's name; empty without one."""
        conflict = self._c.lifecycle.conflict
        return conflict.page.addresses if conflict is not None else ()

    def registrations(self) -> tuple[Registration, ...]:
        """This node's own registrations."""
        return self._c.own.registrations()

    def leases(self, now: float) -> dict[tuple[str, str], tuple[float, float]]:
        """Own registrations with a time to live: (topic, host) -> (ttl, seconds left)."""
        leases = self._c.own.leases.items()
        return {name: (lease.ttl, max(0.0, lease.deadline - now)) for name, lease in leases}

    def members(self) -> tuple[MemberView, ...]:
        """All members known, this node included, by name."""
        return tuple(self._view(m) for _, m in sorted(self._c.table.by_name.items()))

    def member(self, name: NodeId) -> MemberView | None:
        """One member; None when the name is unknown."""
        member = self._c.table.by_name.get(name)
        return self._view(member) if member is not None else None

    def _view(self, member: Member) -> MemberView:
        view = member.view()
        if member is self._c.me:
            view = view._replace(heartbeat=self._c.own.heartbeat, heard=self._c.now)
        return view

    def why(self, name: NodeId) -> tuple[Evidence, ...]:
        """The evidence trail of a member, oldest first; empty when the name is unknown."""
        member = self._c.table.by_name.get(name)
        return tuple(member.trail) if member is not None and member.trail else ()

    def agreement(self, now: float) -> Agreement:
        """How many live peers agree with this table, who does not, and since when."""
        agree = unheard = 0
        differ = []
        for member in self._c.table.peers.values():
            if not member.peer_fingerprint:
                unheard += 1
            elif member.peer_fingerprint == self._c.table.fingerprint:
                agree += 1
            else:
                since = member.differs_since
                differ.append(Disagreement(member.name, now if since is None else since))
        return Agreement(self._c.table.fingerprint, agree, tuple(differ), unheard)

    def health(self, now: float) -> Health:
        """How well this node itself is: slow, deaf, its own loss, what waits to be told."""
        return health_of(self._c, now)

    def _publish(self) -> None:
        changes = self._c.table.publish()
        if changes:
            self._c.events.extend(changes)
