"""What a datagram does: each part of a frame goes to the part of the core whose matter it is."""

from __future__ import annotations

from functools import partial
from math import inf
from typing import Final

from gossipmm.core.failure.detector import Detector
from gossipmm.core.failure.probes import Probes
from gossipmm.core.life.closed_generations import ClosedGenerations
from gossipmm.core.life.conflict import NameConflict
from gossipmm.core.life.generation import OwnGenerations
from gossipmm.core.life.leaving import Leaving
from gossipmm.core.life.registrations import Registrations
from gossipmm.core.life.reply_loss import ReplyLoss
from gossipmm.core.life.rotation import Rotation
from gossipmm.core.sending.address_validation import AddressValidation
from gossipmm.core.sending.broadcasts import BroadcastQueue
from gossipmm.core.sending.outbox import Outbox, Stranger
from gossipmm.core.sending.replies import Replies
from gossipmm.core.sync.anti_entropy import AntiEntropy
from gossipmm.core.sync.claims import Claims
from gossipmm.core.sync.joining import Joining
from gossipmm.core.sync.transfer import Transfer
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values import events
from gossipmm.core.values.purpose import Purpose
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import Address, Heartbeat
from gossipmm.core.wire import frame as wire

#: What is answered with more than a datagram, or sends others something: only for proved addresses.
_LARGE: Final = (wire.OPT_DIGEST, wire.OPT_BUCKETS, wire.OPT_WANT, wire.OPT_PULL)


