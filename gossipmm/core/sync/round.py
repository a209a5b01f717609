"""What happens once an interval: one exchange, and the slow care for seeds and the dead."""

from __future__ import annotations

from typing import Final

from gossipmm.core.failure.detector import Detector
from gossipmm.core.failure.probes import Probes
from gossipmm.core.failure.suspicion import crowd, retry_probability, retry_weight
from gossipmm.core.life.leaving import Lifecycle
from gossipmm.core.life.reply_loss import ReplyLoss
from gossipmm.core.sending.outbox import Context
from gossipmm.core.sync.transfer import Transfer
from gossipmm.core.table.member import Member
from gossipmm.core.values import events
from gossipmm.core.values.purpose import Purpose
from gossipmm.core.values.timers import cancel
from gossipmm.core.values.types import Address, Status
from gossipmm.core.wire import frame as wire
from gossipmm.mechanisms import Mechanism

#: Seeds tried in one interval while alone.
_SEEDS_AT_ONCE: Final = 8
#: A joiner's first exchanges come faster, to find soon what the transfer missed: of 100 nodes
#: joining one seed at once, some learn of others only after they were served.
_HURRIES: Final = 4
_HURRY: Final = 0.2


class GossipRound:
    """The gossip interval of one node."""

    def __init__(
        self,
        context: Context,
        detector: Detector,
        reply_loss: ReplyLoss,
        lifecycle: Lifecycle,
        probes: Probes,
        transfer: Transfer,
    ) -> None:
        self._c = context
        self._detector = detector
        self._reply_loss = reply_loss
        self._lifecycle = lifecycle
        self._probes = probes
        self._transfer = transfer
        self.seeds: list[Address] = []
        self._join_probe = context.rng.getrandbits(64) or 1
        c = context
        #: Since when nobody was reached, if nobody was ever since.
        self._alone_since = context.now
        self._hurries = 0
        self._next = c.timers.at(c.now + c.rng.random() * c.config.gossip_interval, self._tick)
        c.timers.at(c.now + self._reap_every(), self._reap)

    def _reap_every(self) -> float:
        return min(300.0, max(0.5, self._c.config.reap_after / 20))

    # -- the interval --------------------------------------------------------------------------

    def _tick(self, _: object) -> None:
        c = self._c
        config = c.config
        interval = config.gossip_interval
        wait = interval * (1.0 + config.jitter * (2.0 * c.rng.random() - 1.0))
        if self._hurries:
            self._hurries -= 1
            wait *= _HURRY
        self._next = c.timers.at(c.now + wait, self._tick)
        if self._lifecycle.leaving:
            return
        self._raise_heartbeat(2 * interval)
        self._lifecycle.watch_conflict()
        self._reply_loss.review()
        target = c.peers.next_target()
        if target is not None:
            self._probes.start(target, Purpose.ROUND)
        self._try_seeds()
        if c.table.gone:
            self._try_gone()
        if c.now - max(c.last_heard, self._alone_since) > config.reap_after / 2:
            self._begin_anew()

    @property
    def hurried(self) -> bool:
        """True for a node that joined just now: it does not wait to ask what it lacks."""
        return self._hurries > 0

    def mark_joined(self) -> None:
        """This table agrees with a peer's, or has all of it, for the first time."""
        c = self._c
        c.table.joined = c.table.agreed = True
        c.events.append(events.Joined(c.now, c.table.live_count()))
        self.hurry()

    def hurry(self) -> None:
        """This node has just joined: exchange at once, and a few times faster than usual."""
        c = self._c
        cancel(self._next)
        self._hurries = _HURRIES
        wait = _HURRY * c.config.gossip_interval * c.rng.random()
        self._next = c.timers.at(c.now + wait, self._tick)

    def _raise_heartbeat(self, window: float) -> None:
        """Only a node that hears is alive: a deaf one's heartbeat stands still."""
        c = self._c
        hears = c.now - c.last_heard <= window or Mechanism.HEARING_RULE in c.without
        if hears:
            self._lifecycle.raise_heartbeat()

    # -- seeds ---------------------------------------------------------------------------------

    def join(self, addresses: list[Address]) -> None:
        """The seeds as they resolve now."""
        c = self._c
        self.seeds = [address for address in addresses if address not in c.own.addresses]
        if not c.table.peers:
            if not c.table.agreed:
                c.table.joined = not self.seeds
            self._try_seeds()

    def _try_seeds(self) -> None:
        c = self._c
        if not self.seeds:
            return
        peers = c.table.peers
        if not peers:
            chosen = self.seeds
            if len(chosen) > _SEEDS_AT_ONCE:
                chosen = c.rng.sample(chosen, _SEEDS_AT_ONCE)
        elif c.chance(1.0 / (len(peers) + 1)):
            chosen = [self.seeds[int(c.rng.random() * len(self.seeds))]]
            if any(chosen[0] in member.addresses for member in c.peers.all()):
                return  # a live member is there: nothing to heal
        else:
            return
        for address in chosen:
            self._knock(address)

    def _knock(self, address: Address, probe: int = 0) -> None:
        """SYN to whoever is at the address, with page 0, so that the answerer knows us."""
        c = self._c
        options = {wire.OPT_PAGES: [c.me.pages[0].raw]}
        c.send(wire.SYN, None, address=address, probe=probe or self._join_probe, options=options)

    def tell_seeds(self, probe: int) -> None:
        """Show the seeds the last page 0; nobody waits for what they answer."""
        for address in self.seeds[:_SEEDS_AT_ONCE]:
            self._knock(address, probe)

    def knock_answered(self, probe: int, sender: int, source: Address) -> bool:
        """True when an ACK answers a knock at a seed; while not joined, all records follow."""
        if probe != self._join_probe:
            return False
        c = self._c
        if source in self.seeds:
            c.admission.prove(source, c.now)
        if not c.table.joined:
            self._transfer.pull(source, sender)
        return True

    # -- the dead ------------------------------------------------------------------------------

    def _try_gone(self) -> None:
        c = self._c
        members = c.table.live_count()
        if Mechanism.DEAD_RETRY in c.without:
            return
        dead: list[Member] = []
        ages: list[float] = []
        for member in list(c.table.gone.values()):
            if member.status is Status.RETURNING:
                if c.chance(crowd(members)):
                    self._probes.start(member, Purpose.RETURNING)
            elif member.status is Status.DEAD:
                dead.append(member)
                ages.append(c.now - member.gone_at)
        if not dead or not c.chance(retry_probability(ages, members, c.config.gossip_interval)):
            return
        weights = [retry_weight(age) + 0.01 for age in ages]
        self._probes.start(c.rng.choices(dead, weights)[0], Purpose.DEAD)

    def _reap(self, _: object) -> None:
        c = self._c
        c.timers.at(c.now + self._reap_every(), self._reap)
        limit = c.config.reap_after
        for member in list(c.table.by_key.values()):
            if member is c.me or member.key in c.table.peers:
                continue
            gone_at = member.gone_at if member.key in c.table.gone else member.since
            if c.now - gone_at > limit:
                self._lifecycle.close(member)

    # -- alone for very long -------------------------------------------------------------------

    def _begin_anew(self) -> None:
        """Nobody reached for reap_after / 2: the others may have reaped what is held here.

        Forget all but the own record, keep the addresses as seeds, join as a new generation.
        """
        c = self._c
        self._alone_since = c.now
        others = [member for member in c.table.by_key.values() if member is not c.me]
        if not others:
            return
        addresses = [member.addresses[0] for member in others if member.complete]
        self.seeds = list(dict.fromkeys([*self.seeds, *addresses]))[:256]
        for member in others:
            self._detector.forget(member)
            c.table.remove(member, c.now)
            c.events.append(events.MemberReaped(c.now, member.name, member.generation))
        c.table.joined = c.table.agreed = c.table.knows_gone = False
        self._lifecycle.renew("nobody reached for half of reap_after")
