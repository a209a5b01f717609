"""Receives datagrams: admits and reads each, and hands its contents to the right parts."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from math import inf
from typing import Final

from gossipmm.core.life.questions import Questions
from gossipmm.core.parts import Parts
from gossipmm.core.sealing.admission import Budget
from gossipmm.core.sealing.envelope import PlainEnvelope
from gossipmm.core.sending.foreign_traffic import FOREIGN
from gossipmm.core.sending.inbound import Inbound
from gossipmm.core.sending.outbox import Outbox
from gossipmm.core.sending.parts import Parts as FrameParts
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values.purpose import Purpose
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import Address, Refusal
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import Page, pages_untrusted
from gossipmm.core.wire.slim import decode_slim_untrusted, is_slim
from gossipmm.core.wire.strict import FromMyself, Refused

__all__ = ("Receiver",)

#: Options that say why their sender does not admit this node.
_REFUSALS: Final = ((wire.OPT_FULL, Refusal.FULL), (wire.OPT_AHEAD, Refusal.AHEAD))
#: Bytes that may go to an unvalidated address for each byte from there [P95].
_ALLOWED: Final = 3
#: Bytes of a coordinate among the options of an ACK.
_PLACE: Final = 11


class Receiver:
    """Reads datagrams; decides nothing about members itself."""

    def __init__(
        self,
        local: LocalState,
        outbox: Outbox,
        parts: Parts,
        questions: Questions,
        page_reader: Callable[[bytes], Page],
    ) -> None:
        self._local = local
        self._outbox = outbox
        self._parts = parts
        self._questions = questions
        self._page_reader = parts.admission.allowing(page_reader)
        self._tag = wire.cluster_tag(local.config.cluster)
        self._frame_parts = FrameParts()
        self._budget_of = parts.admission.proved.get
        #: An envelope passes only datagrams from validated addresses.
        self._proves = not isinstance(parts.envelope, PlainEnvelope)
        self._silence = local.config.quiet_max

    # -- admission -----------------------------------------------------------------------------

    def receive(self, data: bytes, source: Address) -> None:
        """Take one datagram from the network. Never raises on its bytes: see ``stats.dropped``."""
        local, admission = self._local, self._parts.admission
        stats = local.stats
        stats.received_datagrams += 1
        stats.received_bytes += len(data)
        budget = self._budget_of(source)
        if budget is None:
            refused_at_once = admission.refuses(source, local.now)
            if refused_at_once is not None:
                stats.drop(refused_at_once)
                return
        frame = self._frame_untrusted(data, source)
        if frame is None:
            return
        if frame.sender == local.me.key:
            stats.drop(Drop.FROM_MYSELF)
            self._parts.joining.came_back(frame.probe)
            return
        if budget is not None:
            budget.heard += len(data)
            budget.left -= 1.0
            if budget.left < 0.0 and admission.exceeds(budget, local.now):
                stats.drop(Drop.PEER_RATE)
                return
        elif self._proves:
            admission.prove(source, local.now)
        name = wire.KIND_NAMES[frame.kind]
        stats.received_by_kind[name] = stats.received_by_kind.get(name, 0) + 1
        limited = budget is None and not self._proves
        if limited:
            self._outbox.limit(source, _ALLOWED * len(data))
        if wire.OPT_PART in frame.options:
            frame = self._whole_untrusted(frame) or frame
        options = frame.options
        begin = stats.work
        pages = pages_untrusted(options, self._page_reader, stats) if options else ()
        self._act(Inbound(frame, source, pages, local.now))
        admission.charge(source, stats.work - begin)
        if limited:
            self._outbox.end_limit()
        validation = self._parts.validation
        if validation.ready:
            validation.serve()

    def _act_again(self, frame: wire.Frame, source: Address) -> None:
        """Act on a frame that had to wait until its sender's address was validated."""
        local = self._local
        pages = pages_untrusted(frame.options, self._page_reader, local.stats)
        self._act(Inbound(frame, source, pages, local.now))

    def _frame_untrusted(self, data: bytes, source: Address) -> wire.Frame | None:
        """Open and decode; None, counted by reason, when there is nothing to act on."""
        local, envelope = self._local, self._parts.envelope
        frame = None
        try:
            opened = envelope.open_untrusted(data, source, local.now)
            if opened is not None:
                frame = self._decode(opened)
        except FromMyself as mine:
            local.stats.drop(mine.reason)
            self._came_back_untrusted(mine.frame)
        except Refused as refused:
            local.stats.drop(refused.reason)
            if refused.reason in FOREIGN:
                self._parts.foreign_traffic.heard(refused.reason, source, data)
        if envelope.waiting:
            self._outbox.send_waiting()
        if envelope.challenged:
            challenged, envelope.challenged = envelope.challenged, []
            for address in challenged:
                self._parts.probes.challenged(address)
        return frame

    def _whole_untrusted(self, part: wire.Frame) -> wire.Frame | None:
        """Return the frame that a part completes; None while there is nothing more to act on.

        [P128]
        """
        local = self._local
        sender = part.sender if part.sender in local.table.by_key else 0
        whole = self._frame_parts.take(sender, part.options[wire.OPT_PART])
        if whole is None:
            return None
        try:
            frame = wire.decode_untrusted(whole, self._tag)
        except Refused as refused:
            local.stats.drop(refused.reason)
            return None
        if frame.sender != part.sender or wire.OPT_PART in frame.options:
            local.stats.drop(Drop.MALFORMED)
            return None
        return frame

    def _came_back_untrusted(self, opened: bytes) -> None:
        with suppress(Refused):
            frame = wire.decode_untrusted(opened, self._tag)
            self._parts.joining.came_back(frame.probe)

    def _decode(self, opened: bytes) -> wire.Frame:
        if is_slim(opened):
            local = self._local
            return decode_slim_untrusted(
                opened, local.me.key, local.table.by_key, self._parts.probes.asked
            )
        return wire.decode_untrusted(opened, self._tag)

    # -- what it says --------------------------------------------------------------------------

    def _act(self, inbound: Inbound) -> None:
        """Act on a datagram: records first, then its sender's own life, claims, requests, answers.

        [P107]
        """
        local, parts, frame = self._local, self._parts, inbound.frame
        proves = frame.kind == wire.ACK and (
            parts.later_lives.answered(frame.probe, frame.sender)
            or parts.newcomers.answered(frame.probe, frame.sender)
        )
        inbound.sender = local.table.by_key.get(frame.sender)
        if inbound.pages:
            asked = parts.probes.was_asked(frame.probe) or parts.joining.asked(frame.probe)
            inbound.is_answer = frame.kind == wire.ACK and asked
            # The rest of the datagram may be about them, and its sender's record among them.
            unknown = inbound.sender is None
            parts.records.hear_pages(inbound)
            inbound.sender = local.table.by_key.get(frame.sender)
            inbound.introduced = unknown and inbound.sender is not None
        sender = inbound.sender
        options = frame.options
        if wire.OPT_KEY in options:
            parts.rotation.hear_key(options[wire.OPT_KEY])
        for option, reason in _REFUSALS:
            if option in options and (sender or parts.joining.asked(frame.probe)):
                parts.closed.capacity.heard_refusal(inbound, reason)
        if sender is not None:
            inbound.delayed = frame.heartbeat < sender.k
            self._hear_sender(inbound, sender)
            if frame.rows:
                parts.claims.hear_rows(inbound, sender, frame.rows)
            if options and sender.complete and not options.keys() <= wire.NO_REQUEST:
                self._hear_requests(inbound, sender)
        else:
            if frame.kind == wire.ACK and parts.probes.was_asked(frame.probe):
                # It is at the address of the life held: its record is asked for once more [P129].
                local.believe(frame.sender)
            parts.closed.hear_stranger(inbound)
            if wire.OPT_MORE in options:
                parts.transfer.hear_part(inbound, options[wire.OPT_MORE])
            if frame.rows:
                inbound.waited = local.waited()
                parts.claims.hear_stranger(inbound)
        if frame.kind == wire.SYN:
            self._answer_syn(inbound)
        elif frame.kind == wire.ACK and not proves:
            self._hear_ack(inbound)
        if parts.replies.corrections.leave(inbound):
            rows, given = inbound.take_reply(self._room_to_reply(inbound) - 8)
            self._outbox.send(
                wire.NEWS, inbound.answers_to, address=inbound.source, rows=rows, options=given
            )

    def _hear_sender(self, inbound: Inbound, sender: Member) -> None:
        """Take the sender's heartbeat, which is in every datagram of its own [P42]."""
        local, parts = self._local, self._parts
        now, source, heartbeat = local.now, inbound.source, inbound.frame.heartbeat
        # Where its record says nobody answers: asked there for the record, it would not hear that.
        silent = sender.suspected or sender.declared_dead_at is not None
        if now - local.last_heard > self._silence and local.last_heard > -inf:
            # As if the socket had not been read meanwhile: it may be as old as the silence.
            local.is_behind(now - local.last_heard, now + 0.1 * self._silence)
        if now < local.behind_until:
            inbound.waited = local.waited()
        local.last_heard = sender.seen_at = now
        local.peers.heard(sender)
        if source != sender.source:
            sender.source = source
            parts.paths.heard(sender)
        if inbound.frame.kind in (wire.SYN, wire.ACK):
            sender.joining = wire.OPT_JOINING in inbound.frame.options
        if wire.OPT_SLOW in inbound.frame.options:
            sender.slow_until = now + 2 * local.config.gossip_interval
        if heartbeat > sender.k:
            evidence = inbound.first_hand(sender)
            parts.detector.hear_alive(sender, heartbeat, evidence, sender.name)
        if sender.declared_dead_at is not None:
            parts.probes.start(sender, Purpose.RETURNING)
        if (silent and source not in sender.addresses) or not sender.complete:
            parts.replies.ask(inbound.reply, sender.key)

    def _room_to_reply(self, inbound: Inbound) -> int:
        """Return the room for rows and options; larger answers go once the source is validated."""
        outbox, source = self._outbox, inbound.source
        room = outbox.room_for(source) - wire.FRAME_SIZE - wire.ROW_SIZE
        said = inbound.said
        if said is not None and outbox.is_limited(source) and said.larger_than(room - 18):
            self._ask_proof(inbound, source)
            room = outbox.room_for(source) - wire.FRAME_SIZE - wire.ROW_SIZE
        return room

    def _ask_proof(self, inbound: Inbound, address: Address) -> None:
        """Read the datagram again once the sender has shown that it is at the address."""
        frame = inbound.frame
        request = partial(self._act_again, frame, inbound.source)
        self._parts.validation.ask(address, inbound.sender, frame.sender, request)

    def _hear_requests(self, inbound: Inbound, sender: Member) -> None:
        """Act on its requests, and on its answers to questions of this node."""
        parts, frame = self._parts, inbound.frame
        options = frame.options
        if any(key in options for key in wire.LARGE):
            where = parts.paths.to(sender)
            if parts.validation.missing(where):
                self._ask_proof(inbound, where)
                asks = frame.kind != wire.HELP
                if asks and inbound.source not in sender.addresses:
                    parts.replies.ask(inbound.reply, sender.key)  # it may have moved
                return
            self._hear_large(inbound, sender, parts.admission.proved[where])
        parts.user_events.hear(inbound, sender)
        if (minimums := options.get(wire.OPT_MINIMUMS)) is not None:
            is_answer = frame.kind == wire.ACK and parts.probes.was_asked(frame.probe)
            parts.closed.hear_minimums(minimums, sender, is_answer=is_answer)
        more = options.get(wire.OPT_MORE)
        if more is not None and not parts.transfer.hear_part(inbound, more):
            parts.anti_entropy.fetches.hear_burst(sender, pages=wire.OPT_PAGES in options)
        if wire.OPT_ASK in options or wire.OPT_RELAY in options or wire.OPT_RELAYED in options:
            self._hear_question(inbound, sender)
        expired = options.get(wire.OPT_EXPIRE)
        if expired is not None and frame.target == self._local.me.key:
            parts.registrations.rewrite(expired[0], expired[1])
        key = options.get(wire.OPT_TARGET)
        if key is not None:
            if frame.kind == wire.HELP:
                parts.probes.help(key, sender, inbound.source, frame)
            elif frame.kind == wire.HELPED and wire.OPT_REACHED in options:
                parts.probes.helped(frame, key, sender)
            elif frame.kind == wire.HELPED and wire.OPT_BRIDGE in options:
                parts.probes.bridged(frame.probe, key, sender, options[wire.OPT_BRIDGE])

    def _hear_question(self, inbound: Inbound, sender: Member) -> None:
        """Answer a question to this life, or pass it on, to an address that is proved [P142]."""
        if inbound.frame.target != self._local.me.key:
            return
        if self._parts.validation.missing(inbound.source):
            if wire.OPT_ASK in inbound.frame.options and inbound.frame.kind == wire.SYN:
                self._questions.answering.prove(inbound)
            self._ask_proof(inbound, inbound.source)
        else:
            self._questions.hear(inbound, sender)

    def _hear_large(self, inbound: Inbound, sender: Member, budget: Budget) -> None:
        """Answer what may take many bytes, as long as its sender has a budget for that [P95]."""
        local, parts, options = self._local, self._parts, inbound.frame.options
        if not budget.may_be_answered(local.table.size, local.now):
            local.stats.drop(Drop.ANSWERS)
            return
        before = local.stats.sent_bytes
        if (digest := options.get(wire.OPT_DIGEST)) is not None:
            parts.anti_entropy.hear_digest(inbound, sender, digest)
        if (buckets := options.get(wire.OPT_BUCKETS)) is not None:
            parts.anti_entropy.hear_buckets(sender, buckets)
        if (want := options.get(wire.OPT_WANT)) is not None:
            parts.anti_entropy.hear_want(inbound, sender, want)
        if (revoked := options.get(wire.OPT_REVOKED)) is not None:
            parts.identities.hear_revocations(sender, revoked)
        if (cursor := options.get(wire.OPT_PULL)) is not None:
            if len(cursor) > 3:  # it asks for less because something was lost
                parts.size_tests.doubt(sender, parts.paths.to(sender))
            parts.transfer.hear_pull(sender, cursor, inbound.frame.probe)
        budget.said += local.stats.sent_bytes - before

    def _answer_syn(self, inbound: Inbound) -> None:
        """Answer a SYN: the node at this address answers for itself, with its own key [P63]."""
        local, parts = self._local, self._parts
        frame, sender = inbound.frame, inbound.sender
        if frame.target == local.me.key:
            parts.own_generations.hear_known(frame.known, sender)
            if frame.known and sender is not None:
                local.own.acknowledged = True
                parts.reply_loss.asked(sender, frame.probe)
            if wire.OPT_SIGN in frame.options:
                parts.identities.statements.answer(inbound)
        elif frame.target:
            local.stats.drop(Drop.NOT_FOR_ME)
        asked = frame.coordinate is not None and frame.target == local.me.key
        room = self._room_to_reply(inbound) - (18 + _PLACE if asked else 18)
        rows, options = inbound.take_reply(room)
        if not options and frame.target in (local.me.key, 0):
            rows += self._rows_beside(inbound, room - len(rows))
            if inbound.introduced and not frame.target:
                options = parts.replies.own_record(room - len(rows))
        to, source = inbound.answers_to, inbound.source
        if frame.half and frame.target == local.me.key and not options:
            self._outbox.exchange(wire.ACK, to, source, frame.probe, rows, asked=asked)
        else:
            options = {**(options or {}), **self._outbox.place_options(wire.ACK, to, asked=asked)}
            self._outbox.send(
                wire.ACK, to, address=source, probe=frame.probe, rows=rows, options=options
            )
        if sender is not None and sender.key in local.table.peers:
            parts.expected.came(sender)
            parts.fingerprints.compare(sender, frame, may_send=True)
            parts.size_tests.compared(sender)

    def _rows_beside(self, inbound: Inbound, room: int) -> bytes:
        """Return changed verdicts for an ACK: an answer, and charged as one [P95, P145]."""
        size, budget = self._local.table.size, self._budget_of(inbound.source)
        # Without one, the room is what may be sent there.
        if budget is not None and not budget.may_be_answered(size, inbound.read_at):
            return b""
        rows = self._parts.broadcasts.piggyback_rows(inbound.sender, room)
        if budget is not None:
            budget.said += len(rows)
        return rows

    def _hear_ack(self, inbound: Inbound) -> None:
        """Take an answer to a question of this node: a probe, a join probe, a watch, a leave."""
        local, parts = self._local, self._parts
        frame, sender, source = inbound.frame, inbound.sender, inbound.source
        if frame.known and frame.target == local.me.key and sender is not None:
            local.own.acknowledged = True
        if parts.validation.open and parts.validation.answered(frame.probe):
            return
        if parts.size_tests.open and parts.size_tests.answered(frame.probe):
            return
        asking = self._questions.asking
        if asking.open and asking.answered(inbound):
            return
        joining = wire.OPT_JOINING in frame.options
        answers = (
            parts.leaving.hear_confirmed(frame.probe, frame.sender)
            or parts.joining.answered(frame.probe, frame.sender, source, joining=joining)
            or parts.conflict.answered(frame.probe, frame.sender)
            or parts.probes.answered(frame, sender, source)
        )
        if not answers:
            return
        if sender is not None:
            parts.fingerprints.compare(sender, frame, may_send=False)
            parts.size_tests.compared(sender)
        elif wire.OPT_MINIMUMS in frame.options:
            parts.closed.hear_minimums(frame.options[wire.OPT_MINIMUMS], None, is_answer=True)