class Receiver:
    """Reads frames that were opened and decoded; decides nothing about members itself."""

    def __init__(
        self,
        local: LocalState,
        outbox: Outbox,
        claims: Claims,
        detector: Detector,
        reply_loss: ReplyLoss,
        own_generations: OwnGenerations,
        closed: ClosedGenerations,
        conflict: NameConflict,
        leaving: Leaving,
        broadcasts: BroadcastQueue,
        probes: Probes,
        validation: AddressValidation,
        anti_entropy: AntiEntropy,
        registrations: Registrations,
        joining: Joining,
        rotation: Rotation,
        transfer: Transfer,
        replies: Replies,
    ) -> None:
        self._local = local
        self._outbox = outbox
        self._claims = claims
        self._detector = detector
        self._reply_loss = reply_loss
        self._own = own_generations
        self._closed = closed
        self._conflict = conflict
        self._leaving = leaving
        self._broadcasts = broadcasts
        self._probes = probes
        self._validation = validation
        self._anti_entropy = anti_entropy
        self._registrations = registrations
        self._joining = joining
        self._rotation = rotation
        self._transfer = transfer
        self._replies = replies
        self._silence = 2 * local.config.gossip_interval

    def receive(self, frame: wire.Frame, source: Address) -> None:
        """Act on a frame: records first, then the sender's own life, claims, requests, answers.

        [P107]
        """
        local = self._local
        sender = local.table.by_key.get(frame.sender)
        local.sender_key = frame.sender
        local.known_to_sender = frame.known if frame.target == local.me.key else 0
        options = frame.options
        if options:
            sender = self._receive_records(frame, sender)
        delayed = False
        if sender is not None:
            delayed = frame.heartbeat < sender.k
            self._first_hand(sender, frame.heartbeat, source)
            if not sender.complete:
                self._replies.ask(sender.key)
        else:
            asks = frame.kind == wire.SYN
            self._closed.stranger(frame.sender, options.get(wire.OPT_WANT, ()), asks=asks)
        if frame.rows:
            if sender is not None:
                self._claims.hear_rows(frame.rows, sender, delayed=delayed)
            else:
                self._claims.hear_stranger(frame.rows)
        if options and sender is not None and sender.complete:
            self._receive_requests(frame, sender, source, delayed=delayed)
        if frame.kind == wire.SYN:
            self._answer_syn(frame, sender, source)
        elif frame.kind == wire.ACK:
            self._receive_ack(frame, sender, source)
        if self._outbox.reply:
            room = self._room_to_reply(frame, sender, source) - 8
            rows, given = self._outbox.reply.take(room)
            to = sender or Stranger(source, frame.sender)
            self._outbox.send(wire.NEWS, to, address=source, rows=rows, options=given)

    def _receive_records(self, frame: wire.Frame, sender: Member | None) -> Member | None:
        """Pages first: what else the datagram says may be about them."""
        local = self._local
        pages = frame.options.get(wire.OPT_PAGES)
        if pages:
            self._anti_entropy.hear_pages(pages, sender, quiet=wire.OPT_MORE in frame.options)
            if sender is None or local.table.by_key.get(sender.key) is not sender:
                sender = local.table.by_key.get(frame.sender)
        if wire.OPT_KEY in frame.options:
            self._rotation.hear_key(frame.options[wire.OPT_KEY])
        if sender is not None and wire.OPT_SLOW in frame.options:
            sender.slow_until = local.now + 2 * local.config.gossip_interval
        return sender

    def _first_hand(self, sender: Member, heartbeat: Heartbeat, source: Address) -> None:
        """The sender's own heartbeat, in every datagram of its own [P42]."""
        local = self._local
        now = local.now
        if now - local.last_heard > self._silence and local.last_heard > -inf:
            # As if the socket had not been read meanwhile: this may be as old as the silence.
            local.is_behind(now - local.last_heard, now + 0.1 * self._silence)
        local.last_heard = sender.seen_at = now
        local.peers.heard(sender)
        if source != sender.source:
            sender.source = source
            if sender.complete and source not in sender.addresses:
                local.events.append(
                    events.SourceDiffers(now, sender.name, source, sender.addresses)
                )
        if heartbeat > sender.k:
            if sender.buried_at is None:
                self._detector.hear_alive(sender, heartbeat, now, sender.name)
            else:
                # It may be a replay: what is held dead has to answer a probe of our own.
                self._detector.hear_alive(sender, heartbeat, -1e18, sender.name)
        if sender.buried_at is not None:
            self._probes.start(sender, Purpose.RETURNING)

    def _room_to_reply(self, frame: wire.Frame, sender: Member | None, source: Address) -> int:
        """Room for rows and options; what is too large for it goes once the source is proved."""
        room = self._outbox.room_for(source) - wire.FRAME_SIZE - wire.ROW_SIZE
        if source == self._outbox.limited and self._outbox.reply.larger_than(room - 18):
            request = partial(self.receive, frame, source)
            self._validation.ask(source, sender, frame.sender, request)
            room = self._outbox.room_for(source) - wire.FRAME_SIZE - wire.ROW_SIZE
        return room

    def _receive_requests(
        self, frame: wire.Frame, sender: Member, source: Address, *, delayed: bool
    ) -> None:
        local = self._local
        options = frame.options
        where = sender.addresses[0]
        if self._validation.missing(where) and any(key in options for key in _LARGE):
            self._validation.ask(where, sender, sender.key, partial(self.receive, frame, source))
            return
        if (floors := options.get(wire.OPT_FLOORS)) is not None:
            self._closed.hear_floors(floors, sender)
        if (digest := options.get(wire.OPT_DIGEST)) is not None:
            self._anti_entropy.hear_digest(sender, digest[0], digest[1], digest[2], delayed=delayed)
        if (buckets := options.get(wire.OPT_BUCKETS)) is not None:
            self._anti_entropy.hear_buckets(sender, buckets[0], buckets[1], buckets[2])
        if (want := options.get(wire.OPT_WANT)) is not None:
            self._anti_entropy.hear_want(sender, want)
        if (cursor := options.get(wire.OPT_PULL)) is not None:
            self._transfer.hear_pull(sender, cursor)
        if more := options.get(wire.OPT_MORE):
            self._transfer.hear_more(more, frame.sender)
        if (expired := options.get(wire.OPT_EXPIRE)) is not None and frame.target == local.me.key:
            self._registrations.rewrite(expired[0], expired[1])
        key = options.get(wire.OPT_TARGET)
        if key is not None:
            if frame.kind == wire.HELP:
                self._probes.help(key, sender, source, frame.probe)
            elif frame.kind == wire.HELPED and wire.OPT_REACHED in options:
                self._probes.helped(frame.probe, key, sender)

    def _answer_syn(self, frame: wire.Frame, sender: Member | None, source: Address) -> None:
        """A question. Whoever lives at this address answers for itself, with its own key [P63]."""
        local = self._local
        own = local.own
        if frame.target == local.me.key:
            if frame.known >= own.heartbeat:
                if frame.known > own.heartbeat:
                    local.stats.drop(Drop.OWN_HEARTBEAT)
                    if sender is not None:
                        self._own.renew(
                            f"{sender.name} knows a heartbeat that this node never issued"
                        )
                else:
                    self._own.raise_heartbeat()
            if frame.known and sender is not None:
                own.acknowledged = True
                self._reply_loss.asked(sender, frame.probe)
        elif frame.target:
            local.stats.drop(Drop.NOT_FOR_ME)
        room = self._room_to_reply(frame, sender, source) - 18
        rows, options = self._outbox.reply.take(room) if self._outbox.reply else (b"", None)
        if not options:
            rows += self._broadcasts.riding_rows(sender, room - len(rows))
        self._outbox.send(
            wire.ACK,
            sender or Stranger(source, frame.sender),
            address=source,
            probe=frame.probe,
            rows=rows,
            options=options,
        )
        if sender is not None and sender.key in local.table.peers:
            self._anti_entropy.compare(sender, frame.fingerprint, may_send=True)

    def _receive_ack(self, frame: wire.Frame, sender: Member | None, source: Address) -> None:
        local = self._local
        if frame.known and frame.target == local.me.key and sender is not None:
            local.own.acknowledged = True
        if self._validation.open and self._validation.answered(frame.probe):
            return
        answers = (
            self._leaving.hear_confirmed(frame.probe, frame.sender)
            or self._joining.answered(frame.probe, frame.sender, source)
            or self._conflict.answered(frame.probe, frame.sender)
            or self._probes.answered(frame.probe, sender, source)
        )
        if not answers:
            return
        if sender is not None:
            self._anti_entropy.compare(sender, frame.fingerprint, may_send=False)
        elif wire.OPT_FLOORS in frame.options:
            self._closed.hear_floors(frame.options[wire.OPT_FLOORS], None)
