"""Probes: every exchange asks a named target to answer, and only that target's answer counts.

An unanswered SYN is sent again on the scale of the measured round trip, then helpers are asked; a
member not reached by the end is accused (or, when this node itself may be to blame, the accusation
is held).
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import Any, Final

from gossipmm.addresses import format_address
from gossipmm.core.failure.deaf import Deaf
from gossipmm.core.failure.ended import Ended
from gossipmm.core.failure.helpers import Helpers, only_told
from gossipmm.core.failure.outcomes import RoundOutcomes
from gossipmm.core.failure.probe import Failure, Findings, Probe
from gossipmm.core.failure.statements import Statements
from gossipmm.core.failure.tries import LASTS, accusation_waits, blame_for_death, tries_of, unit_of
from gossipmm.core.sealing.admission import Admission
from gossipmm.core.sending.broadcasts import BroadcastQueue
from gossipmm.core.sending.outbox import Outbox
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values.evidence_time import first_hand
from gossipmm.core.values.purpose import Purpose
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.timers import cancel
from gossipmm.core.values.trail import EvidenceKind
from gossipmm.core.values.types import UNKNOWN_NODE, Address, NodeState
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.slim import SHORT
from gossipmm.mechanisms import Mechanism

#: Number of a try whose answer means that the path is bad: the next exchange comes at once.
_TROUBLE: Final = 2
#: Units as which one round trip counts at most: one of any length makes a unit of 25 ms one of 112,
#: and three in a row make it a second. With 2, links of 2,000 bytes a second had false suspicions
#: with one seed of ten.
_AT_MOST: Final = 4
#: Units by which a timer must be late to give the probe that time back.
_LATE: Final = 2

#: Purposes whose failure accuses. The dead are dead already, and a helper only reports [P68].
_ACCUSES: Final = frozenset((Purpose.ROUND, Purpose.SUSPICION, Purpose.FAILURE))
#: Those for which others are asked to help: the word of others brings nobody back by itself [P138].
_HELPED: Final = _ACCUSES | {Purpose.RETURNING}
#: Those that say something of the target here: before a death this node asks itself, quietly.
_OWN: Final = _ACCUSES | {Purpose.DEATH}


class Probes:
    """All open probes, and the round-trip and loss estimates that they yield."""

    def __init__(
        self,
        local: LocalState,
        outbox: Outbox,
        admission: Admission,
        broadcasts: BroadcastQueue,
        found: Findings,
        statements: Statements,
    ) -> None:
        self._local = local
        self._outbox = outbox
        self._admission = admission
        self._broadcasts = broadcasts
        self._paths = outbox.paths
        self._found = found
        self.statements = statements
        self._open: dict[int, Probe] = {}
        #: Those whose first try was a slim frame, by what it has of their identity [P126].
        self._short: dict[int, Probe] = {}
        self._by_member: dict[int, Probe] = {}
        self._deviation = 0.0
        self._ended = Ended(local)
        self._deaf = Deaf(local)
        #: How the probes of the round ended lately.
        self.lately = RoundOutcomes(local)
        self._helpers = Helpers(local, outbox, self.lately)

    # -- asking ----------------------------------------------------------------------------

    def start_more(self) -> None:
        """Ask others beside the usual one, while most of those asked do not answer [P60]."""
        more = self.lately.more_at_once
        if more <= 0:
            return
        local = self._local
        me, enough = local.me.key, local.config.confirmations + 1
        open_ones = self._by_member
        rest = [
            member
            for member in local.peers.all()
            if member.key not in open_ones
            and me not in member.accusers
            and len(member.accusers) < enough
        ]
        for member in rest if more >= len(rest) else local.rng.sample(rest, more):
            self.start(member, Purpose.ROUND)

    def start(
        self, member: Member, purpose: Purpose, questions: Iterable[int] = ()
    ) -> Probe | None:
        """Probe a member now, unless a probe is under way already.

        ``questions``: what it is to sign for others, if it is probed for them.
        """
        if not member.complete or member is self._local.me:
            return None
        probe = self._by_member.get(member.key)
        if probe is not None:
            if purpose in _OWN and probe.purpose not in (_ACCUSES, _OWN)[purpose is Purpose.DEATH]:
                self._is_own_now(probe, purpose)
            if purpose is Purpose.DEATH:
                self._hurry(probe)
            if purpose is not Purpose.ROUND:
                self.statements.ask(probe)
            return probe
        if (purpose is Purpose.ROUND and self._paths.passes_over(member)) or (
            purpose is Purpose.RETURNING and self._deaf.is_left_alone(member)
        ):
            return None
        local, unit = self._local, unit_of(purpose, self._local, self._deviation)
        identity = local.probe_id()
        order = self._paths.order(member)
        probe = Probe(identity, member, purpose, order, local.now, unit)
        probe.ends = local.now + self.lasts(purpose)
        probe.once |= purpose is Purpose.RETURNING and self._deaf.is_known(member)
        probe.generation = local.own.generation
        self.statements.ask(probe)
        for question in questions:
            probe.ask(question)
        self._open[probe.identity] = probe
        self._by_member[member.key] = probe
        local.stats.probes += 1
        self._send(probe)
        probe.timer = local.timers.at(local.now + unit, self._step, probe)
        return probe

    def lasts(self, purpose: Purpose) -> float:
        """Return the seconds for which a probe that begins now waits for its answer."""
        unit = unit_of(purpose, self._local, self._deviation)
        return max(self._local.config.probe_time, LASTS * unit)

    def _is_own_now(self, probe: Probe, purpose: Purpose) -> None:
        """Let a probe that said nothing of its target do so, with helpers if it accuses."""
        probe.purpose, probe.once = purpose, False
        probe.ends = max(probe.ends, self._local.now + self._local.config.probe_time)
        if purpose in _ACCUSES and any(
            helpers for _, helpers in tries_of(probe, self._local)[: probe.stage]
        ):
            self._ask_helpers(probe)

    def _hurry(self, probe: Probe) -> None:
        """Let a probe end as soon as one before a death would, and never later for it [P131]."""
        local, unit = self._local, unit_of(Purpose.DEATH, self._local, self._deviation)
        if unit < probe.unit:
            probe.unit = unit
            probe.ends = min(probe.ends, local.now + self.lasts(Purpose.DEATH))
            cancel(probe.timer)
            probe.timer = local.timers.at(local.now, self._step, probe)

    def challenged(self, address: Address) -> None:
        """Begin the tries of a probe again, once: who is there asks first who this node is [P192].

        It takes four datagrams then, and not two. Nobody dies of it later: who is gone asks nobody.
        """
        local = self._local
        for probe in self._open.values():
            if address in probe.order and not probe.challenged:
                probe.challenged, probe.stage, probe.tries_from = True, 0, local.now
                probe.ends = max(probe.ends, local.now + self.lasts(probe.purpose))
                cancel(probe.timer)
                probe.timer = local.timers.at(local.now + probe.unit, self._step, probe)

    def _send(self, probe: Probe) -> None:
        local = self._local
        member = probe.member
        order = probe.order
        address = order[len(probe.sent) % len(order)]
        if not probe.sent:
            probe.to = address
        elif address != probe.to:
            probe.to = None
        rows = b""
        quiet = self.lately.most_fail or probe.purpose is Purpose.DEATH
        if not probe.sent and not quiet:
            room = self._outbox.room_on(address) - wire.FRAME_SIZE - 32
            rows = self._broadcasts.exchange_rows(member, room)
        identity, short = probe.identity + min(len(probe.sent), wire.TRY), probe.identity & SHORT
        slim = not probe.sent and address in self._admission.proved and short not in self._short
        probe.sent.append(local.now)
        if not slim or probe.questions:
            told = self._outbox.place_options(wire.SYN, member)
            if probe.questions:
                told[wire.OPT_SIGN] = list(probe.questions)
            self._outbox.send(
                wire.SYN, member, address=address, probe=identity, rows=rows, options=told
            )
        elif self._outbox.exchange(wire.SYN, member, address, identity, rows):
            self._short[short] = probe

    def was_asked(self, probe_id: int) -> bool:
        """Return the same, or whether that was answered a moment ago: the rest may follow [P16]."""
        return self.asked(probe_id) or self._ended.was_answered(probe_id)

    def asked(self, probe_id: int) -> bool:
        """Return whether this life of the node waits for an answer to a probe, in full or short."""
        probe = self._short.get(probe_id) or self._open.get(probe_id & ~wire.TRY)
        return probe is not None and probe.generation == self._local.own.generation

    def send_failed(self, member: Member, address: Address) -> None:
        """Go on with the next try at once: the system refused to send the last one [P70]."""
        probe = self._by_member.get(member.key)
        if probe is None or len(probe.sent) >= len(probe.order):
            return
        if address == probe.order[(len(probe.sent) - 1) % len(probe.order)]:
            self._send(probe)

    def _step(self, probe: Probe) -> None:
        """Make the next try, possibly with helpers, or end the probe: no answer came [P65]."""
        local = self._local
        if probe.timer is not None:
            # A timer that fires late (a busy host) must not eat the time left for an answer.
            late = local.now - probe.timer.when
            if late > _LATE * probe.unit:
                probe.began += late
                probe.tries_from += late
                probe.ends += late
        probe.timer = None
        resends = Mechanism.QUICK_RESENDS not in local.without
        tries = tries_of(probe, local)
        stage = probe.stage
        if stage >= len(tries) or probe.once:
            if probe.once and not stage and only_told(probe):
                probe.stage = 1
                self._ask_helpers(probe)
            if local.now >= probe.ends:
                self._fail(probe)
                return
            probe.timer = local.timers.at(probe.ends, self._step, probe)
            return
        probe.stage = stage + 1
        probe.deaf = local.is_deaf(probe.began)
        if resends and not probe.leads_elsewhere:
            local.stats.probes_resent += 1
            self._send(probe)
        if tries[stage][1] and self._may_ask_helpers(probe):
            self._ask_helpers(probe)
        more, began = stage + 1 < len(tries), probe.tries_from
        when = began + tries[stage + 1][0] * probe.unit if more else inf
        probe.timer = local.timers.at(min(max(when, local.now), probe.ends), self._step, probe)

    def _may_ask_helpers(self, probe: Probe) -> bool:
        """Return whether helpers are asked: before a death for who only they reach [P67, P131]."""
        before_death = probe.purpose is Purpose.DEATH and probe.member.indirect
        return before_death or probe.purpose in _HELPED

    def _ask_helpers(self, probe: Probe) -> None:
        local = self._local
        if Mechanism.HELPERS in local.without:
            return
        for helper in self._helpers.choose(probe):
            self._ask_helper(probe, helper, may_name=True)

    def _ask_helper(self, probe: Probe, helper: Member, *, may_name: bool) -> None:
        options: dict[int, Any] = {wire.OPT_TARGET: probe.member.key}
        if self.statements.must_sign(probe.member, Purpose.HELP):
            options[wire.OPT_SIGN] = [probe.identity]
        probe.helpers[helper.key] = may_name
        self._outbox.send(wire.HELP, helper, probe=probe.identity, options=options)

    # -- answers ---------------------------------------------------------------------------

    def answered(self, frame: wire.Frame, sender: Member | None, source: Address) -> bool:
        """Take an ACK. True when the target of an open probe answered it, in time [P64, P69]."""
        local, identity, told = self._local, frame.probe, frame.options.get(wire.OPT_LIFE)
        short = self._short.get(identity)
        probe = short or self._open.get(identity & ~wire.TRY)
        number = identity & wire.TRY
        if probe is None or number >= len(probe.sent):
            local.stats.drop(Drop.LATE_ACK)
            self._ended.heard(identity)
            return False
        member = probe.member
        if sender is not member and Mechanism.TARGET_RULE not in local.without:
            # Another node lives at that address now: evidence against the target.
            local.stats.drop(Drop.WRONG_ANSWERER)
            if probe.wrong is None:
                probe.wrong = source
                name = sender.name if sender is not None else UNKNOWN_NODE
                at = format_address(source)
                member.note(local.now, EvidenceKind.OTHER_ANSWERED, name, address=at)
            return False
        if not self.statements.proves(told, probe):
            return False
        self._close(probe)
        self._ended.answered(identity)
        if probe.purpose is Purpose.ROUND:
            self.lately.add(failed=False)
            if number >= _TROUBLE:
                self._found.trouble()
        # An answer to 29 random bits proves no address; one that was proved may be out by now.
        if probe.to is not None and probe.to not in self._admission.proved and short is None:
            self._admission.prove(probe.to, local.now)
        stats = local.stats
        where = probe.order[number % len(probe.order)]
        self._paths.answered(member, where, probe.silent(number, local.now))
        stats.probes_answered += 1
        stats.probe_seconds.add(local.now - probe.began)
        stats.loss += 0.05 * ((1.0 if number else 0.0) - stats.loss)
        rtt = local.now - probe.sent[number]
        if not local.waited():
            local.distances.measured(member.key, rtt, frame.coordinate, local.now)
        if stats.rtt:
            # One of a member that was stopped says nothing of the paths to the others.
            rtt = min(rtt, _AT_MOST * unit_of(Purpose.ROUND, local, self._deviation))
            self._deviation += 0.25 * (abs(rtt - stats.rtt) - self._deviation)
            stats.rtt += 0.125 * (rtt - stats.rtt)
        else:
            stats.rtt = max(rtt, 1e-6)
            self._deviation = rtt / 2
        self._reached(probe)
        if late := self._helpers.tell(probe, number, told):
            again = self.start(member, Purpose.HELP, [identity for _, _, identity in late])
            if again is not None:
                again.asked_by += late
        self._found.answered(member, member.name)
        return True

    def helped(self, frame: wire.Frame, key: int, helper: Member) -> None:
        """Take a helper's report that the target answered it, and what that signed [P156]."""
        probe = self._open.get(frame.probe)
        if probe is None or probe.member.key != key:
            return
        if not self.statements.is_vouched(frame.options.get(wire.OPT_LIFE), probe, helper):
            return
        local = self._local
        self._close(probe)
        if self._paths.unreached(probe.member, probe.silent(len(probe.sent), local.now)):
            # Ask again soon: whether no address leads there is not left open for many rounds.
            when = local.now + local.config.probe_time
            local.timers.at(when, self._probe_held, probe.member)
        local.stats.probes_helped += 1
        self._helpers.reached(helper)
        probe.member.helped_at, probe.member.helped_by = local.now, helper.key
        probe.member.note(local.now, EvidenceKind.REACHED_BY_HELPER, helper.name)
        self._reached(probe)
        self._found.answered(probe.member, helper.name)

    def bridged(self, identity: int, key: int, helper: Member, bridge: int) -> None:
        """Ask the member for help that a helper says it needs itself to reach the target [P198]."""
        probe, peers = self._open.get(identity), self._local.table.peers
        if probe is None or probe.member.key != key or not probe.helpers.get(helper.key):
            return
        probe.helpers[helper.key] = False
        if bridge in peers and bridge != key and bridge not in probe.helpers:
            self._ask_helper(probe, peers[bridge], may_name=False)

    def _reached(self, probe: Probe) -> None:
        local = self._local
        member = probe.member
        self._deaf.answered(member)
        member.held_since = None
        # The answer may have waited for this node; it is younger than the question for certain.
        member.reached(probe.began)
        if member.declared_dead_at is not None:
            self._found.reached(member, member.k, first_hand(probe.began), local.own.name)
        if member.doubted:
            member.doubted = False
            local.table.rejudge(member, local.now)

    # -- helping ---------------------------------------------------------------------------

    def help(self, key: int, seeker: Member, source: Address, frame: wire.Frame) -> None:
        """Answer at once with the best known about the target; then try to reach it [P67]."""
        local, identity = self._local, frame.probe
        signed = wire.OPT_SIGN in frame.options  # the target is to sign that it lives [P156]
        member = local.table.by_key.get(key)
        if member is None or member is local.me or not member.complete:
            return
        self._helpers.tell_known(member, seeker, source, identity)
        if key in self._paths.lost:
            return
        probe = self.start(member, Purpose.HELP, (identity,) if signed else ())
        if probe is not None and len(probe.sent) == 1 and member.declared_dead_at is not None:
            probe.once |= local.all_sign and probe.purpose is Purpose.HELP
        if probe is not None and len(probe.asked_by) < 16:
            probe.asked_by.append((seeker, source, identity))
            if signed:
                probe.ask(identity)

    # -- the end ---------------------------------------------------------------------------

    def _close(self, probe: Probe) -> None:
        cancel(probe.timer)
        probe.timer = None
        self._open.pop(probe.identity, None)
        if self._short.get(probe.identity & SHORT) is probe:
            del self._short[probe.identity & SHORT]
        if self._by_member.get(probe.member.key) is probe:
            del self._by_member[probe.member.key]

    def drop(self, member: Member) -> None:
        """Drop the probe of a member that died or left."""
        self._deaf.answered(member)
        probe = self._by_member.get(member.key)
        if probe is not None:
            self._close(probe)

    def _fail(self, probe: Probe) -> None:
        local = self._local
        self._close(probe)
        self._ended.failed(probe)
        member = probe.member
        local.stats.probes_failed += 1
        if probe.purpose is Purpose.ROUND:
            self.lately.add(failed=True)
            self._found.trouble()
        if probe.purpose is Purpose.RETURNING and member.declared_dead_at is not None:
            self._deaf.did_not_answer(member)
        if probe.purpose not in _OWN or local.table.by_key.get(member.key) is not member:
            return
        if member.node_state is NodeState.LEFT or member.key not in local.table.peers:
            return
        failure = Failure(probe.began, len(probe.sent), local.now - probe.began, probe.wrong)
        held = accusation_waits(probe, local)
        if held:
            local.timers.at(local.now + local.config.probe_time, self._probe_held, member)
        elif probe.purpose is not Purpose.DEATH:
            self._found.failed(member, failure, True)
            return
        if blame_for_death(probe, local) is None:
            self._found.failed(member, failure, False)

    def _probe_held(self, member: Member) -> None:
        if member.key in self._local.table.peers:
            self.start(member, Purpose.SUSPICION)

    def begin_again(self) -> None:
        """Start open probes again: this node stood still, so they prove nothing."""
        for probe in list(self._open.values()):
            self._close(probe)
            if probe.purpose in _OWN and probe.member.key in self._local.table.peers:
                again = self.start(probe.member, probe.purpose)
                if again is not None:
                    again.asked_by = probe.asked_by
