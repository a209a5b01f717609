"""Node: composes the parts of the core, and decides nothing itself.

It has the shape of aioquic's QuicConnection: five verbs, and every input is an argument, ``now``
included. So the same bytes, times and random numbers give the same history.

    node = Node(config, name="a", addresses=(("127.0.0.1", 7946),), generation=g, rng=rng, now=0.0)
    node.receive_datagram(data, source, now)
    node.handle_timer(now); node.next_timer()
    node.datagrams_to_send(); node.next_event()
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ParamSpec, TypeVar

from gossipmm.config import Config
from gossipmm.core.failure.detector import Detector
from gossipmm.core.failure.pauses import IN_TIME, Lateness, is_late, lateness
from gossipmm.core.failure.predecessor import ExpectedSyn
from gossipmm.core.failure.probe import Findings
from gossipmm.core.failure.probes import Probes
from gossipmm.core.failure.silence import Silence
from gossipmm.core.identity.keys import Identity
from gossipmm.core.identity.signed import seal_of
from gossipmm.core.life.closed_generations import ClosedGenerations
from gossipmm.core.life.conflict import NameConflict
from gossipmm.core.life.generation import OwnGenerations
from gossipmm.core.life.later_lives import LaterLives
from gossipmm.core.life.leaving import Leaving
from gossipmm.core.life.newcomers import Newcomers
from gossipmm.core.life.questions import Questions
from gossipmm.core.life.registrations import Registrations
from gossipmm.core.life.reply_loss import ReplyLoss
from gossipmm.core.life.rotation import Rotation
from gossipmm.core.life.service_health import ServiceHealth
from gossipmm.core.messages.events import UserEvents
from gossipmm.core.parts import Parts
from gossipmm.core.receiver import Receiver
from gossipmm.core.sealing.admission import Admission
from gossipmm.core.sealing.envelope import Envelope, PlainEnvelope
from gossipmm.core.sending.address_validation import AddressValidation
from gossipmm.core.sending.broadcasts import BroadcastQueue
from gossipmm.core.sending.foreign_traffic import ForeignTraffic
from gossipmm.core.sending.outbox import Outbox
from gossipmm.core.sending.paths import Paths
from gossipmm.core.sending.replies import Replies
from gossipmm.core.sending.seeds import Seeds
from gossipmm.core.sending.size_tests import SizeTests
from gossipmm.core.sync.anti_entropy import AntiEntropy
from gossipmm.core.sync.claims import Claims
from gossipmm.core.sync.fingerprints import Fingerprints
from gossipmm.core.sync.founding import Founding
from gossipmm.core.sync.identities import Identities
from gossipmm.core.sync.joining import Joining
from gossipmm.core.sync.pace import Pace
from gossipmm.core.sync.reaper import Reaper
from gossipmm.core.sync.records import Lives, Records
from gossipmm.core.sync.round import GossipRound
from gossipmm.core.sync.transfer import Transfer
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.self_record import SelfRecord
from gossipmm.core.table.table import Table
from gossipmm.core.values import events
from gossipmm.core.values.stats import Drop, Stats
from gossipmm.core.values.types import Address, Generation, NodeId
from gossipmm.core.views import NodeViews
from gossipmm.core.wire.pages import Page, page_untrusted

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Node(NodeViews):
    """One member of a gossip cluster, without input or output of its own.

    ``addresses`` are announced to the others (IP literals). ``generation`` comes from
    ``make_generation``. ``now`` is core time: seconds on any clock that does not go back.
    ``wall_ms`` is the wall clock then, since 1970; None: not known. ``envelope`` encrypts
    (``CoseEnvelope``). ``page_reader`` replaces ``page_untrusted``: many nodes can share a cache.
    ``identity`` signs and judges; None: nothing is signed, or looked at [P150].
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
        wall_ms: int | None = None,
        envelope: Envelope | None = None,
        page_reader: Callable[[bytes], Page] = page_untrusted,
        identity: Identity | None = None,
    ) -> None:
        seal = seal_of(identity.signer, config.cluster) if identity is not None else None
        own = SelfRecord(config, name, generation, tuple(addresses), seal)
        self._local = LocalState(config, own, rng, now, wall_ms)
        self._envelope: Envelope = envelope or PlainEnvelope()
        self._paths = Paths(self._local)
        self._outbox = Outbox(self._local, self._envelope, self._paths)
        self._admission = Admission(config, now)
        #: Whether the allow list has an IP literal.
        self.allows = self._admission.allows
        self.config = config
        self.table: Table = self._local.table
        self.stats: Stats = self._local.stats
        self.distances = self._local.distances
        self._called_at = now
        #: A smaller step of the clock means nothing: it is not looked at.
        self._may_be_late = 0.5 * config.probe_time
        #: Which keys stand behind names; what the shell keeps of that.
        self.identities = Identities(self._local, identity, self._advance)
        self._parts = self._compose(self.identities)
        #: Its keys and the cluster's rotations; what the checks of its services found.
        self.keys = self._parts.rotation
        self.service_health = self._parts.service_health
        self.event_stats = self._parts.user_events.stats
        self.event_status = self._parts.user_events.status
        local, outbox, parts = self._local, self._outbox, self._parts
        #: What is asked of single members, and of this one.
        self.questions = Questions(
            local, outbox, parts.registrations, parts.conflict, self._advance
        )
        self._receiver = Receiver(local, outbox, parts, self.questions, page_reader)
        self._parts.own_generations.begin(own.first_pages())
        self._local.publish()

    def _compose(self, identities: Identities) -> Parts:
        """Make the parts, each from those below it, or with a callback to one that is not."""
        local, outbox, admission = self._local, self._outbox, self._admission
        size_tests, seeds = SizeTests(local, outbox, admission), Seeds(local, outbox)
        broadcasts, replies = BroadcastQueue(local, outbox), Replies(local)
        validation, pace = AddressValidation(local, outbox, admission), Pace(local, broadcasts)
        findings = self._findings(pace)
        probes = Probes(local, outbox, admission, broadcasts, findings, identities.statements)
        detector = Detector(local, outbox, broadcasts, probes, lambda it: later.takes_over(it))
        own, told = OwnGenerations(local, broadcasts), (outbox, broadcasts, replies, probes)
        closed = ClosedGenerations(local, outbox, detector, own, replies, identities.binds)
        conflict, reply_loss = NameConflict(local, outbox, own, probes), ReplyLoss(local, own)
        transfer, founding = Transfer(local, outbox, replies, pace), Founding(local, seeds, pace)
        joining = Joining(local, admission, seeds, transfer, founding)
        claims = Claims(local, detector, own, replies, conflict, closed.capacity)
        anti_entropy = AntiEntropy(local, outbox, claims, replies, broadcasts)
        rotation = Rotation(local, outbox, self._envelope, self._advance, own, identities.orders)
        reaper = Reaper(local, detector, own, closed, probes, seeds)
        silence, expected = Silence(local, detector, probes), ExpectedSyn(local, probes)
        later = LaterLives(local, *told, lambda *proved: records.accept(*proved))
        new = Newcomers(local, outbox, identities.trust, lambda *proved: records.accept(*proved))
        lives, judge = Lives(closed, conflict, later, new), identities.judge(detector, *told)
        records = Records(local, broadcasts, detector, lives, rotation, judge)
        health = ServiceHealth(local, own, self._advance)
        rest = (silence, reply_loss, probes, expected, joining, reaper, pace, health)
        GossipRound(local, own, conflict, *rest).begin()
        return Parts(
            admission=admission,
            envelope=self._envelope,
            paths=self._paths,
            foreign_traffic=ForeignTraffic(local),
            validation=validation,
            size_tests=size_tests,
            broadcasts=broadcasts,
            replies=replies,
            detector=detector,
            probes=probes,
            expected=expected,
            own_generations=own,
            closed=closed,
            conflict=conflict,
            identities=identities,
            later_lives=later,
            newcomers=new,
            leaving=Leaving(local, outbox, conflict, seeds),
            registrations=Registrations(local, outbox, own, probes),
            reply_loss=reply_loss,
            service_health=health,
            rotation=rotation,
            claims=claims,
            records=records,
            fingerprints=Fingerprints(local, validation, anti_entropy, transfer, pace, founding),
            anti_entropy=anti_entropy,
            transfer=transfer,
            joining=joining,
            user_events=UserEvents(local, outbox, replies, admission, identities.trust),
        )

    def _findings(self, pace: Pace) -> Findings:
        """Return where probes tell what they find out: a part that is made after them."""
        return Findings(
            trouble=pace.soon,
            failed=lambda *found: self._parts.detector.failed(*found),
            answered=lambda *found: self._parts.detector.answered(*found),
            reached=lambda *found: self._parts.detector.hear_alive(*found),
        )

    # -- the five verbs ------------------------------------------------------------------------

    def receive_datagram(self, data: bytes, source: Address, now: float) -> None:
        """Take one datagram from the network. Never raises on its bytes: see ``stats.dropped``."""
        self._advance(now)
        self._receiver.receive(data, source)
        if self.table.unpublished:
            self._local.publish()

    def handle_timer(self, now: float) -> None:
        """Run the timers that are due."""
        self._advance(now)
        local = self._local
        if is_late(now - local.timers.next(), self.config.probe_time):
            # Less than a pause, but its own probes and suspicions were not served in time.
            local.slow_until = max(local.slow_until, now + self.config.probe_time)
        local.timers.run_due(now)
        self._local.publish()

    def next_timer(self) -> float:
        """Return the core time at which ``handle_timer`` is wanted; in the past: call it now."""
        return self._local.timers.next()

    def datagrams_to_send(self) -> list[tuple[bytes, Address]]:
        """Take the datagrams that wait to be sent, in order."""
        return self._outbox.take()

    def next_event(self) -> events.Event | None:
        """Take the next event, in order; None when there is none."""
        queue = self._local.events
        return queue.popleft() if queue else None

    def _advance(self, now: float) -> None:
        """Take the clock reading; a step of more than two probes' time was this node's pause."""
        local = self._local
        step = now - self._called_at
        if step > self._may_be_late:
            local.now = now
            overdue = now - local.timers.next()
            late = lateness(step, overdue, self.config.probe_time)
            if late is not IN_TIME:
                self._was_late(late, step, overdue)
        if now > self._called_at:
            local.now = self._called_at = now

    def _was_late(self, late: Lateness, step: float, overdue: float) -> None:
        """Act on a late call, before anything else of it is done."""
        if late.snapshot:
            self._envelope.new_boot()
        if late.reads_late:
            until = self._local.now + 0.2 * self.config.probe_time
            self._local.is_behind(step, until)
        if late.stood_still:
            self._parts.detector.was_late(overdue, step)

    # -- what the program says -----------------------------------------------------------------

    def join(self, addresses: Iterable[Address], now: float, *, complete: bool = True) -> None:
        """Set the seeds to their current resolution. Call again after each resolution.

        ``complete``: False while names are not resolved, so that there may be other seeds: then a
        node that finds only itself has not joined.
        """
        seeds = list(dict.fromkeys(addresses))
        self._say(self._parts.joining.join, now, seeds, complete=complete)

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
        """Register a host under a topic; the same call again renews its time to live (seconds).

        Raises RegistrationError or LimitError and then changes nothing.
        """
        register = self._parts.registrations.register
        self._say(register, now, topic, host, metadata, ttl=ttl, draining=draining)

    def unregister(self, topic: str, host: str, *, now: float) -> bool:
        """Remove one registration, and nothing else. False: it was not registered here."""
        return self._say(self._parts.registrations.unregister, now, topic, host)

    def drain(
        self,
        topic: str | None = None,
        host: str | None = None,
        *,
        draining: bool = True,
        now: float,
    ) -> int:
        """Take registrations, or without topic and host the node, out of picks (or put them back).

        Returns how many registrations changed; for the node, 1 or 0.
        """
        return self._say(self._parts.registrations.drain, now, topic, host, draining=draining)

    def set_metadata(
        self,
        changes: Mapping[str, Any],
        topic: str | None = None,
        host: str | None = None,
        *,
        now: float,
    ) -> int:
        """Change metadata of registrations, or without names of the node; None ends a key.

        Returns how many records changed. Raises RegistrationError, LimitError: then none has.
        """
        return self._say(self._parts.registrations.set_metadata, now, changes, topic, host)

    def renew(self, topic: str, host: str, *, now: float) -> bool:
        """Acknowledge a registration: its time to live begins again. False: not this node's."""
        return self._say(self._parts.registrations.renew, now, topic, host)

    def ack_alive(self, topic: str, host: str, *, now: float) -> bool:
        """Report that a message was delivered to the host: its owners are alive.

        For a registration of this node the same as ``renew``. False: nobody registers it.
        """
        return self._say(self._parts.registrations.ack_alive, now, topic, host)

    def report_failure(self, topic: str, host: str, *, now: float) -> bool:
        """Report that a message could not be delivered: probe the owners, prefer others.

        Never gossiped as a death. False: nobody registers it.
        """
        return self._say(self._parts.registrations.report_failure, now, topic, host)

    def expire(self, topic: str, host: str, *, now: float) -> bool:
        """Hide a registration here at its current version, and ask its owner whether it stands.

        If it does, the owner writes it again (a higher version), which shows it again. False:
        nobody registers it.
        """
        return self._say(self._parts.registrations.expire, now, topic, host)

    def send_event(
        self,
        name: str,
        payload: bytes | str = b"",
        *,
        topic: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        now: float,
    ) -> int:
        """Send a user event to all live members, once; return its number in this life.

        ``topic``: only to members with a registration of it; ``metadata``: only to those whose own
        metadata has these values. Raises UserEventError, UserEventRateError: then nobody is told.
        """
        send = self._parts.user_events.send
        return self._say(send, now, name, payload, topic=topic, metadata=metadata)

    def _say(self, verb: Callable[_P, _T], now: float, /, *args: _P.args, **opt: _P.kwargs) -> _T:
        self._advance(now)
        result = verb(*args, **opt)
        self._local.publish()
        return result

    def forget(self, name: NodeId, *, now: float) -> bool:
        """Close a generation: dead, left or never alive; drop later ones not proved, and the pin.

        False: there was nothing to forget [P50, P152].
        """
        closed = self._say(self._parts.closed.forget, now, name)
        unpinned = self.identities.forget(name)
        return self._parts.later_lives.forget(name) or closed or unpinned

    def leave(self, now: float) -> None:
        """Leave gracefully; a LeaveFinished event follows within ``config.leave_timeout``."""
        self._say(self._parts.leaving.leave, now)

    def set_addresses(self, addresses: Iterable[Address], now: float) -> None:
        """Announce other addresses from now on. Raises ConfigError, LimitError [P2]."""
        self._say(self._parts.own_generations.move, now, tuple(addresses))

    def new_boot(self, now: float, wall_ms: int | None = None) -> None:
        """Seal with IVs that no copy of this process can use: the wall clock jumped, to that."""
        self._advance(now)
        self._local.set_wall(wall_ms)
        self._envelope.new_boot()

    def send_failed(self, address: Address, now: float, size: int = 0) -> None:
        """Take note that the system refused a send: the next goes to another address [P70, P71].

        ``size``: it was refused because that many bytes are more than the link carries.
        """
        self._advance(now)
        self._local.stats.drop(Drop.SEND_TOO_LARGE if size else Drop.SEND_FAILED)
        member = self._outbox.receiver_at(address)
        if size:
            self._parts.size_tests.refused(member, address, size)
        elif member is not None:
            self._paths.failed(member, address)
            self._parts.probes.send_failed(member, address)
